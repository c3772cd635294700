"""Optimum: one option for each group, so that together they cost least and keep two capacities.

This is the multiple-choice knapsack problem, with /tmp as a second capacity. The prices of the
linear relaxation tell for every option how much above the lower bound a solution with it is at
least: its regret. Good solutions have little regret in all, so they differ from the relaxation's
in a few groups, those of least regret: the core. Groups are taken into the core one by one.
Partial solutions that another one beats in room, /tmp and cost, or whose bound is above the best
known, are left.

Literature: Pisinger, A minimal algorithm for the multiple-choice knapsack problem, 1995 (the
core); Kellerer, Pferschy and Pisinger, Knapsack Problems, 2004, chapter 11.
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

STEPS = 60_000
"""Partial solutions looked at in all, a quarter of a second's work. Beyond, the best known is the
answer: adversarial numbers can ask for any amount of work."""

WIDTHS = (32, 256, 2_048, STEPS)
"""Partial solutions kept at a time, pass by pass. Narrow ones find a good solution, which leaves
less to look at; a pass that had to cut nothing away proves that its best one is the optimum."""

NEVER = 1 << 400
"""More than anything costs."""

State = tuple[int, int, int, int, int]
"""Room, /tmp, cost and rank of one option for each group, those outside the core as in the
relaxation, and a bound on the cost of what can still become of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One way to place a group."""

    room: int
    """Bytes in the bundle."""
    tmp: int
    """Bytes in /tmp."""
    seconds: float
    """Of cold start; finite."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stage:
    """A group of the core, and the least regret for a byte in the groups that come after it."""

    changes: Sequence[tuple[int, Way]]
    """What taking an option changes against the base, with its regret; the base included."""
    regret: int
    """The least of an option other than the base."""
    rest: int
    """Of the base in later groups: not all of a rounded solution is free of regret."""
    more_room: int
    less_room: int
    more_tmp: int
    less_tmp: int


def optimum(choices: Sequence[Sequence[Option]], *, room: int, tmp: int) -> tuple[int, ...] | None:
    """The number of the option for each group; None where none keep both capacities (bytes).

    Seconds are rounded to microseconds. Of equal sums the one with fewer bytes of /tmp is taken,
    then with less room, then with the lower option in the first group that differs. Exact, unless
    STEPS are not enough; then the best that was found.
    """
    ways = _ways(choices)
    # /tmp is seldom scarce: without it the problem is much smaller, and its answer often keeps it.
    free = _solve([[(r, 0, cost, rank) for r, _, cost, rank in each] for each in ways], room, 0)
    if free is None:
        return None
    chosen = _chosen(free, choices)
    if sum(each[one].tmp for each, one in zip(choices, chosen, strict=True)) <= tmp:
        return chosen
    best = _solve(ways, room, tmp)
    return None if best is None else _chosen(best, choices)


def _digit(choices: Sequence[Sequence[Option]]) -> int:
    return max((len(options) for options in choices), default=1).bit_length()


def _ways(choices: Sequence[Sequence[Option]]) -> list[list[Way]]:
    most_tmp = 1 + sum(max((one.tmp for one in each), default=0) for each in choices)
    most_room = 1 + sum(max((one.room for one in each), default=0) for each in choices)
    shifts = (_digit(choices) * place for place in reversed(range(len(choices))))

    def cost(one: Option) -> int:
        return (round(one.seconds * MICROSECONDS) * most_tmp + one.tmp) * most_room + one.room

    return [
        [(one.room, one.tmp, cost(one), number << shift) for number, one in enumerate(each)]
        for each, shift in zip(choices, shifts, strict=True)
    ]


def _chosen(rank: int, choices: Sequence[Sequence[Option]]) -> tuple[int, ...]:
    digit = _digit(choices)
    places = reversed(range(len(choices)))
    return tuple(rank >> digit * place & (1 << digit) - 1 for place in places)


def _solve(groups: Sequence[Sequence[Way]], room: int, tmp: int) -> int | None:
    """The rank of the best solution."""
    if not all(groups):
        return None
    ways = [undominated(sorted(each)) for each in groups]
    relaxed = relaxation(ways, room, tmp)
    if relaxed is None:
        return None
    r, t, cost, rank = (sum(column) for column in zip((0, 0, 0, 0), *relaxed.base, strict=True))
    search = _Search(relaxed, ways, room, tmp)
    search.consider(r, t, cost, rank)
    for width in WIDTHS:
        if search.passes((r, t, cost, rank, 0), width):
            break
    return search.rank if search.cost < NEVER else None


class _Search:
    """The best solution so far, and passes over the core for a better one."""

    def __init__(
        self, relaxed: Relaxed, ways: Sequence[Sequence[Way]], room: int, tmp: int
    ) -> None:
        self.room, self.tmp = room, tmp
        self.room_price, self.tmp_price = relaxed.room_price, relaxed.tmp_price
        self.cost, self.rank = NEVER, 0
        self.steps = 0
        self.bound = -self._priced((room, tmp, 0, 0))
        groups = []
        for each, base in zip(ways, relaxed.base, strict=True):
            least = min(map(self._priced, each))
            self.bound += least
            groups.append((self._changes(each, base, least), self._priced(base) - least))
        self.stages = self._stages(groups)

    def _priced(self, way: Way) -> int:
        return way[2] + self.room_price * way[0] + self.tmp_price * way[1]

    def _changes(self, each: Sequence[Way], base: Way, least: int) -> list[tuple[int, Way]]:
        r, t, cost, rank = base
        return [
            (self._priced(way) - least, (way[0] - r, way[1] - t, way[2] - cost, way[3] - rank))
            for way in each
        ]

    def _stages(self, groups: Sequence[tuple[list[tuple[int, Way]], int]]) -> list[_Stage]:
        """The core's order, by regret; made from its end, since a stage looks at later ones."""
        core = [
            (min(regret for regret, way in changes if any(way)), number)
            for number, (changes, _) in enumerate(groups)
            if len(changes) > 1
        ]
        more_room, less_room, more_tmp, less_tmp = self.room_price, NEVER, self.tmp_price, NEVER
        rest = 0
        stages = []
        for least, number in sorted(core, reverse=True):
            changes, own = groups[number]
            stages.append(
                _Stage(
                    changes=changes,
                    regret=least,
                    rest=rest,
                    more_room=more_room,
                    less_room=less_room,
                    more_tmp=more_tmp,
                    less_tmp=less_tmp,
                )
            )
            rest += own
            for regret, (room, tmp, _, _) in changes:
                if room > 0:
                    more_room = min(more_room, regret // room)
                elif room < 0:
                    less_room = min(less_room, regret // -room)
                if tmp > 0:
                    more_tmp = min(more_tmp, regret // tmp)
                elif tmp < 0:
                    less_tmp = min(less_tmp, regret // -tmp)
        return stages[::-1]

    def passes(self, start: State, width: int) -> bool:
        """Look for a better solution; whether there is nothing more to look for."""
        states = [start]
        whole = True
        for stage in self.stages:
            if not states or self.bound + stage.regret > self.cost:
                break
            self.steps += len(states) * len(stage.changes)
            if self.steps > STEPS:
                return True
            states = undominated(sorted(self._next(states, stage)))
            if len(states) > width:
                states = sorted(states, key=_by_bound)[:width]
                whole = False
        return whole

    def _next(self, states: Sequence[State], stage: _Stage) -> list[State]:
        room, tmp, room_price, tmp_price = self.room, self.tmp, self.room_price, self.tmp_price
        offset = self._priced((room, tmp, 0, 0)) + stage.rest
        found = []
        for regret, (more_r, more_t, more_cost, more_rank) in stage.changes:
            if self.bound + regret > self.cost:
                continue
            for r, t, cost, rank, _ in states:
                r, t, cost = r + more_r, t + more_t, cost + more_cost
                by_room = (r - room) * stage.less_room if r > room else (room - r) * stage.more_room
                by_tmp = (t - tmp) * stage.less_tmp if t > tmp else (tmp - t) * stage.more_tmp
                bound = cost + room_price * r + tmp_price * t - offset
                bound += by_room if by_room > by_tmp else by_tmp
                if bound <= self.cost:
                    found.append((r, t, cost, rank + more_rank, bound))
                    self.consider(r, t, cost, rank + more_rank)
        return found

    def consider(self, room: int, tmp: int, cost: int, rank: int) -> None:
        """Remember a solution that keeps the capacities and is better than the best."""
        if room <= self.room and tmp <= self.tmp and (cost, rank) < (self.cost, self.rank):
            self.cost, self.rank = cost, rank


def _by_bound(state: State) -> int:
    return state[4]
