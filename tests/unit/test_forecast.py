"""Appraisal and forecast: what is worth its bytecode, and what a start will take."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from overflow.appraisal import Appraisal
from overflow.budget import Budget
from overflow.bytecode import Compiled, Compiler
from overflow.costs import AT_ONCE, CLIENT, INTERPRETER, installing, unpacking
from overflow.forecast import Terms, forecast, others
from overflow.measure import measure
from overflow.plan import Strategy
from overflow.startup import Recording, Seconds
from tests.unit.builders import NO_CACHE, write

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

EVERYTHING, NOTHING = frozenset({0, 1, 2}), frozenset[int]()
AMPLE = 1 << 40


class Fake:
    """Bytecode is as large as its source."""

    def compile(self, sources: Mapping[str, Path]) -> dict[str, Compiled]:
        return {n: Compiled(content=path.read_bytes()) for n, path in sources.items()}


RECORDING = Recording(
    start={
        "app.py": Seconds(execute=0.125, compile=1.0),
        "_vendor/alpha/__init__.py": Seconds(execute=0.25, compile=2.0),
        "_vendor/alpha/slow.py": Seconds(execute=0.5, compile=4.0),
    },
    demand={"_vendor/beta/__init__.py": Seconds(execute=8.0, compile=16.0)},
    overhead=0.0625,
)


@pytest.fixture
def scales(tmp_path: Path) -> Appraisal:
    """Of alpha, which start-up imports, beta, which the code asks for, and gamma, which nobody."""
    site = tmp_path / "site"
    for name, size in {"alpha": 1000, "beta": 3000, "gamma": 7000}.items():
        info = {"METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"}
        info["RECORD"] = f"{name}/__init__.py,,\n{name}/slow.py,,\n{name}-1.dist-info/METADATA,,\n"
        write(site / f"{name}-1.dist-info", info)
        write(site / name, {"__init__.py": "#" * size, "slow.py": "#" * 10})
    return Appraisal(
        measurement=measure(site),
        groups=[frozenset({name}) for name in ("alpha", "beta", "gamma")],
        recording=RECORDING,
        compiler=cast("Compiler", Fake()),
        cache=NO_CACHE,
        tag="cpython-312",
        folder=tmp_path / "packed",
        can_pack=True,
        lazy=True,
        with_bytecode=True,
    )


def test_parts_of_a_start_where_all_is_vendored(scales: Appraisal) -> None:
    found = forecast(scales, NOTHING, compiled={"app.py", "_vendor/alpha/__init__.py"})
    assert (found.client, found.install, found.compile) == (CLIENT, 0, 4)
    assert found.execute == 0.0625 + 0.125 + 0.25 + 0.5
    assert found.later == 8 + 16
    assert found.seconds == CLIENT + 0.9375 + 4
    assert found.total == found.seconds + 24


def test_what_is_lazy_and_asked_for_is_unpacked_later(scales: Appraisal) -> None:
    found = forecast(scales, EVERYTHING, compiled=RECORDING.all)
    alpha, beta = scales.unpacking(EVERYTHING)
    assert AT_ONCE < alpha < AT_ONCE + beta < AT_ONCE + unpacking(7000, 5)
    assert found.install == pytest.approx(alpha)
    assert found.later == pytest.approx(beta + 8)
    at_once = forecast(replace(scales, lazy=False), EVERYTHING, compiled=RECORDING.all)
    assert at_once.later == 8
    assert at_once.install > alpha + beta > AT_ONCE


def test_on_a_slower_machine_all_takes_longer(scales: Appraisal) -> None:
    """What was recorded there has taken as long as it takes."""
    slower = replace(scales, recording=replace(RECORDING, interpreter=2 * INTERPRETER))
    usual, found = (forecast(one, EVERYTHING, RECORDING.all) for one in (scales, slower))
    assert found.client == 2 * usual.client
    assert found.install == 2 * usual.install
    assert found.execute == usual.execute
    assert found.later - 8 == pytest.approx(2 * (usual.later - 8))


def budget(scales: Appraisal, room: int = AMPLE) -> Budget:
    return Budget(scales=scales, modules=(), own={}, used=0, most=room)


def terms(
    scales: Appraisal, strategy: Strategy, *budgets: Budget, compiled: Collection[str] = ()
) -> Terms:
    return Terms(
        strategy=strategy,
        chosen=None,
        compiled=compiled,
        scales=scales,
        budgets=budgets,
        tmp=AMPLE,
        lazy=True,
        deferred=10**9 if budgets else 0,
    )


def test_strategies_where_nothing_overflows(scales: Appraisal) -> None:
    """The bundle is one and the same, so it compiles the same."""
    best = CLIENT + 0.9375 + 8
    for compiled, compiling in ((set(RECORDING.all), 0), ({"app.py"}, 6 + 16)):
        found = others(terms(scales, Strategy.AUTO, compiled=compiled))
        assert found == {
            "defer": pytest.approx(best + 7 + 16),
            "pack": pytest.approx(best + compiling),
        }


def test_strategies_where_something_does(scales: Appraisal) -> None:
    """With pack, gamma is unpacked at the start; with auto never."""
    room = sum(load.vendored for load in scales.loads()) - 3000
    both = {one: terms(scales, one, budget(scales, room)) for one in (Strategy.AUTO, Strategy.PACK)}
    found = {name: seconds for one in both.values() for name, seconds in others(one).items()}
    assert found["auto"] == pytest.approx(CLIENT + 0.9375 + 1 + 8)
    assert found["auto"] + AT_ONCE < found["pack"] < found["auto"] + AT_ONCE + 0.01
    assert found["defer"] == pytest.approx(found["auto"] + 6 + 16 + installing(10**9))
    eager = others(replace(both[Strategy.PACK], lazy=False))
    assert eager["auto"] == found["pack"]


def test_the_same_choice_has_the_same_bytecode(scales: Appraisal) -> None:
    """Whatever was found to be compiled where it was made in earnest."""
    room = sum(load.vendored for load in scales.loads()) - 3000
    made = terms(scales, Strategy.AUTO, budget(scales, room), compiled=RECORDING.all)
    other = others(made)["pack"]
    assert others(replace(made, chosen=frozenset({2})))["pack"] == pytest.approx(other - 1)


def test_another_strategy_may_have_no_room_for_bytecode(scales: Appraisal) -> None:
    """Then the start compiles what the room that is left does not take."""
    plain = replace(scales, with_bytecode=False, lazy=False, _vendored={}, _estimates=[])
    packed = sum(load.packed for load in plain.loads())
    budgets = budget(scales, 1), budget(plain, packed + 20)
    found = others(terms(scales, Strategy.AUTO, *budgets, compiled=RECORDING.all))["pack"]
    unpacking = sum(plain.unpacking(EVERYTHING))
    assert found == pytest.approx(CLIENT + 0.9375 + 7 + 8 + 16 + unpacking)
    roomy = replace(budgets[1], most=sum(load.vendored for load in plain.loads()) + 1200)
    found = others(terms(scales, Strategy.AUTO, budgets[0], roomy))["pack"]
    assert found == pytest.approx(CLIENT + 0.9375 + 1 + 8 + 16), "alpha is first"


def test_a_strategy_that_cannot_be_has_no_seconds(scales: Appraisal) -> None:
    assert others(terms(scales, Strategy.AUTO, budget(scales, 1))).keys() == {"defer"}


def vendored(scales: Appraisal, room: int) -> list[str]:
    return list(budget(scales).more_bytecode(NOTHING, NOTHING, (), room))


def test_bytecode_goes_first_to_what_start_up_imports(scales: Appraisal) -> None:
    """Then to what the code asks for; whatever the recorded seconds are, which differ each time."""
    scales = replace(scales, with_bytecode=False)
    assert scales.weigh(NOTHING)
    places = [
        "_vendor/alpha/__pycache__/__init__.cpython-312.pyc",
        "_vendor/alpha/__pycache__/slow.cpython-312.pyc",
        "_vendor/beta/__pycache__/__init__.cpython-312.pyc",
    ]
    for count, room in ((1, 1000), (2, 1010), (3, 1010 + 3000)):
        assert vendored(scales, room) == places[:count]
