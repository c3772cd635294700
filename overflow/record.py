"""Record: what a build came to, in the folder that later steps read and that is uploaded.

A second workflow posts a fork's comment from it, so reading it trusts nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from overflow.comparison import Base, KnownBase, UnknownBase
from overflow.errors import InputFault
from overflow.fields import read_fields
from overflow.report import FAULT, REPORT, Failure, Report
from overflow.wire import failure_from_json, failure_to_json, from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE = "base-report.json"
RUN = "run.json"
NAMES = frozenset({REPORT, FAULT, BASE, RUN})
"""All files that a record can have: report or fault, the base's report, and what else is known."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """A build's result, what it is compared with, and which leg it was."""

    result: Report | Failure
    base: Base | None
    leg: str
    head: str
    """The commit that was built."""
    artifact: str
    """Name of the uploaded zip; empty where there is none."""


def record_files(record: Record) -> dict[str, str]:
    """The record as files, by name."""
    result, base = record.result, record.base
    run: dict[str, object] = {"schema": 1, "leg": record.leg, "head": record.head}
    run |= {"artifact": record.artifact, "base": None}
    files = {}
    if isinstance(result, Report):
        files[REPORT] = to_json(result)
    else:
        files[FAULT] = failure_to_json(result)
    if isinstance(base, KnownBase):
        files[BASE] = to_json(base.report)
        run["base"] = {"sha": base.sha, "exact": int(base.exact), "reason": ""}
    elif isinstance(base, UnknownBase):
        run["base"] = {"sha": "", "exact": 0, "reason": base.reason}
    files[RUN] = json.dumps(run, indent=2) + "\n"
    return files


def read_record(files: Mapping[str, bytes]) -> Record:
    """The record in these files; raises InputFault `report-invalid`."""

    def content(name: str) -> bytes:
        if name not in files:
            raise InputFault(
                "report-invalid", f"{name} is missing", hint="run the action's build step first"
            )
        return files[name]

    run = read_fields(content(RUN), RUN)
    base = run.optional("base")
    found: Base | None = None
    if base is not None and base.text("sha"):
        report = from_json(content(BASE))
        found = KnownBase(report=report, sha=base.text("sha"), exact=bool(base.count("exact")))
    elif base is not None:
        found = UnknownBase(reason=base.text("reason"))
    return Record(
        result=(from_json(files[REPORT]) if REPORT in files else failure_from_json(content(FAULT))),
        base=found,
        leg=run.text("leg"),
        head=run.text("head"),
        artifact=run.text("artifact"),
    )
