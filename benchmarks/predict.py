"""What report.json predicts of a cold start, against what it takes.

Six apps of different kinds, each built with `auto` and started on tmpfs, pinned to one CPU, with
a request that does next to nothing, in turns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.app import APPS, TRIVIAL
from benchmarks.scene import NoBundle, Task, build, empty_tmp, one_cpu, scene, start
from benchmarks.table import Bound, Outcome, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.scene import Scene

OFF = 0.15
"""Bound: the difference between predicted and measured, of the measured seconds."""

OPTIONS = ("--strategy", "auto")

NOTHING = "nothing"
"""Measured beside the apps, and held to what their predictions say of Lambda's client alone."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One app's."""

    predicted: float | None
    """Seconds; None where there is no bundle, or its report has none."""
    measured: tuple[float, ...]

    @property
    def off(self) -> float:
        """How far it is off, of what was measured; infinite where there is no prediction."""
        if self.predicted is None or not self.measured:
            return math.inf
        return abs(self.predicted / median(self.measured) - 1)


def benchmark(runs: int, say: Callable[[str], None], apps: Sequence[str] = ()) -> Outcome:
    """Build each app (of all), and start them in turns after one that is not counted."""
    with scene() as place:
        tasks = {NOTHING: _nothing(place), **dict(_built(place, apps or tuple(APPS), say))}
        measured: dict[str, list[float]] = {name: [] for name in (NOTHING, *(apps or APPS))}
        with one_cpu():
            for turn in range(runs + 1):
                for name, task in tasks.items():
                    empty_tmp(task)
                    seconds = start(place, task, TRIVIAL)
                    empty_tmp(task)  # tmpfs is memory
                    say(f"{turn} of {runs}: {name}: {seconds}")
                    measured[name] += [seconds] if turn else []
    predicted = {name: _said(task, "seconds") for name, task in tasks.items()}
    said = (_said(task, "client") for task in tasks.values())
    clients = [seconds for seconds in said if seconds is not None]
    predicted[NOTHING] = median(clients) if clients else None
    found = {
        name: Prediction(predicted=predicted.get(name), measured=tuple(seconds))
        for name, seconds in measured.items()
    }
    return Outcome(text=_text(found), bounds=_bounds(found), numbers=_numbers(found))


def _built(
    place: Scene, apps: Sequence[str], say: Callable[[str], None]
) -> Iterator[tuple[str, Task]]:
    for name in apps:
        say(f"building {name}")
        try:
            yield name, build(place, place.top / name, APPS[name], OPTIONS)
        except NoBundle as why:
            say(f"{name}: {why}")


def _nothing(place: Scene) -> Task:
    """A function that imports nothing: what Python and Lambda's client take."""
    folder = place.top / "nothing" / "task"
    folder.mkdir(parents=True)
    answer = "def handler(event, context):\n    return {'statusCode': 200, 'body': ''}\n"
    (folder / "nothing.py").write_text(answer, encoding="utf-8")
    return Task(bundle=folder, handler="nothing.handler")


def _said(task: Task, part: str) -> float | None:
    """A part of what the report predicts; None where it predicts nothing."""
    prediction = task.report.get("prediction") or {}
    seconds: float | None = prediction.get(part)
    return seconds


def _text(found: Mapping[str, Prediction]) -> str:
    header = ("trivial first answer", "predicted", "min", "median", "max", "off")
    return table(header, [_row(name, one) for name, one in found.items()])


def _row(name: str, one: Prediction) -> tuple[str, ...]:
    predicted = "none" if one.predicted is None else f"{one.predicted:.2f} s"
    seconds = one.measured or (math.nan,)
    values = (min(seconds), median(seconds), max(seconds))
    return (name, predicted, *(f"{value:.2f} s" for value in values), f"{one.off:.1%}")


def _bounds(found: Mapping[str, Prediction]) -> tuple[Bound, ...]:
    return tuple(
        Bound(what=f"{name}: prediction off by", measured=one.off, at_most=OFF)
        for name, one in found.items()
    )


def _numbers(found: Mapping[str, Prediction]) -> dict[str, object]:
    return {
        name: {"predicted": one.predicted, "measured": one.measured} for name, one in found.items()
    }
