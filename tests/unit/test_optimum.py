"""Optimum: as good as trying everything, and fast where there is too much for that."""

from __future__ import annotations

import random
import time
from itertools import product
from typing import TYPE_CHECKING

import pytest

from benchmarks.choice import SCARCE, made_up, ways
from overflow.optimum import Option, optimum
from overflow.relaxation import relaxation, undominated

if TYPE_CHECKING:
    from collections.abc import Sequence

Choices = list[list[Option]]


def small(seed: int) -> tuple[Choices, int, int]:
    """A case of which everything can be tried; both capacities are too little in some of them."""
    chance = random.Random(seed)
    groups = [
        [
            Option(
                room=chance.randint(0, 40),
                tmp=chance.randint(0, 30),
                seconds=chance.randint(0, 12) / 1e3,
            )
            for _ in range(chance.randint(1, 5))
        ]
        for _ in range(chance.randint(1, 6))
    ]
    return groups, chance.randint(0, 150), chance.randint(0, 100)


def cost(choices: Sequence[Sequence[Option]], chosen: Sequence[int]) -> float:
    return sum(each[at].seconds for each, at in zip(choices, chosen, strict=True))


def keeps(choices: Choices, chosen: Sequence[int], room: int, tmp: int) -> bool:
    taken = [each[at] for each, at in zip(choices, chosen, strict=True)]
    return sum(one.room for one in taken) <= room and sum(one.tmp for one in taken) <= tmp


def brute_force(choices: Choices, room: int, tmp: int) -> float | None:
    able = product(*(range(len(each)) for each in choices))
    costs = [cost(choices, chosen) for chosen in able if keeps(choices, chosen, room, tmp)]
    return min(costs, default=None)


@pytest.mark.parametrize("seed", range(300))
def test_equals_brute_force(seed: int) -> None:
    choices, room, tmp = small(seed)
    best, found = brute_force(choices, room, tmp), optimum(choices, room=room, tmp=tmp)
    if best is None:
        assert found is None
    else:
        assert found is not None
        assert keeps(choices, found, room, tmp)
        assert round(cost(choices, found) * 1e6) == round(best * 1e6)


def many(seed: int, count: int, *, can_fetch: bool = False) -> tuple[Choices, int]:
    """A case as the benchmark has them, and room for a part of it."""
    groups = made_up(seed, count)
    choices = [[one for _, one in each] for each in ways(groups, can_fetch=can_fetch)]
    return choices, int(sum(one.vendored for one in groups) * 0.7)


@pytest.mark.parametrize("seed", range(5))
def test_no_single_exchange_is_better(seed: int) -> None:
    choices, room = many(seed, 120)
    found = optimum(choices, room=room, tmp=1 << 40)
    assert found is not None
    for at in range(len(choices)):
        other = (*found[:at], 1 - found[at], *found[at + 1 :])
        if keeps(choices, other, room, 1 << 40):
            assert cost(choices, other) >= cost(choices, found) - 1e-4


@pytest.mark.parametrize("seed", range(3))
def test_work_grows_with_groups_and_not_faster(seed: int) -> None:
    """A guard against an explosion; the figure itself is the benchmark's business."""
    choices, room = many(seed, 500, can_fetch=True)
    started = time.perf_counter()
    assert optimum(choices, room=room, tmp=SCARCE)
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("seed", [3, 20])
def test_scarce_tmp_leaves_little_to_gain(seed: int) -> None:
    """As the best possible is not known, the answer is held against the lower bound."""
    choices, room = many(seed, 500, can_fetch=True)
    found = optimum(choices, room=room, tmp=SCARCE)
    assert found is not None
    assert keeps(choices, found, room, SCARCE)
    exact = [[(o.room, o.tmp, int(o.seconds * 1e12), 0) for o in each] for each in choices]
    relaxed = relaxation([undominated(sorted(each)) for each in exact], room, SCARCE)
    assert relaxed is not None
    bound = relaxed.cost + relaxed.tmp_price * (relaxed.tmp - SCARCE)
    assert 0 < bound < cost(choices, found) * 1e12 < 1.05 * bound


def test_nothing_fits() -> None:
    assert optimum([[Option(room=5, tmp=0, seconds=1.0)]], room=4, tmp=9) is None
    assert optimum([], room=0, tmp=0) == ()


def test_tmp_is_heeded_where_it_is_scarce() -> None:
    quick, slow = Option(room=1, tmp=9, seconds=0.1), Option(room=2, tmp=0, seconds=0.5)
    assert optimum([[quick, slow]], room=2, tmp=9) == (0,)
    assert optimum([[quick, slow]], room=2, tmp=8) == (1,)
