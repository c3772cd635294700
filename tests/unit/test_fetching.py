"""Fetching: the choice of three ways against brute force, and what it must be worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow import fetching
from overflow.budget import Budget
from overflow.costs import DOWNLOAD, FETCH, FETCH_WHEEL, IDLE, WHEEL
from overflow.costs import fetching as seconds_of
from overflow.fetching import Chosen, Fetching, choose
from overflow.generated import fetching_size
from overflow.lockfile import LockedWheel
from overflow.packing import FETCHED, PACKED, Load, everything
from overflow.startup import COMPILING, Recording, Seconds
from tests.unit.builders import HASH, distribution, private, public

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from overflow.classify import Verdict

URL = "https://files.example/x.whl"
MUCH = 1 << 40


@dataclass(kw_only=True)
class Scales:
    """As much of an appraisal as fetching asks for; group `at` is the distribution `n{at}`."""

    known: Sequence[Load]
    imported: bool = True
    lazy: bool = False
    compile: float = 0.0
    own: float = 0.0
    """Seconds to compile what is vendored in any case."""
    with_bytecode: bool = True

    @property
    def groups(self) -> list[frozenset[str]]:
        return [frozenset({f"n{at}"}) for at in range(len(self.known))]

    @property
    def provided(self) -> list[Mapping[str, str] | None]:
        return [{} if self.lazy else None for _ in self.known]

    @property
    def measurement(self) -> Any:
        found = {f"n{at}": distribution(f"n{at}", files=["x.py"]) for at in range(len(self.known))}
        sizes = {"x.py": self.compile, "y.py": self.own}
        sizes = {path: round(seconds / COMPILING) for path, seconds in sizes.items()}
        return SimpleNamespace(by_name=found, tree=SimpleNamespace(sizes=sizes))

    @property
    def recording(self) -> Recording:
        slow = Seconds(execute=0.0, compile=1000.0)
        return Recording(start={"_vendor/x.py": slow, "_vendor/y.py": slow})

    def loads(self) -> Sequence[Load]:
        return self.known

    def weigh(self, _: frozenset[int]) -> bool:
        return False

    def is_imported(self, _: int) -> bool:
        return self.imported

    def modules(self, _: int) -> list[str]:
        return ["x.py"] if self.with_bytecode else []

    def entry(self, _: int) -> int:
        return 0

    def compiled(self, _: Iterable[int]) -> set[str]:
        return {"_vendor/y.py"} if self.with_bytecode else set()

    def python_files(self, _: int) -> list[str]:
        return []


def load(size: int, packed: int, seconds: float) -> Load:
    return Load(vendored=size, packed=packed, unpacked=size, movable=True, seconds=seconds)


def verdicts(count: int, wheel: int = 30_000_000) -> dict[str, Verdict]:
    locked = LockedWheel(filename="x.whl", sha256=HASH, url=URL, size=wheel)
    return {f"n{at}": replace(public(), wheel=locked) for at in range(count)}


def of(scales: Scales, known: Mapping[str, Verdict], size: int = 90_000_000) -> Fetching:
    sizes = dict.fromkeys(known, size)
    return Fetching(budget=budget(scales), verdicts=known, sizes=sizes)


def budget(scales: Scales, room: int = 0) -> Budget:
    stub: Any = scales
    return Budget(scales=stub, modules=(), own={}, used=0, most=room)


LOADS = st.lists(
    st.builds(load, st.integers(0, 4000), st.integers(0, 2000), st.integers(0, 3000).map(float)),
    min_size=1,
    max_size=5,
)


@given(LOADS, st.integers(0, 9000), st.integers(0, 4000))
def test_choice_is_that_of_brute_force(loads: list[Load], room: int, size: int) -> None:
    """Of all ways to vendor, pack or fetch each: none that fits takes less."""
    made = of(Scales(known=loads), verdicts(len(loads), wheel=1), size)
    found = made.better(room, MUCH, None)
    option = len(URL) + fetching.LONGEST_WHEEL
    fetch = seconds_of([1], size, 1)
    packable = everything(loads)

    def cost(ways: Sequence[int]) -> tuple[int, float]:
        takes = [
            (0 + one.packed, one.seconds)
            if way == PACKED
            else (option, fetch)
            if way == FETCHED
            else (one.vendored, 0.0)
            for way, one in zip(ways, loads, strict=True)
        ]
        return sum(one[0] for one in takes), sum(one[1] for one in takes)

    every = [
        cost(ways)
        for ways in product(range(3), repeat=len(loads))
        if all(way != PACKED or at in packable for at, way in enumerate(ways))
    ]
    best = min((seconds for taken, seconds in every if taken <= room), default=None)
    assert (found is None) == (best is None)
    if found is not None:
        ways = [
            FETCHED if at in found.fetched else PACKED * (at in found.packed)
            for at in range(len(loads))
        ]
        taken, seconds = cost(ways)
        assert taken <= room
        assert seconds == pytest.approx(best)


def test_it_must_save_what_it_is_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetching one group here leaves room to vendor the other."""
    loads = [load(900, 600, 0.1), load(900, 600, 4.0)]
    made = of(Scales(known=loads, lazy=True, imported=False), verdicts(2), size=100)
    for worth, is_worth_it in ((3.0, True), (5.0, False)):
        monkeypatch.setattr(fetching, "WORTH", worth)
        found = made.better(1300, MUCH, 4.1)
        assert (found is not None) is is_worth_it
    assert made.better(1300, MUCH, None) is not None, "the only way is worth it"


def test_only_what_is_public_and_has_a_url_is_fetched() -> None:
    loads = [load(900, 900, 0.1)]
    for verdict in (private(), public()):
        assert of(Scales(known=loads), {"n0": verdict}).better(500, MUCH, None) is None
    assert of(Scales(known=loads), verdicts(1)).better(500, MUCH, None) is not None
    made = of(Scales(known=loads), verdicts(1))
    assert replace(made, sizes={}).better(500, MUCH, None) is None, "none may be"


def test_what_is_chosen_has_all_that_a_bundle_needs() -> None:
    made = of(Scales(known=[load(900, 900, 0.1)], lazy=True, imported=False), verdicts(1))
    found = made.better(500, MUCH, None)
    assert found is not None
    (group,) = found.groups
    assert (group.name, group.size, group.provides) == ("0-n0", 90_000_000, {})
    assert found.sizes == {"n0": 90_000_000}
    assert found.leaving == found.fetched == {0}


@pytest.mark.parametrize(
    ("lazy", "imported", "start", "later"),
    [(False, True, True, False), (True, True, False, True), (True, False, False, False)],
    ids=["at start", "asked for later", "never"],
)
def test_seconds_are_those_of_start_and_of_first_use(
    *, lazy: bool, imported: bool, start: bool, later: bool
) -> None:
    scales = Scales(known=[load(900, 900, 0.1)], lazy=lazy, imported=imported)
    found = of(scales, verdicts(1)).better(500, MUCH, None)
    assert found is not None
    one = FETCH + seconds_of([30_000_000], 90_000_000, 1)
    assert found.seconds == pytest.approx((one * start, one * later))


def test_it_comes_without_bytecode() -> None:
    """So what start-up imports of it is compiled, which counts as what is fetched does."""
    plain = of(Scales(known=[load(9, 9, 0.1)]), verdicts(1))
    slow = of(Scales(known=[load(9, 9, 0.1)], compile=2.0), verdicts(1))
    idle = of(Scales(known=[load(9, 9, 0.1)], compile=2.0, lazy=True, imported=False), verdicts(1))
    seconds = [one._options[0].seconds for one in (plain, slow, idle)]
    assert seconds[1] == pytest.approx(seconds[0] + 2.0)
    assert seconds[2] == pytest.approx(seconds[1] * IDLE)


def test_where_everything_fits_nothing_is_fetched() -> None:
    scales = Scales(known=[load(900, 600, 0.1)])
    ample, tight = budget(scales, 1_000_000), budget(scales, 5)
    found = choose([ample], verdicts(1), {"n0": 9}, tmp=MUCH)
    assert found == (ample, Chosen(packed=frozenset()))
    assert choose([tight], {"n0": private()}, {"n0": 9}, tmp=MUCH) is None


def test_room_is_left_for_what_fetches() -> None:
    scales = Scales(known=[load(900_000, 900_000, 0.1)])
    room = fetching_size() + len(URL) + fetching.LONGEST_WHEEL
    for less in (0, 1):
        found = choose([budget(scales, room - less)], verdicts(1), {"n0": 9}, tmp=MUCH)
        assert (found is None) == bool(less)


def test_packing_without_bytecode_comes_before_fetching() -> None:
    """What it compiles counts: then fetching may be worth it, with bytecode or without."""
    room = 400_000
    large = Scales(known=[load(900_000, 600_000, 0.1)])
    small = replace(large, known=[load(800_000, 300_000, 0.1)], with_bytecode=False)
    budgets = [budget(large, room), budget(small, room)]
    for seconds, is_worth_it in ((0.0, False), (2.0, True)):
        for one in (large, small):
            one.own = seconds
        found = choose(budgets, verdicts(1, wheel=1000), {"n0": 9}, tmp=MUCH)
        assert found is not None
        used, chosen = found
        assert bool(chosen.fetched) is is_worth_it
        assert used is budgets[not is_worth_it]
    budgets[1] = budget(small, 200_000)
    large.own = small.own = 0.0
    only = choose(budgets, verdicts(1, wheel=1000), {"n0": 9}, tmp=MUCH)
    assert only is not None
    assert only[1].fetched, "the only way"


def test_what_packing_compiles_too_is_no_gain_of_fetching() -> None:
    scales = Scales(known=[load(900_000, 300_000, 0.5)], compile=5.0, with_bytecode=False)
    found = choose([budget(scales, 400_000)], verdicts(1, wheel=1000), {"n0": 9}, tmp=MUCH)
    assert found is not None
    assert found[1].packed == {0}


def test_either_the_cpu_or_the_network_is_waited_for() -> None:
    assert seconds_of([78_000_000], 1, 1) == pytest.approx(78e6 / DOWNLOAD + FETCH_WHEEL)
    assert seconds_of([1_000], 1_000_000_000, 1) > 4
    assert seconds_of([0, 5], 1_000_000, 1) == seconds_of([int(WHEEL * 1e6) - 1, 1], 1_000_000, 1)
