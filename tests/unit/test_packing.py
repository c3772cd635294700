"""Packing: the choice against brute force, and each outcome with the rule that made it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.limits import megabytes
from overflow.packing import Choice, Load, everything, packed_plan, settle, smallest
from overflow.plan import TURN_ON, Outcome, Strategy, Where
from tests.unit.builders import limits, plan_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from overflow.plan import Plan


def load(size: int, packed: int, *, imported: bool = True, movable: bool = True) -> Load:
    return Load(vendored=size, packed=packed, unpacked=size, imported=imported, movable=movable)


LOADS = st.lists(
    st.builds(
        Load,
        vendored=st.integers(0, 60),
        packed=st.integers(0, 40),
        unpacked=st.integers(0, 60),
        imported=st.booleans(),
        movable=st.booleans(),
    ),
    max_size=8,
)


def taken(loads: Sequence[Load], choice: Choice) -> int:
    return sum(one.packed if at in choice else one.vendored for at, one in enumerate(loads))


def best(loads: Sequence[Load], room: int) -> tuple[int, int] | None:
    """Brute force: the most idle groups' room first, then the fewest bytes of busy ones."""
    able = everything(loads)
    idle = frozenset(at for at in able if not loads[at].imported)
    busy = able - idle
    fixed, free = (frozenset[int](), idle) if taken(loads, idle) <= room else (idle, busy)
    costs = [
        sum(loads[at].unpacked for at in fixed | set(some))
        for count in range(len(free) + 1)
        for some in combinations(sorted(free), count)
        if taken(loads, fixed | set(some)) <= room
    ]
    return (min(costs), len(costs)) if costs else None


@given(LOADS, st.integers(0, 300))
def test_choice_is_that_of_brute_force(loads: list[Load], room: int) -> None:
    choice = smallest(loads, room)
    expected = best(loads, room)
    assert (choice is None) == (expected is None)
    if choice is not None and expected is not None:
        assert taken(loads, choice) <= room
        assert sum(loads[at].unpacked for at in choice) == expected[0]
        assert choice <= everything(loads)


def test_nothing_is_packed_where_all_fits() -> None:
    assert smallest([load(50, 10), load(50, 10, imported=False)], 100) == frozenset()


def test_what_is_not_imported_leaves_first() -> None:
    """Although less would have to be unpacked of the other."""
    loads = [load(60, 10), load(90, 10, imported=False)]
    assert smallest(loads, 120) == frozenset({1})
    assert smallest(loads, 69) == frozenset({0, 1})


def test_fewest_bytes_to_unpack_not_the_largest_first() -> None:
    assert smallest([load(200, 50), load(60, 10), load(70, 10)], 280) == frozenset({1})


def test_what_may_not_be_packed_or_grows_by_it_stays() -> None:
    assert smallest([load(60, 10, movable=False), load(5, 9)], 50) is None


def test_five_hundred_groups_are_chosen_from() -> None:
    """Sizes that differ as real ones do; the search must not run away on them."""
    loads = [
        load(1000 + 7919 * at % 100_003, (1000 + 7919 * at % 100_003) // 3) for at in range(500)
    ]
    room = sum(one.vendored for one in loads) * 2 // 3
    choice = smallest(loads, room)
    assert choice is not None
    assert 0 <= room - taken(loads, choice) < 100


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


def test_choice_is_settled_by_exact_sizes() -> None:
    scales = Estimates([load(60, 10), load(70, 10)], [load(60, 50), load(70, 11)])
    assert settle(scales, 90, smallest) == frozenset({1})
    assert scales.asked[0] == frozenset({0})


def test_too_much_is_said_of_exact_sizes() -> None:
    scales = Estimates([load(60, 30), load(70, 30)], [load(60, 20), load(70, 20)])
    assert settle(scales, 50, smallest) == frozenset({0, 1})
    assert settle(scales, 30, smallest) is None


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
    return packed_plan(plan, most=plan.limits.threshold)


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
    assert bool(plan.remedies) == (outcome is Outcome.TOO_LARGE)


def test_sums_and_settings_of_a_packed_plan() -> None:
    plan = planned(alpha=600, compressed=180)
    assert plan.bundle_size == megabytes(181)
    assert (plan.vendored_size, plan.packed_size) == (0, megabytes(180))
    assert plan.overflow_size == megabytes(600)
    (warning,) = plan.warnings
    assert "set EphemeralStorage to 704 MB" in warning
    assert planned(alpha=300, compressed=None).remedies == (TURN_ON,)
