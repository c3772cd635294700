"""Optimum: one option for each group, so that together they cost least and keep two capacities.

This is the multiple-choice knapsack problem, with /tmp as a second capacity, solved by branch and
bound: its linear relaxation gives a lower bound, and takes at most one group in part. That group is
decided, each of its options in turn, which gives smaller problems; those are left that cannot be
better than the best solution known. Each relaxation, rounded, is such a solution.

Literature: Sinha and Zoltners, The multiple-choice knapsack problem, 1979; Kellerer, Pferschy
and Pisinger, Knapsack Problems, 2004, chapter 11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from overflow.relaxation import relaxation, undominated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from overflow.relaxation import Relaxed, Way

MICROSECONDS = 1e6
"""To the second: costs are compared in whole ones, so that every machine chooses the same."""

ONE = 1 << 60
"""A microsecond: prices of a byte are whole numbers, too, and must not lose what counts."""

CLOSE = 100 * ONE
"""Solutions are not looked for that are better by less: no start can be measured so finely, and
among hundreds of small groups there are more of them than can be tried."""

WORK = 40_000
"""Groups looked at in all, times the relaxations they are in. Where that is not enough, the answer
is the best that was found: numbers made to be hard get there, and hundreds of groups with a /tmp
that is scarce."""


EXCHANGES = 32
"""At most so many make a solution keep /tmp."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One way to place a group."""

    room: int
    """Bytes in the bundle."""
    tmp: int
    """Bytes in /tmp."""
    seconds: float
    """Of cold start; finite."""


def optimum(choices: Sequence[Sequence[Option]], *, room: int, tmp: int) -> tuple[int, ...] | None:
    """The number of the option for each group; None where none keep both capacities (bytes).

    Seconds are rounded to microseconds. The same answer for the same input. Exact to less than
    CLOSE, unless WORK is not enough. Of options that cost the same, the one with fewer bytes of
    /tmp is taken.
    """
    ways = [
        [(one.room, one.tmp, _cost(one), at) for at, one in enumerate(each)] for each in choices
    ]
    # /tmp is seldom scarce: without it the problem is much smaller, and its answer often keeps it.
    free = _solve([[(r, 0, cost, at) for r, _, cost, at in each] for each in ways], room, 0)
    if free is None:
        return None
    if sum(each[at].tmp for each, at in zip(choices, free, strict=True)) <= tmp:
        return free
    return _solve(ways, room, tmp)


def _cost(one: Option) -> int:
    return round(one.seconds * MICROSECONDS) * ONE + one.tmp


def _solve(groups: Sequence[Sequence[Way]], room: int, tmp: int) -> tuple[int, ...] | None:
    search = _Search(room, tmp)
    pending = [[undominated(sorted(each)) for each in groups]]
    while pending and search.rounds * (1 + len(groups)) < WORK:
        pending += search.divide(pending.pop())
    return search.found


class _Search:
    """The best solution so far, and how a problem becomes several smaller ones."""

    def __init__(self, room: int, tmp: int) -> None:
        self._room, self._tmp = room, tmp
        self._cost: int | None = None
        self.found: tuple[int, ...] | None = None
        self.rounds = 0
        """Relaxations that were solved, at any price of /tmp."""

    def divide(self, groups: list[list[Way]]) -> list[list[list[Way]]]:
        """Smaller problems, the most promising last; none where they cannot give a better one."""
        relaxed = relaxation(groups, self._room, self._tmp)
        self.rounds += 1 if relaxed is None else relaxed.rounds
        if relaxed is None:
            return []
        bound = relaxed.cost + relaxed.tmp_price * (relaxed.tmp - self._tmp)
        if self._cost is not None and bound > self._cost - CLOSE:
            return []
        self._consider(list(relaxed.base), groups)
        at = self._divided(groups, relaxed)
        if at is None:
            return []
        by_room, by_tmp = relaxed.room_price, relaxed.tmp_price
        ways = sorted(groups[at], key=lambda way: -way[2] - by_room * way[0] - by_tmp * way[1])
        return [[*groups[:at], [way], *groups[at + 1 :]] for way in ways]

    def _divided(self, groups: Sequence[Sequence[Way]], relaxed: Relaxed) -> int | None:
        """The group to decide: that which the relaxation takes in part, else the most of /tmp."""
        if relaxed.split is not None:
            return relaxed.split
        if sum(way[1] for way in relaxed.base) <= self._tmp:
            return None
        open_ = [at for at, each in enumerate(groups) if len(each) > 1]
        return max(open_, key=lambda at: max(way[1] for way in groups[at]), default=None)

    def _consider(self, taken: list[Way], groups: Sequence[Sequence[Way]]) -> None:
        """Remember a solution, bettered by single exchanges, if it is the best."""
        self._mend(taken, groups)
        room, tmp, cost = (sum(way[part] for way in taken) for part in range(3))
        if room > self._room or tmp > self._tmp:
            return
        for at, each in enumerate(groups):
            for way in each:
                now = taken[at]
                fits = room - now[0] + way[0] <= self._room and tmp - now[1] + way[1] <= self._tmp
                if fits and way[2] < now[2]:
                    room, tmp, cost = (
                        whole - now[part] + way[part]
                        for part, whole in enumerate((room, tmp, cost))
                    )
                    taken[at] = way
        if self._cost is None or cost < self._cost:
            self._cost, self.found = cost, tuple(way[3] for way in taken)

    def _mend(self, taken: list[Way], groups: Sequence[Sequence[Way]]) -> None:
        """Have a solution keep /tmp by single exchanges, those that cost least for a byte first.

        Where /tmp is scarce, rounding alone seldom does.
        """
        room = sum(way[0] for way in taken)
        for _ in range(EXCHANGES):
            over = sum(way[1] for way in taken) - self._tmp
            if over <= 0:
                return
            steps = [
                ((way[2] - now[2]) / min(over, now[1] - way[1]), at, way)
                for at, (each, now) in enumerate(zip(groups, taken, strict=True))
                for way in each
                if way[1] < now[1] and room - now[0] + way[0] <= self._room
            ]
            if not steps:
                return
            _, at, way = min(steps)
            room += way[0] - taken[at][0]
            taken[at] = way
