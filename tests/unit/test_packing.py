"""Packing: the choice against brute force, and each outcome with the rule that made it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.costs import AT_ONCE
from overflow.limits import megabytes
from overflow.packing import Choice, Load, choose, everything, packed_plan, settle
from overflow.plan import Outcome, Strategy, Where
from tests.unit.builders import limits, plan_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from overflow.plan import Plan


def load(size: int, packed: int, *, movable: bool = True, seconds: float | None = None) -> Load:
    cost = size / 1e3 if seconds is None else seconds
    return Load(vendored=size, packed=packed, unpacked=size, movable=movable, seconds=cost)


LOADS = st.lists(
    st.builds(
        Load,
        vendored=st.integers(0, 60),
        packed=st.integers(0, 40),
        unpacked=st.integers(0, 60),
        movable=st.booleans(),
        seconds=st.integers(0, 60).map(lambda one: one / 1e3),
        at_once=st.booleans(),
    ),
    max_size=8,
)

AMPLE = 1 << 40


def taken(loads: Sequence[Load], choice: Choice) -> int:
    return sum(one.packed if at in choice else one.vendored for at, one in enumerate(loads))


def unpacked(loads: Sequence[Load], choice: Choice) -> int:
    return sum(loads[at].unpacked for at in choice)


def seconds(loads: Sequence[Load], choice: Choice) -> float:
    first = AT_ONCE * any(loads[at].at_once for at in choice)
    return first + sum(loads[at].seconds for at in choice)


def best(loads: Sequence[Load], room: int, tmp: int) -> float | None:
    """Brute force: the least seconds."""
    able = sorted(everything(loads))
    every = (frozenset(some) for n in range(len(able) + 1) for some in combinations(able, n))
    costs = [
        seconds(loads, some)
        for some in every
        if taken(loads, some) <= room and unpacked(loads, some) <= tmp
    ]
    return min(costs, default=None)


@given(LOADS, st.integers(0, 300), st.integers(0, 300))
def test_choice_is_that_of_brute_force(loads: list[Load], room: int, tmp: int) -> None:
    """Where /tmp is too small for any, as if it were not: it can be made larger."""
    choice = choose(loads, room, tmp=tmp)
    expected = best(loads, room, tmp)
    if expected is None:
        tmp, expected = AMPLE, best(loads, room, AMPLE)
    assert (choice is None) == (expected is None)
    if choice is not None:
        assert taken(loads, choice) <= room
        assert unpacked(loads, choice) <= tmp
        assert seconds(loads, choice) == pytest.approx(expected)
        assert choice <= everything(loads)


def test_nothing_is_packed_where_all_fits() -> None:
    assert choose([load(50, 10), load(50, 10, seconds=0.0)], 100, tmp=AMPLE) == frozenset()


def test_what_costs_a_start_nothing_leaves_first() -> None:
    """Although less would have to be unpacked of the other."""
    loads = [load(60, 10), load(90, 10, seconds=0.001)]
    assert choose(loads, 120, tmp=AMPLE) == frozenset({1})
    assert choose(loads, 69, tmp=AMPLE) == frozenset({0, 1})


def test_fewest_seconds_not_the_largest_first() -> None:
    loads = [load(200, 50), load(60, 10), load(70, 10)]
    assert choose(loads, 280, tmp=AMPLE) == frozenset({1})


def test_what_may_not_be_packed_or_grows_by_it_stays() -> None:
    assert choose([load(60, 10, movable=False), load(5, 9)], 50, tmp=AMPLE) is None


class Estimates:
    """Scales on which a group turns out to be packed worse than it was taken to be."""

    def __init__(self, guessed: list[Load], exact: list[Load]) -> None:
        self.known = guessed
        self.exact = exact
        self.asked: list[Choice] = []

    def loads(self) -> list[Load]:
        return self.known

    def weigh(self, choice: Choice) -> bool:
        self.asked.append(choice)
        before = list(self.known)
        self.known = [self.exact[at] if at in choice else one for at, one in enumerate(self.known)]
        return before != self.known


@pytest.mark.parametrize(("more", "leaving"), [(0.5, 0), (0.009, 1), (0.0, 1)])
def test_the_first_at_the_start_costs_more(more: float, leaving: int) -> None:
    """What comes on first import only is worth some seconds more."""
    at_once = replace(load(60, 10, seconds=0.001), at_once=True)
    later = load(60, 10, seconds=0.001 + more)
    assert choose([at_once, later], 80, tmp=AMPLE) == frozenset({leaving})


def test_choice_is_settled_by_exact_sizes() -> None:
    scales = Estimates([load(60, 10), load(70, 10)], [load(60, 50), load(70, 11)])
    assert settle(scales, 90, tmp=AMPLE) == frozenset({1})
    assert scales.asked[0] == frozenset({0})


def test_too_much_is_said_of_exact_sizes() -> None:
    scales = Estimates([load(60, 30), load(70, 30)], [load(60, 20), load(70, 20)])
    assert settle(scales, 50, tmp=AMPLE) == frozenset({0, 1})
    assert settle(scales, 30, tmp=AMPLE) is None


def planned(*, alpha: float, compressed: float | None, runtime: str = "") -> Plan:
    plan = plan_of({"alpha": alpha}, support=(0, 0), within=limits(tmp=512))
    (place,) = plan.placements
    is_packed = compressed is not None
    where = Where.PACKED if is_packed else Where.VENDORED
    place = replace(place, where=where, compressed=megabytes(compressed or 0))
    plan = replace(
        plan,
        outcome=Outcome.FITS,
        strategy=Strategy.PACK,
        placements=(place,),
        unpacked_size=megabytes(alpha) if is_packed else 0,
        support_size=0,
    )
    return packed_plan(plan)


def test_bytecode_that_fills_the_room_is_not_over_the_threshold() -> None:
    plan = packed_plan(replace(planned(alpha=239, compressed=None), bytecode_size=megabytes(10)))
    assert plan.bound_by == "at most 240.0 MB: everything is vendored"


@pytest.mark.parametrize(
    ("alpha", "compressed", "outcome", "bound_by"),
    [
        (200, None, Outcome.FITS, "at most 240.0 MB: everything is vendored"),
        (245, None, Outcome.FITS, "over the threshold, under the limit; everything is vendored"),
        (300, 90, Outcome.OVERFLOWS, "over 240.0 MB: what does not fit is packed"),
        (300, None, Outcome.TOO_LARGE, "over the limit of 250.0 MB, and nothing may be packed"),
        (
            900,
            300,
            Outcome.TOO_LARGE,
            "even packed it takes 301.0 MB, over the limit of 250.0 MB",
        ),
        (
            10_300,
            200,
            Outcome.TOO_LARGE,
            "the overflow of 10,300.0 MB is larger than any /tmp",
        ),
    ],
)
def test_outcome(alpha: float, compressed: float | None, outcome: Outcome, bound_by: str) -> None:
    plan = planned(alpha=alpha, compressed=compressed)
    assert (plan.outcome, plan.bound_by) == (outcome, bound_by)


def test_sums_and_settings_of_a_packed_plan() -> None:
    plan = planned(alpha=600, compressed=180)
    assert plan.bundle_size == megabytes(181)
    assert (plan.vendored_size, plan.packed_size) == (0, megabytes(180))
    assert plan.overflow_size == megabytes(600)
    (warning,) = plan.warnings
    assert "set EphemeralStorage to 704 MB" in warning
