"""Wire: report.json and fault.json as text, both ways.

Who reads them trusts nothing: a build runs other people's code, and an artifact may come from a
fork. What is not exactly as docs/report.schema.json says is refused.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from overflow.fields import ANY, COUNT, SCHEMA, invalid, read_fields
from overflow.limits import (
    MEMORY_BASE_MB,
    MEMORY_MAXIMUM_MB,
    TMP_DEFAULT_MB,
    TMP_MAXIMUM_MB,
    Limits,
)
from overflow.plan import Outcome, Strategy
from overflow.proof import Cold, Finding, Proof
from overflow.report import (
    BUNDLE,
    ZIP,
    Failure,
    Function,
    Place,
    Prediction,
    Report,
    Row,
    Sizes,
    Written,
)
from overflow.trim import Cut, Kind, Level, Trimmed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from overflow.fields import Fields, Shape

MOST_ROWS = 20_000
"""A report of more distributions is refused: five times those of the lock in limits.py."""

MOST_CUTS = MOST_ROWS * len(Kind)

_LIMITS = ("threshold", "limit", "layers", "tmp")
_SIZES = tuple(Sizes.__annotations__)
_STEPS = (*"project lock install measure trim start plan installer bundle archive proof".split(),)
_PARTS = ("client", "install", "execute", "compile", "later")

# All fields of each object: the regular expression that a text wholly matches, the least and the
# most that a whole number is, or None for what is read by itself.
_REPORT: Mapping[str, Shape] = {
    "schema": (SCHEMA, SCHEMA),
    **dict.fromkeys(("overflow_version", "project", "bound_by"), ANY),
    "outcome": "|".join(one.value for one in Outcome),
    "exit_code": COUNT,
    "strategy": "|".join(one.value for one in Strategy),
    **dict.fromkeys(("remedies", "warnings", "notes", "target", "function"), None),
    **dict.fromkeys(("limits", "sizes", "distributions", "artifact"), None),
    **dict.fromkeys(("prediction", "proof", "trim", "seconds"), None),
}
_TARGET: Mapping[str, Shape] = {
    "runtime": r"python3\.[0-9]+",
    "architecture": "x86_64|arm64",
    "glibc": r"[0-9]+\.[0-9]+",
}
_FUNCTION: Mapping[str, Shape] = {
    "handler": ANY,
    "calls": ANY,
    "interface": "function|wsgi|asgi|auto",
    "ephemeral_storage_mb": (TMP_DEFAULT_MB, TMP_MAXIMUM_MB),
    "memory_mb": (MEMORY_BASE_MB, MEMORY_MAXIMUM_MB),
    "installer": "(uv|builtin)?",
}
_ROW: Mapping[str, Shape] = {
    **dict.fromkeys(("name", "version", "reason", "note"), ANY),
    **dict.fromkeys(("bytes", "compressed_bytes"), COUNT),
    "visibility": "public|private",
    "placement": "vendored|packed|deferred",
    "declared": None,
}
_PLACE: Mapping[str, Shape] = {"file": ANY, "line": (1, COUNT[1])}
_WRITTEN: Mapping[str, Shape] = {
    "bundle": BUNDLE,
    "bundle_bytes": COUNT,
    "zip": re.escape(ZIP),
    "zip_bytes": COUNT,
    "zip_sha256": "[0-9a-f]{64}",
}
_PROOF: Mapping[str, Shape] = {
    "finding": "|".join(one.value for one in Finding),
    "seconds": None,
    **dict.fromkeys(("problem", "distribution", "trace", "note"), ANY),
}
_TRIM: Mapping[str, Shape] = {"level": "|".join(one.value for one in Level), "cuts": None}
_CUT: Mapping[str, Shape] = {
    "name": ANY,
    "kind": "|".join(one.value for one in Kind),
    **dict.fromkeys(("files", "bytes"), COUNT),
}
_FAULT: Mapping[str, Shape] = {
    **dict.fromkeys(("code", "message", "hint", "details"), ANY),
    "exit_code": COUNT,
}


def to_json(report: Report) -> str:
    """report.json, as docs/report.schema.json describes it."""
    function, limits, sizes = report.function, report.limits, report.sizes
    content = {
        "schema": SCHEMA,
        "overflow_version": report.version,
        "project": report.project,
        "outcome": report.outcome.value,
        "exit_code": int(report.exit_code),
        "strategy": report.strategy,
        "bound_by": report.bound_by,
        "remedies": list(report.remedies),
        "warnings": list(report.warnings),
        "notes": list(report.notes),
        "target": {key: getattr(function, key) for key in _TARGET},
        "function": {key: getattr(function, key) for key in _FUNCTION},
        "limits": {f"{key}_bytes": getattr(limits, key) for key in _LIMITS},
        "sizes": {f"{key}_bytes": getattr(sizes, key) for key in _SIZES},
        "distributions": [_row(row) for row in report.rows],
        "artifact": _artifact(report.written),
        "prediction": _prediction(report.prediction),
        "proof": _proof(report.proof),
        "trim": _trim(report.trimmed),
        "seconds": _rounded(report.seconds),
    }
    return json.dumps(content, indent=2) + "\n"


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "version": row.version,
        "bytes": row.size,
        "compressed_bytes": row.compressed,
        **{key: getattr(row, key) for key in ("visibility", "reason", "placement", "note")},
        "declared": vars(row.declared) if row.declared else None,
    }


def _artifact(written: Written | None) -> dict[str, Any] | None:
    if written is None:
        return None
    return {
        "bundle": BUNDLE,
        "bundle_bytes": written.bundle_bytes,
        "zip": ZIP,
        "zip_bytes": written.zip_bytes,
        "zip_sha256": written.zip_sha256,
    }


def _prediction(prediction: Prediction | None) -> dict[str, Any] | None:
    if prediction is None:
        return None
    parts = {key: getattr(prediction, key) for key in _PARTS}
    return {
        **_rounded({"seconds": prediction.seconds, **parts}),
        "strategies": _rounded(prediction.strategies),
    }


def _proof(proof: Proof | None) -> dict[str, Any] | None:
    if proof is None:
        return None
    texts = {key: getattr(proof, key) for key in ("problem", "distribution", "trace", "note")}
    return {"finding": proof.finding.value, "seconds": _cold(proof.cold), **texts}


def _cold(cold: Cold | None) -> dict[str, float] | None:
    if cold is None:
        return None
    return _rounded({"install": cold.install, "import": cold.imports, "total": cold.total})


def _trim(trimmed: Trimmed) -> dict[str, Any]:
    cuts = [
        {"name": cut.name, "kind": cut.kind, "files": cut.files, "bytes": cut.size}
        for cut in trimmed.cuts
    ]
    return {"level": trimmed.level.value, "cuts": cuts}


def _rounded(seconds: Mapping[str, float]) -> dict[str, float]:
    return {key: round(value, 3) for key, value in seconds.items()}


def proof_to_json(proof: Proof, warnings: Sequence[str]) -> str:
    """What `overflow verify --json` prints: as report.json has it."""
    content = {"schema": SCHEMA, "warnings": list(warnings), "proof": _proof(proof)}
    return json.dumps(content, indent=2) + "\n"


def failure_to_json(failure: Failure) -> str:
    """fault.json: why there is no report."""
    return json.dumps({"schema": SCHEMA, "fault": vars(failure)}, indent=2) + "\n"


def from_json(content: bytes) -> Report:
    """The report in these bytes; raises InputFault `report-invalid`."""
    top = read_fields(content)
    values = top.values(_REPORT)
    report = Report(
        version=values["overflow_version"],
        outcome=Outcome(values["outcome"]),
        **{key: values[key] for key in ("project", "strategy", "bound_by")},
        remedies=top.texts("remedies"),
        plan_warnings=top.texts("warnings"),
        notes=top.texts("notes"),
        function=Function(
            **top.inner("target").values(_TARGET), **top.inner("function").values(_FUNCTION)
        ),
        limits=Limits(**_read_bytes(top.inner("limits"), _LIMITS)),
        sizes=Sizes(**_read_bytes(top.inner("sizes"), _SIZES)),
        rows=top.each("distributions", _read_row, most=MOST_ROWS),
        written=_read_written(top.optional("artifact")),
        prediction=_read_prediction(top.optional("prediction")),
        proof=_read_proof(top.optional("proof")),
        trimmed=_read_trim(top.inner("trim")),
        seconds=top.inner("seconds").durations(_STEPS),
    )
    if values["exit_code"] != report.exit_code:
        raise invalid(f"{top.where}exit_code: does not fit the outcome")
    return _without_its_own_warning(report)


def _without_its_own_warning(report: Report) -> Report:
    """The one on the upload, which to_json puts last, is made anew from the zip's size."""
    planned = report.plan_warnings
    own = replace(report, plan_warnings=()).warnings
    return replace(report, plan_warnings=planned[:-1]) if own and planned[-1:] == own else report


def failure_from_json(content: bytes) -> Failure:
    """The failure in these bytes; raises InputFault `report-invalid`."""
    top = read_fields(content, "fault.json")
    top.values({"schema": (SCHEMA, SCHEMA), "fault": None})
    return Failure(**top.inner("fault").values(_FAULT))


def _read_bytes(fields: Fields, names: tuple[str, ...]) -> dict[str, int]:
    found = fields.values({f"{name}_bytes": COUNT for name in names})
    return {name: found[f"{name}_bytes"] for name in names}


def _read_row(fields: Fields) -> Row:
    values = fields.values(_ROW)
    place = fields.optional("declared")
    declared = Place(**place.values(_PLACE)) if place else None
    size, compressed = values.pop("bytes"), values.pop("compressed_bytes")
    return Row(size=size, compressed=compressed, declared=declared, **values)


def _read_proof(fields: Fields | None) -> Proof | None:
    if fields is None:
        return None
    values = fields.values(_PROOF)
    finding, seconds = Finding(values.pop("finding")), fields.optional("seconds")
    if seconds is None:
        return Proof(finding=finding, **values)
    found = seconds.all_durations(("install", "import", "total"))
    cold = Cold(install=found["install"], total=found["total"])
    return Proof(finding=finding, cold=cold, **values)


def _read_prediction(fields: Fields | None) -> Prediction | None:
    if fields is None:
        return None
    strategies = fields.inner("strategies").durations([one.value for one in Strategy])
    known = ("seconds", *_PARTS)
    rest = {key: value for key, value in fields.mapping.items() if key != "strategies"}
    found = replace(fields, mapping=rest).all_durations(known)
    return Prediction(**{key: found[key] for key in _PARTS}, strategies=strategies)


def _read_trim(fields: Fields) -> Trimmed:
    level = Level(fields.values(_TRIM)["level"])
    return Trimmed(level=level, cuts=fields.each("cuts", _read_cut, most=MOST_CUTS))


def _read_cut(fields: Fields) -> Cut:
    values = fields.values(_CUT)
    return Cut(size=values.pop("bytes"), **values)


def _read_written(fields: Fields | None) -> Written | None:
    if fields is None:
        return None
    values = fields.values(_WRITTEN)
    return Written(**{key: values[key] for key in ("bundle_bytes", "zip_bytes", "zip_sha256")})
