"""Reporting: a plan and what came of it, as a report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from overflow import __version__
from overflow.coldstart import brief
from overflow.limits import megabytes, memory_needed_mb
from overflow.plan import Outcome
from overflow.proof import Cold, Finding, Proof
from overflow.report import Place, Prediction, Report, Written
from overflow.reporting import report_of, with_start
from overflow.summary import to_markdown
from overflow.text import to_text
from tests.unit.builders import handler, limits, plan_of, target
from tests.unit.reports import HOSTILE, fits, overflows

PLAN = plan_of(
    {"alpha": 700, "beta": 5, "gamma": 12},
    kept={"beta": HOSTILE},
    within=limits(200, 210, layers=40),
)
PLACES = {"alpha": Place(file="pyproject.toml", line=3), "other": Place(file="uv.lock", line=1)}
WRITTEN = Written(bundle_bytes=1, zip_bytes=2, zip_sha256="0" * 64)


def reported() -> Report:
    return report_of(
        PLAN,
        project=HOSTILE,
        target=target("3.11", "arm64"),
        handler=handler("app:app", "wsgi"),
        declared=PLACES,
        notes=["a note"],
        written=WRITTEN,
        seconds={"plan": 1.5},
    )


def test_what_was_decided() -> None:
    found = reported()
    assert found.outcome is PLAN.outcome is Outcome.OVERFLOWS
    assert (found.strategy, found.bound_by) == (PLAN.strategy.value, PLAN.bound_by)
    assert (found.remedies, found.plan_warnings) == (PLAN.remedies, PLAN.warnings)
    assert found.limits == limits(200, 210, layers=40)


def test_what_was_given() -> None:
    found = reported()
    assert (found.version, found.project) == (__version__, HOSTILE)
    assert (found.notes, found.written, found.seconds) == (("a note",), WRITTEN, {"plan": 1.5})


def test_function() -> None:
    function = reported().function
    assert (function.runtime, function.architecture, function.glibc) == (
        "python3.11",
        "arm64",
        "2.26",
    )
    assert function.handler == "overflow_trampoline.handler"
    assert (function.calls, function.interface) == (handler("app:app").name, "wsgi")
    assert function.ephemeral_storage_mb == PLAN.ephemeral_storage_mb > 700


def test_memory_is_of_all_that_is_installed_and_what_overflows() -> None:
    """One and the same size, with and without an overflow, asks for different settings."""
    needed = memory_needed_mb(PLAN.installed_size, overflow=PLAN.deferred_size)
    assert reported().function.memory_mb == needed
    assert memory_needed_mb(megabytes(100), overflow=1) > memory_needed_mb(
        megabytes(100), overflow=0
    )


@pytest.mark.parametrize(
    ("install", "imports", "memory"), [(0.0, 2.0, 256), (0.0, 9.0, 1_769), (5.0, 4.0, 3_538)]
)
def test_memory_is_what_the_warning_of_a_slow_start_says(
    install: float, imports: float, memory: int
) -> None:
    cold = Cold(install=install, total=install + imports)
    found = with_start(
        fits(),
        target=target(),
        prediction=None,
        proof=Proof(finding=Finding.PROVEN, cold=cold),
    )
    assert found.function.memory_mb == memory
    assert [f"{memory:,} MB" in one for one in found.plan_warnings] == [True] * (memory > 256)


def test_of_a_slow_installation_is_warned_although_imports_are_not_known() -> None:
    prediction = Prediction(client=0.5, install=6.0, execute=0.0, compile=0.0, later=0.0)
    found = with_start(overflows(), target=target(), prediction=prediction, proof=None)
    (warning,) = (one for one in found.plan_warnings if "cold start takes" in one)
    assert "takes 6.5 s before anything is imported, as predicted on one CPU" in warning
    assert found.function.memory_mb == 3_538
    assert "Cold start: 6.50 s without imports predicted on one CPU." in to_text(found)
    shown = to_markdown(found)
    assert "| Imports | not recorded |" in shown
    assert "| **Init** | **6.50 s without imports** |" in shown
    assert "At first use" not in shown
    assert brief(found, found).startswith(
        "**Cold start:** 6.50 s without imports predicted (base: 6.50 s without imports)"
    )


def test_sizes_add_up() -> None:
    sizes = reported().sizes
    assert sizes.deferred == megabytes(712)
    assert sizes.vendored == megabytes(5)
    assert sizes.installed == sizes.vendored + sizes.deferred
    assert sizes.bundle == sizes.project + sizes.vendored + sizes.support
    assert sizes.project == megabytes(1)


def test_rows_are_by_size_and_say_where_they_were_asked_for() -> None:
    rows = reported().rows
    assert [row.name for row in rows] == ["alpha", "gamma", "beta"]
    assert [row.declared for row in rows] == [PLACES["alpha"], None, None]
    assert [row.placement for row in rows] == ["deferred", "deferred", "vendored"]
    assert [row.visibility for row in rows] == ["public", "public", "private"]
    assert rows[2].reason == HOSTILE
    assert [row.size for row in rows] == [megabytes(700), megabytes(12), megabytes(5)]


@pytest.mark.parametrize("note", ["", HOSTILE])
def test_note_of_a_placement(note: str) -> None:
    plan = replace(PLAN, placements=tuple(replace(one, note=note) for one in PLAN.placements))
    found = report_of(
        plan, project="x", target=target(), handler=handler(), declared={}, seconds={}
    )
    assert {row.note for row in found.rows} == {note}
    assert (found.written, found.notes) == (None, ())
