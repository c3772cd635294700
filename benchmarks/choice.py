"""The choice among 500 groups: how long the optimum takes, in made-up cases.

Groups are as distributions are: a few large ones, most small, a third of them never imported.
"""

from __future__ import annotations

import random
import time
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.table import Bound, Outcome, table
from overflow.costs import WHEEL, fetching, unpacking
from overflow.limits import MIB
from overflow.optimum import Option
from overflow.packing import FETCHED, Load, choose_of, ways_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from overflow.packing import Ways

GROUPS, CASES = 500, 30

SECONDS = 0.3
"""Bound: of the slowest case."""

ROOM = 0.7
"""Of all bytes, what fits."""

AMPLE, SCARCE = 1 << 40, 512 * MIB
"""Bytes of /tmp that are never too few, and that often are."""

KINDS = {
    "vendored or packed": (False, AMPLE),
    "the same, scarce /tmp": (False, SCARCE),
    "or fetched": (True, AMPLE),
    "the same three, scarce /tmp": (True, SCARCE),
}
"""Whether groups can be fetched, too, and bytes of /tmp."""


def benchmark(runs: int, say: Callable[[str], None]) -> Outcome:
    """Each case `runs` times, of which the median counts."""
    done: dict[str, list[float]] = {}
    for name, (can_fetch, tmp) in KINDS.items():
        say(f"choice, {name}: {CASES} cases of {GROUPS} groups, {runs} times each")
        cases = [made_up(seed, GROUPS) for seed in range(CASES)]
        done[name] = [
            median(_seconds(case, ways(case, can_fetch=can_fetch), tmp) for _ in range(runs))
            for case in cases
        ]
    rows = [
        (name, *(f"{one:.3f} s" for one in (min(each), median(each), max(each))))
        for name, each in done.items()
    ]
    return Outcome(
        text=table((f"{GROUPS} groups, {CASES} cases", "min", "median", "max"), rows),
        bounds=tuple(
            Bound(what=f"{name}: the slowest", measured=max(each), at_most=SECONDS, unit=" s")
            for name, each in done.items()
        ),
        numbers={"seconds": done},
    )


def made_up(seed: int, count: int) -> list[Load]:
    """Groups that may be packed, the same for the same seed."""
    chance = random.Random(seed)
    groups = []
    for _ in range(count):
        size = int(min(150 * MIB, chance.lognormvariate(13.5, 1.8)))
        is_lazy = chance.random() < 0.3
        seconds = unpacking(size, size // 15_000) * (0.01 if is_lazy else 1)
        packed = int(size * chance.uniform(0.2, 0.45)) + 300
        groups.append(
            Load(
                vendored=size,
                packed=packed,
                unpacked=size,
                movable=True,
                seconds=seconds,
                at_once=not is_lazy,
            )
        )
    return groups


def ways(groups: list[Load], *, can_fetch: bool) -> Ways:
    """How each group can be placed."""
    found = ways_of(groups)
    for at, load in enumerate(groups if can_fetch else ()):
        size, wheel = load.unpacked, int(load.unpacked * WHEEL)
        seconds = fetching([wheel], size, size // 15_000) * (1 if load.at_once else 0.01)
        found[at].append((FETCHED, Option(room=400, tmp=size, seconds=seconds)))
    return found


def _seconds(groups: list[Load], ways: Ways, tmp: int) -> float:
    room = int(sum(load.vendored for load in groups) * ROOM)
    started = time.perf_counter()
    choose_of(ways, groups, room, tmp=tmp)
    return time.perf_counter() - started
