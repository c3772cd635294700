"""Relaxation: the linear relaxation of choosing one option for each group under two capacities.

An option may be taken in part. The capacities then have prices (Lagrange multipliers), and with
these every group's cheapest option gives a lower bound on the cost of all.

Literature: Sinha and Zoltners, The multiple-choice knapsack problem, 1979; Kellerer, Pferschy and
Pisinger, Knapsack Problems, 2004, chapter 11.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROUNDS = 24
"""For the price of /tmp. Any price gives a valid bound; more rounds give a slightly better one."""

Way = tuple[int, int, int, int]
"""An option: bytes of room, bytes of /tmp, cost, rank (what the rank is, is the caller's)."""

AnyWay = TypeVar("AnyWay", bound="tuple[int, int, int, object]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Relaxed:
    """A solution of the relaxation at a price of /tmp."""

    base: list[Way]
    """Rounded down to whole options."""
    room_price: int
    tmp_price: int
    """Cost of a byte."""
    tmp: Fraction
    cost: Fraction
    """Before rounding, without the prices."""
    split: int | None
    """The group of which an option is taken in part."""
    rounds: int = 1
    """How many prices of /tmp were tried."""


def undominated(ways: Iterable[AnyWay]) -> list[AnyWay]:
    """Those, sorted by room, that no other one is at least as good as in room, /tmp and cost."""
    kept: list[AnyWay] = []
    tmps: list[int] = []
    costs: list[int] = []  # falls as /tmp rises
    for way in ways:
        t, cost = way[1], way[2]
        place = bisect_right(tmps, t)
        if place and costs[place - 1] <= cost:
            continue
        kept.append(way)
        end = place
        while end < len(costs) and costs[end] >= cost:
            end += 1
        start = place - 1 if place and tmps[place - 1] == t else place
        tmps[start:end] = [t]
        costs[start:end] = [cost]
    return kept


def relaxation(ways: Sequence[Sequence[Way]], room: int, tmp: int) -> Relaxed | None:
    """The linear relaxation with the price of /tmp that gives the highest bound; None: no solution.

    As a function of that price the bound is concave and made of lines, one for each solution: the
    next price to try is where the lines left and right of the top meet.
    """
    low = _priced(ways, room, 0)
    if low is None or low.tmp <= tmp:
        return low
    high = _priced(ways, room, 1 + sum(max(cost for _, _, cost, _ in each) for each in ways))
    if high is None or high.tmp >= tmp + 1:
        return None
    found = replace(high, rounds=2)
    for rounds in range(3, 3 + ROUNDS):
        price = int((high.cost - low.cost) / (low.tmp - high.tmp))
        middle = _priced(ways, room, price)
        if middle is None or price in {low.tmp_price, high.tmp_price}:
            break
        found = replace(middle, rounds=rounds)
        if middle.tmp > tmp:
            low = middle
        else:
            high = middle
    return found


def _priced(ways: Sequence[Sequence[Way]], room: int, price: int) -> Relaxed | None:
    """Begin with the least room, then take steps in the order of what they save for a byte."""
    steps: list[tuple[float, int, Way, Way]] = []
    base: list[Way] = []
    for number, each in enumerate(ways):
        hull = _hull(each, price)
        base.append(hull[0])
        for now, then in pairwise(hull):
            saved = now[2] - then[2] + price * (now[1] - then[1])
            steps.append((-saved / (then[0] - now[0]), number, now, then))
    left = room - sum(way[0] for way in base)
    if left < 0:
        return None
    steps.sort(key=_by_slope)
    part = Fraction(0)
    now = then = (0, 0, 0, 0)
    slope, split = 0, None
    for _, number, now, then in steps:
        size = then[0] - now[0]
        if size > left:
            slope = (now[2] - then[2] + price * (now[1] - then[1])) // size
            part, split = Fraction(left, size), number
            break
        base[number] = then
        left -= size
    return Relaxed(
        base=base,
        room_price=slope,
        tmp_price=price,
        tmp=sum(way[1] for way in base) + part * (then[1] - now[1]),
        cost=sum(way[2] for way in base) + part * (then[2] - now[2]),
        split=split,
    )


def _by_slope(step: tuple[float, int, Way, Way]) -> tuple[float, int]:
    return step[0], step[1]


def _hull(ways: Sequence[Way], price: int) -> list[Way]:
    """Corners of the lower convex hull of room and priced cost, from least room to least cost."""
    hull: list[Way] = []
    costs: list[int] = []
    for way in ways:
        room, cost = way[0], way[2] + price * way[1]
        if costs and cost >= costs[-1]:
            continue
        while hull and (
            hull[-1][0] == room
            or (
                len(hull) > 1
                and (costs[-2] - costs[-1]) * (room - hull[-1][0])
                <= (costs[-1] - cost) * (hull[-1][0] - hull[-2][0])
            )
        ):
            hull.pop()
            costs.pop()
        hull.append(way)
        costs.append(cost)
    return hull
