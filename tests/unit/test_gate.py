"""Gate: every outcome against every gate, with growth known and unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from overflow.gate import Judgement, judge
from overflow.limits import megabytes
from overflow.settings import GATES
from tests.unit.reports import fits, overflows, report, too_large

if TYPE_CHECKING:
    from collections.abc import Callable

    from overflow.report import Report


def over_threshold_and_vendored() -> Report:
    """What --no-runtime-install does to one of 245 MB: it fits, and is over the threshold."""
    found = report({"alpha": 100})
    return replace(found, sizes=replace(found.sizes, bundle=found.limits.threshold + 1))


def at_threshold() -> Report:
    found = report({"alpha": 100})
    return replace(found, sizes=replace(found.sizes, bundle=found.limits.threshold))


def filled_with_bytecode() -> Report:
    """What `auto` does with room that nothing else needs."""
    found = at_threshold()
    sizes = replace(found.sizes, bytecode=5000, bundle=found.sizes.bundle + 5000)
    return replace(found, sizes=sizes)


REPORTS: dict[str, Callable[[], Report]] = {
    "fits": fits,
    "at threshold": at_threshold,
    "filled with bytecode": filled_with_bytecode,
    "over threshold": over_threshold_and_vendored,
    "overflows": overflows,
    "too large": too_large,
}

CLOSED = {
    "limit": {"too large": 3},
    "threshold": {"over threshold": 6, "overflows": 6, "too large": 3},
    "growth": {"too large": 3},
    "never": {},
}
"""Exit codes other than 0, where nothing has grown."""

GROWTH = {"unknown": None, "shrunk": -5, "same": 0, "allowed": megabytes(2), "too much": 2097153}


def judged(kind: str, gate: str, growth: int | None) -> Judgement:
    return judge(REPORTS[kind](), fail_on=gate, growth=growth, max_growth=megabytes(2))


@pytest.mark.parametrize("growth", GROWTH)
@pytest.mark.parametrize("kind", REPORTS)
@pytest.mark.parametrize("gate", GATES)
def test_every_combination(gate: str, kind: str, growth: str) -> None:
    expected = CLOSED[gate].get(kind, 0)
    if (gate, growth) == ("growth", "too much"):
        expected = expected or 6
    found = judged(kind, gate, GROWTH[growth])
    assert found.exit_code == expected
    assert found.reason


def test_closed_gate_says_why() -> None:
    assert judged("overflows", "threshold", None).reason.startswith(
        "over the threshold of 200.0 MB"
    )
    assert judged("fits", "growth", megabytes(3)).reason == (
        "grows by 3.0 MB, and max-growth-mb allows 2.0 MB"
    )
    assert judged("too large", "limit", None).reason == too_large().headline


def test_unknown_growth_is_not_taken_for_none() -> None:
    assert "unknown" in judged("fits", "growth", None).reason
    assert "unknown" not in judged("fits", "growth", 0).reason
