"""The choice among 500 groups: how long the optimum takes, in made-up cases.

Groups are as distributions are: a few large ones, most small, a third of them never imported.
"""

from __future__ import annotations

import random
import time
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.table import Bound, Outcome, table
from overflow.limits import MIB
from overflow.optimum import Option, optimum

if TYPE_CHECKING:
    from collections.abc import Callable

GROUPS, CASES = 500, 30

SECONDS = 0.3
"""Bound: of the slowest case."""

ROOM = 0.7
"""Of all bytes, what fits."""

AMPLE = 1 << 40
"""Bytes of /tmp that are never too few."""


def benchmark(runs: int, say: Callable[[str], None]) -> Outcome:
    """Each case `runs` times, of which the median counts."""
    cases = [made_up(seed, GROUPS) for seed in range(CASES)]
    done = [median(_seconds(case) for _ in range(runs)) for case in cases]
    say(f"choice: {CASES} cases of {GROUPS} groups, {runs} times each")
    values = (min(done), median(done), max(done))
    row = (f"{GROUPS} groups", *(f"{one:.3f} s" for one in values))
    return Outcome(
        text=table((f"choice, {CASES} cases", "min", "median", "max"), [row]),
        bounds=(Bound(what="the slowest choice", measured=max(done), at_most=SECONDS, unit=" s"),),
        numbers={"seconds": done},
    )


def made_up(seed: int, count: int) -> list[list[Option]]:
    """Each group vendored or packed; the same for the same seed."""
    chance = random.Random(seed)
    groups = []
    for _ in range(count):
        size = int(min(150 * MIB, chance.lognormvariate(13.5, 1.8)))
        seconds = size * 4e-9 * chance.uniform(0.9, 1.3) * (0.01 if chance.random() < 0.3 else 1)
        packed = int(size * chance.uniform(0.2, 0.45)) + 300
        vendored = Option(room=size, tmp=0, seconds=0.0)
        groups.append([vendored, Option(room=packed, tmp=size, seconds=seconds)])
    return groups


def _seconds(case: list[list[Option]]) -> float:
    room = int(sum(each[0].room for each in case) * ROOM)
    started = time.perf_counter()
    optimum(case, room=room, tmp=AMPLE)
    return time.perf_counter() - started
