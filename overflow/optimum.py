"""Optimum: one option for each group, so that together they cost least and keep two capacities.

This is the multiple-choice knapsack problem, with /tmp as a second capacity. The prices of its
linear relaxation give a lower bound of whatever becomes of a partial solution. Groups are decided
one by one, those first of which another option than the relaxation's costs most; partial solutions
are left that another one beats in room, /tmp and cost, or that cannot become better than the best
known. Each is completed as the relaxation has it, which gives the best known early.

Literature: Sinha and Zoltners, The multiple-choice knapsack problem, 1979; Pisinger, A minimal
algorithm for the multiple-choice knapsack problem, 1995.
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

STATES = 128
"""Partial solutions kept at a time, those with the least bound. Where there are more, the answer is
the best that was found: numbers made to be hard get there."""

_State = tuple[int, int, int, tuple[int, ...]]
"""Room, /tmp and cost so far, and the options chosen."""


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
    CLOSE, unless STATES are not enough.
    """
    ways = [
        [(one.room, one.tmp, round(one.seconds * MICROSECONDS) * ONE, at) for at, one in group]
        for group in (list(enumerate(each)) for each in choices)
    ]
    # /tmp is seldom scarce: without it the problem is much smaller, and its answer often keeps it.
    free = _solve([[(r, 0, cost, at) for r, _, cost, at in each] for each in ways], room, 0)
    if free is None:
        return None
    if sum(each[at].tmp for each, at in zip(choices, free, strict=True)) <= tmp:
        return free
    return _solve(ways, room, tmp)


def _solve(groups: Sequence[Sequence[Way]], room: int, tmp: int) -> tuple[int, ...] | None:
    ways = [undominated(sorted(each)) for each in groups]
    relaxed = relaxation(ways, room, tmp)
    return None if relaxed is None else _Search(ways, relaxed, room, tmp).best()


class _Search:
    """The groups in the order in which they are decided, and what the later ones cost at least."""

    def __init__(
        self, ways: Sequence[Sequence[Way]], relaxed: Relaxed, room: int, tmp: int
    ) -> None:
        self._room, self._tmp = room, tmp
        self._prices = relaxed.room_price, relaxed.tmp_price
        self._order = sorted(range(len(ways)), key=lambda at: -self._regret(ways[at]))
        self._ways = [ways[at] for at in self._order]
        base = [relaxed.base[at] for at in self._order]
        self._rests: list[_State] = [(0, 0, 0, ())]
        self._least = [0]
        for each, (r, t, cost, number) in zip(reversed(self._ways), reversed(base), strict=True):
            rest = self._rests[-1]
            self._rests.append((rest[0] + r, rest[1] + t, rest[2] + cost, (number, *rest[3])))
            self._least.append(self._least[-1] + min(map(self._priced, each)))
        self._cost = 1 << 200
        self._found: tuple[int, ...] | None = None

    def best(self) -> tuple[int, ...] | None:
        """The options of the best solution, in the groups' own order."""
        states: list[_State] = [(0, 0, 0, ())]
        self._complete(states, len(self._ways))
        self._fill()
        for done, each in enumerate(self._ways, 1):
            left = len(self._ways) - done
            states = undominated(sorted(self._next(states, each, left)))
            if len(states) > STATES:
                states = sorted(sorted(states, key=self._priced)[:STATES])
            self._complete(states, left)
        self._fill()
        if self._found is None:
            return None
        return tuple(number for _, number in sorted(zip(self._order, self._found, strict=True)))

    def _next(self, states: Sequence[_State], ways: Sequence[Way], left: int) -> list[_State]:
        """Every state with every option, as far as it can still become better by CLOSE."""
        room, tmp = self._room, self._tmp
        by_room, by_tmp = self._prices
        most = self._cost - CLOSE - self._least[left] + by_room * room + by_tmp * tmp
        found: list[_State] = []
        for more_room, more_tmp, more_cost, number in ways:
            for r, t, cost, chosen in states:
                new = (r + more_room, t + more_tmp, cost + more_cost, (*chosen, number))
                if new[2] + by_room * new[0] + by_tmp * new[1] <= most:
                    found.append(new)
        return found

    def _complete(self, states: Sequence[_State], left: int) -> None:
        """Each state with what the relaxation takes of the rest: the best of them may be better."""
        rest = self._rests[left]
        for r, t, cost, chosen in states:
            fits = r + rest[0] <= self._room and t + rest[1] <= self._tmp
            if fits and cost + rest[2] < self._cost:
                self._cost, self._found = cost + rest[2], (*chosen, *rest[3])

    def _fill(self) -> None:
        """Better the best known by single exchanges, until none is left that does."""
        if self._found is None:
            return
        now = list(self._found)
        taken = [
            next(way for way in each if way[3] == number)
            for each, number in zip(self._ways, now, strict=True)
        ]
        room, tmp, cost = (sum(way[part] for way in taken) for part in range(3))
        for _ in now:
            before = cost
            for at, each in enumerate(self._ways):
                r, t, c, _ = taken[at]
                for way in each:
                    fits = room - r + way[0] <= self._room and tmp - t + way[1] <= self._tmp
                    if fits and way[2] < c:
                        room, tmp, cost = room - r + way[0], tmp - t + way[1], cost - c + way[2]
                        (r, t, c, now[at]), taken[at] = way, way
            if cost == before:
                break
        self._cost, self._found = cost, tuple(now)

    def _priced(self, way: Way | _State) -> int:
        return way[2] + self._prices[0] * way[0] + self._prices[1] * way[1]

    def _regret(self, ways: Sequence[Way]) -> int:
        """What the second best option costs more than the best, at the prices."""
        priced = sorted(map(self._priced, ways))
        return priced[1] - priced[0] if len(priced) > 1 else 0
