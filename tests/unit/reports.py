"""Reports to render: one for each outcome, a failure, and one that is hostile throughout.

OVERFLOW_UPDATE_GOLDENS=1 writes golden files anew; read the difference before committing it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.limits import megabytes
from overflow.plan import Outcome, Plan, Strategy, Where, within_tmp
from overflow.proof import Cold, Finding, Proof
from overflow.remedies import Means, remedied
from overflow.report import Failure, Function, Place, Prediction, Report, Row, Sizes, Written
from overflow.reporting import report_of
from overflow.trim import Cut, Level, Trimmed
from tests.unit.builders import handler, limits, plan_of, target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from overflow.handler import Handler

HOSTILE = "evil | `x` <img src=x> @team #1 [a](http://x.example) **b**\n::error::\x1b[31m &amp;"
"""Text that nobody would write by accident."""

GOLDENS = Path(__file__).parent / "goldens"


def report(
    sizes: Mapping[str, float] | None = None,
    *,
    plan: Plan | None = None,
    name: str = "shop",
    python: str = "3.12",
    architecture: str = "x86_64",
    calls: Handler | None = None,
    lines: Mapping[str, Place] | None = None,
    notes: Sequence[str] = (),
    written: Written | None = None,
) -> Report:
    """The report of a plan, or of one for distributions of so many MB."""
    means = Means(runtime_install=True, network=True, trim=Level.SAFE)
    return report_of(
        remedied(plan or plan_of(sizes or {}), means),
        project=name,
        target=target(python, architecture),
        handler=calls or handler(),
        declared=lines or {},
        notes=notes,
        written=written,
        seconds={},
    )


def as_read(report: Report) -> Report:
    """As it is once read back from report.json, where durations have milliseconds."""
    return replace(report, seconds={key: round(one, 3) for key, one in report.seconds.items()})


def fits() -> Report:
    """A small one."""
    found = report(
        plan=plan_of({"alpha": 100, "beta": 0.05, "gamma": 0}, kept={"beta": "git source"}),
        name="small",
        python="3.13",
        architecture="arm64",
        calls=handler("app:app", "asgi"),
        lines={"beta": Place(file="pyproject.toml", line=7)},
        written=Written(bundle_bytes=106_062_644, zip_bytes=32_000_000, zip_sha256="0123" * 16),
    )
    return replace(found, seconds={"project": 0.01234, "archive": 1.5})


def overflows() -> Report:
    """With hostile text wherever it can get in."""
    plan = plan_of(
        {"alpha": 700, "beta": 0.05, "gamma": 12.5, "inner": 3},
        kept={"beta": HOSTILE, "inner": "git source"},
        groups=[("gamma", "inner")],
        within=limits(200, 210, layers=40),
    )
    noted = (replace(one, note=HOSTILE) if one.name == "gamma" else one for one in plan.placements)
    return report(
        plan=replace(plan, placements=tuple(noted)),
        name="large",
        calls=handler("src.ünïcode:make_app", "auto"),
        lines={
            "alpha": Place(file="pyproject.toml", line=12),
            "gamma": Place(file="../uv.lock", line=345),
        },
        notes=("there was no uv.lock: made one", f"left out: link {HOSTILE}"),
        written=Written(bundle_bytes=1, zip_bytes=megabytes(51), zip_sha256="f" * 64),
    )


def too_large() -> Report:
    """What stays is over the limit."""
    found = report(
        plan=plan_of(
            {"alpha": 700, "beta": 200, "gamma": 12.5},
            kept={"beta": "other index: evil.example", "gamma": "path source"},
            project=60,
            within=limits(200, 210, layers=40),
        ),
        name="huge",
        python="3.11",
        lines={
            "beta": Place(file="pyproject.toml", line=9),
            "gamma": Place(file="pyproject.toml", line=10),
        },
        notes=("left out: link data/[link](javascript:x)",),
    )
    return replace(found, seconds={"plan": 0.5})


def packed() -> Report:
    """Carried compressed, with bytecode beside what is not."""
    plan = plan_of({"alpha": 150, "beta": 140, "gamma": 2}, kept={"beta": "git source"})
    carried = {"alpha": Where.VENDORED, "beta": Where.PACKED, "gamma": Where.PACKED}
    placements = tuple(
        replace(one, where=carried[one.name], compressed=one.size // 3 * (one.name != "alpha"))
        for one in plan.placements
    )
    plan = replace(
        plan,
        strategy=Strategy.PACK,
        placements=placements,
        bytecode_size=megabytes(30),
        unpacked_size=megabytes(145),
        support_size=27_000,
        bound_by="over 240.0 MB: what does not fit is packed",
    )
    prediction = Prediction(
        client=0.1,
        install=0.6,
        execute=0.75,
        compile=0.05,
        later=0.25,
        strategies={"defer": 7.5, "pack": 1.75, "auto": 1.5},
    )
    cold = Cold(install=0.5, total=1.375)
    proof = Proof(finding=Finding.PROVEN, cold=cold, note="without isolation: refused")
    trimmed = Trimmed(
        level=Level.SAFE,
        cuts=(
            Cut(name="numpy", kind="tests", files=454, size=5_976_117),
            Cut(name="numpy", kind="C headers", files=28, size=405_743),
            Cut(name="six", kind="type stubs", files=1, size=900),
        ),
    )
    found = report(plan=within_tmp(plan), name="packed")
    return replace(found, prediction=prediction, proof=proof, trimmed=trimmed)


def lazy() -> Report:
    """The same, of which the start imports one distribution only, and one is fetched."""
    found = packed()
    where = {"beta": ("packed", "unpacked on first import"), "gamma": ("deferred", "")}
    rows = []
    for one in found.rows:
        placement, note = where.get(one.name, (one.placement, one.note))
        compressed = one.compressed if placement == "packed" else 0
        rows.append(replace(one, placement=placement, note=note, compressed=compressed))
    sizes = replace(found.sizes, deferred=megabytes(2), on_import=megabytes(143))
    return replace(found, project="lazy", strategy="auto", rows=tuple(rows), sizes=sizes)


def failure(message: str = "pyproject.toml: not valid TOML", *, details: str = "") -> Failure:
    """Why a build ended early."""
    return Failure(
        code="pyproject-invalid",
        message=message,
        hint="mend it there",
        details=details,
        exit_code=2,
    )


def hostile_report(text: str, *, rows: int) -> Report:
    """One whose every text is this one, as an artifact of a fork may have it."""
    one = Row(
        name=text,
        version=text,
        size=megabytes(10),
        visibility="private",
        reason=text,
        placement="vendored",
        note=text,
        compressed=0,
        declared=Place(file=text, line=1),
    )
    function = Function(
        runtime=text,
        architecture=text,
        glibc=text,
        handler=text,
        calls=text,
        interface=text,
        ephemeral_storage_mb=512,
        memory_mb=512,
    )
    size = megabytes(10 * rows)
    return Report(
        version=text,
        project=text,
        outcome=Outcome.FITS,
        strategy=text,
        bound_by=text,
        remedies=(text,) * 50,
        plan_warnings=(text,) * 50,
        notes=(text,) * 50,
        function=function,
        limits=limits(),
        sizes=Sizes(
            installed=size,
            project=0,
            vendored=size,
            support=0,
            bytecode=0,
            packed=0,
            bundle=size,
            deferred=0,
            unpacked=0,
            on_import=0,
        ),
        rows=tuple(replace(one, name=f"{text}{number}") for number in range(rows)),
        written=None,
        seconds={},
    )


def assert_golden(file: str, text: str) -> None:
    """`text` is what the golden file has."""
    golden = GOLDENS / file
    if os.environ.get("OVERFLOW_UPDATE_GOLDENS") == "1":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


REPORTS = {"fits": fits, "overflows": overflows, "too-large": too_large}

SAMPLES = {**REPORTS, "packed": packed, "lazy": lazy}
"""With one of the strategy `pack`, and one of `auto`."""
