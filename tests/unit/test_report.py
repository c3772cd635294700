"""Report: the verdict, the warnings and the exit code of a build or plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from overflow.errors import ExitCode
from overflow.limits import megabytes
from tests.unit.builders import plan_of
from tests.unit.reports import REPORTS, fits, lazy, overflows, packed, report, too_large


@pytest.mark.parametrize("outcome", REPORTS)
def test_samples_are_what_they_are_called(outcome: str) -> None:
    assert REPORTS[outcome]().outcome.value == outcome


def test_exit_codes() -> None:
    assert [one.exit_code for one in (fits(), overflows(), too_large())] == [
        ExitCode.OK,
        ExitCode.OK,
        ExitCode.TOO_LARGE,
    ]


def test_headlines() -> None:
    assert [one.headline for one in (fits(), overflows(), too_large())] == [
        "Fits: 101.1 MB of 250.0 MB",
        "Overflows: 54.5 MB in the bundle, 700.0 MB installed at cold start",
        "Too large: 310.5 MB of 210.0 MB",
    ]


def test_headline_says_when_it_is_put_into_tmp() -> None:
    """What comes on first import is not there after a cold start."""
    found = lazy()
    later = replace(found, sizes=replace(found.sizes, on_import=found.sizes.overflow))
    assert [one.headline for one in (packed(), found, later)] == [
        "Overflows: 228.4 MB in the bundle, 145.0 MB put into /tmp at cold start",
        (
            "Overflows: 228.4 MB in the bundle, 4.0 MB put into /tmp at cold start,"
            " 143.0 MB on first import"
        ),
        "Overflows: 228.4 MB in the bundle, 147.0 MB put into /tmp on first import",
    ]


def test_zip_over_50_mb_must_go_through_s3() -> None:
    found = fits()
    assert found.written is not None
    limit = megabytes(50)
    assert replace(found, written=replace(found.written, zip_bytes=limit)).warnings == ()
    (warning,) = replace(found, written=replace(found.written, zip_bytes=limit + 1)).warnings
    assert "S3" in warning


def test_largest_first_then_by_name() -> None:
    plan = plan_of({"a": 1, "b": 3, "c": 3})
    assert [row.name for row in report(plan=plan).rows] == ["b", "c", "a"]


@pytest.mark.parametrize("outcome", REPORTS)
def test_sums(outcome: str) -> None:
    found = REPORTS[outcome]()
    sizes = found.sizes
    assert sizes.bundle == sizes.project + sizes.vendored + sizes.support
    assert sizes.total == sizes.project + sizes.installed + sizes.support
    assert sizes.installed == sum(row.size for row in found.rows)
    assert sizes.deferred == sum(row.size for row in found.rows if row.is_deferred)


def test_what_to_set_comes_from_the_plan() -> None:
    function = overflows().function
    assert function.handler == "overflow_trampoline.handler"
    assert (function.ephemeral_storage_mb, function.memory_mb) == (832, 1_769)
    assert (function.runtime, function.architecture, function.glibc) == (
        "python3.12",
        "x86_64",
        "2.34",
    )
    assert fits().function.memory_mb == 256
