"""Coldstart: what a report says of the start, as Markdown and for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overflow.markdown import row, table
from overflow.plan import Strategy

if TYPE_CHECKING:
    from overflow.report import Prediction, Report

CONDITIONS = (
    "On one CPU (1,769 MB of memory), by the times that this machine took to import the app and by"
    " a model of the rest. Lambda ends an init after 10 s."
)


def section(report: Report) -> str:
    """Part by part, and by strategy; nothing where nothing is known."""
    prediction = report.prediction
    if prediction is None:
        return ""
    return f"### Cold start\n\n{_parts(prediction)}\n\n{_strategies(report)}\n\n{CONDITIONS}"


def line(report: Report) -> str:
    """The same in a sentence."""
    prediction = report.prediction
    if prediction is None:
        return ""
    parts = f"{_seconds(prediction.seconds)} predicted on one CPU"
    if prediction.later:
        parts += f", and {_seconds(prediction.later)} more at first use"
    others = ", ".join(f"{name} {_seconds(one)}" for name, one in _others(report))
    return f"Cold start: {parts}" + (f" (in all, by strategy: {others})." if others else ".")


def _parts(prediction: Prediction) -> str:
    rows = [
        ("Python and Lambda's client", _seconds(prediction.client)),
        ("Put into /tmp", _seconds(prediction.install)),
        ("Imports", _seconds(prediction.execute)),
        *([("Compiling", _seconds(prediction.compile))] if prediction.compile else []),
        ("**Init**", f"**{_seconds(prediction.seconds)}**"),
        ("At first use of all that the code asks for", _seconds(prediction.later)),
    ]
    return table(("Cold start", "Predicted"), (":---", "---:"), map(row, rows))


def _strategies(report: Report) -> str:
    found = _others(report)
    if not found:
        return ""
    heads = [f"**`{name}`**" if name == report.strategy else f"`{name}`" for name, _ in found]
    cells = ["Init and first use", *(_seconds(one) for _, one in found)]
    return table(("By strategy", *heads), (":---", *["---:"] * len(found)), [row(cells)])


def _others(report: Report) -> list[tuple[str, float]]:
    """In the order of Strategy, whatever a file has."""
    found = report.prediction.strategies if report.prediction else {}
    return [(one.value, found[one.value]) for one in Strategy if one.value in found]


def _seconds(value: float) -> str:
    return f"{value:.2f} s"
