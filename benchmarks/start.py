"""Cold starts, to the first answer, under AWS's own runtime client.

On tmpfs, pinned to one CPU, in turns: the origin's algorithm, each strategy of overflow, the
nearest peer, and the floor, which is what no size limit would allow: everything unpacked in the
bundle, with its bytecode. `warm` is a new process that finds /tmp as the one before left it.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import origin, peer, plain, started, warm
from benchmarks.app import APPS
from benchmarks.scene import NoBundle, build, empty_tmp, one_cpu, scene, start
from benchmarks.started import AUTO, DEFER_BUILTIN, DEFER_UV, FLOOR, NEAREST, ORIGIN, PACK, Started
from benchmarks.table import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from benchmarks.app import App
    from benchmarks.scene import Scene, Task


UNLIMITED = ("--threshold-mb", "4000", "--limit-mb", "4000")

CONTENDERS: Mapping[str, Callable[[Scene, Path, App], Task]] = {
    ORIGIN: origin.build,
    DEFER_UV: partial(build, options=("--strategy", "defer")),
    DEFER_BUILTIN: partial(build, options=("--strategy", "defer", "--installer", "builtin")),
    PACK: partial(build, options=("--strategy", "pack")),
    AUTO: partial(build, options=("--strategy", "auto")),
    NEAREST: peer.build,
    FLOOR: partial(build, options=("--strategy", "pack", *UNLIMITED)),
}
"""Each makes the bundle of an app in a new folder, or raises NoBundle."""

STARTED: Mapping[str, Sequence[str]] = {
    "flask": tuple(CONTENDERS),
    "large": tuple(CONTENDERS),
    "light": (PACK, AUTO, FLOOR),
}
"""The apps, and who starts them."""

WARM_TURNS = 3
"""Turns in which the bundles are started warm, too: those take as long, and vary less."""

WARM_OF = "flask"
"""The app in whose packed bundle the runtime's own share of a warm start is measured."""


def benchmark(runs: int, say: Callable[[str], None], apps: Sequence[str] = ()) -> Outcome:
    """Start each bundle of the apps (of all) in turns, after one turn that is not counted."""
    done: dict[str, Started] = {}
    for name in apps or STARTED:
        with scene() as place:
            measurement = _Measurement(name, place, say)
            with one_cpu():
                for turn in range(runs + 1):
                    say(f"{name}: turn {turn} of {runs}")
                    measurement.turn(turn)
            done[name] = measurement.found()
    return Outcome(
        text="\n\n".join(started.text(name, found) for name, found in done.items()),
        bounds=tuple(
            bound for name, found in done.items() for bound in started.bounds(name, found)
        ),
        numbers={name: found.numbers for name, found in done.items()},
    )


class _Measurement:
    """The bundles of one app, and what their starts took so far."""

    def __init__(self, name: str, scene: Scene, say: Callable[[str], None]) -> None:
        self._name, self._scene, self._say = name, scene, say
        self._seconds: dict[str, dict[str, list[float]]] = defaultdict(dict)
        self._plain_seconds: list[float] = []
        self._warm_runtime: list[float] = []
        self._missing: dict[str, str] = {}
        self._tasks = dict(self._built(STARTED[name]))
        floor = self._tasks.get(FLOOR)
        self._plain = plain.prepare(floor) if floor else None

    def _built(self, contenders: Sequence[str]) -> Iterator[tuple[str, Task]]:
        for at, key in enumerate(contenders):
            self._say(f"{self._name}: building {key}")
            try:
                yield key, CONTENDERS[key](self._scene, self._scene.top / str(at), APPS[self._name])
            except NoBundle as why:
                self._miss(key, why)

    def _miss(self, key: str, why: NoBundle) -> None:
        self._say(f"{self._name}: {key}: {why}")
        self._missing[key] = str(why)

    def turn(self, turn: int) -> None:
        """Start each bundle once, and measure what else there is of this app; 0 does not count."""
        kinds = ("cold", "warm") if 0 < turn <= WARM_TURNS else ("cold",)
        for key, task in list(self._tasks.items()):
            try:
                seconds = self._start(task, kinds)
            except NoBundle as why:
                self._miss(key, why)
                self._seconds.pop(key, None)
                del self._tasks[key]
                continue
            self._say(f"{self._name}: {key}: {seconds}")
            if turn:
                for kind, value in seconds.items():
                    self._seconds[key].setdefault(kind, []).append(value)
        if turn and self._plain and FLOOR in self._tasks:
            self._plain_seconds.append(plain.unpack(self._scene, self._tasks[FLOOR], self._plain))

    def _start(self, task: Task, kinds: Sequence[str]) -> dict[str, float]:
        empty_tmp(task)
        found = {kind: start(self._scene, task, APPS[self._name].asks) for kind in kinds}
        if self._name == WARM_OF and task is self._tasks.get(PACK):
            self._warm_runtime.append(warm.measure(self._scene, task))
        empty_tmp(task)  # tmpfs is memory
        return found

    def found(self) -> Started:
        """All that counted."""
        return Started(
            cold={key: each["cold"] for key, each in self._seconds.items()},
            warm={key: each["warm"] for key, each in self._seconds.items()},
            missing=self._missing,
            plain=self._plain_seconds,
            warm_runtime=self._warm_runtime,
        )
