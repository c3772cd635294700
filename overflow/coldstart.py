"""Coldstart: what a report says of the start, as Markdown and for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overflow.limits import MEMORY_OF_ONE_CPU_MB
from overflow.markdown import markdown, row, table
from overflow.plan import Strategy

if TYPE_CHECKING:
    from overflow.proof import Cold, Proof
    from overflow.report import Prediction, Report

MEASURED = " Measured on this machine, without Lambda's client."

LONG = 1_000
"""Characters of Markdown that a sentence may take."""

CONDITIONS = (
    "On one CPU (1,769 MB of memory), by the times that this machine took to import the app and by"
    " a model of the rest. Lambda ends an init after 10 s."
)

WITHOUT_IMPORTS = (
    "On one CPU (1,769 MB of memory), by a model of the installation: with `defer`, imports are not"
    " recorded, and come on top. Lambda ends an init after 10 s."
)


def section(report: Report) -> str:
    """Part by part, and by strategy; nothing where nothing is known."""
    prediction, proof = report.prediction, report.proof
    parts = ["### Cold start", *([_proven(proof, prediction)] if proof else [])]
    if prediction is not None:
        cold = proof.cold if proof else None
        conditions = CONDITIONS if report.records_imports else WITHOUT_IMPORTS
        conditions += MEASURED if cold else ""
        parts += [_parts(report, prediction, cold), _strategies(report), conditions]
    return "\n\n".join(parts) if len(parts) > 1 else ""


def _proven(proof: Proof, prediction: Prediction | None) -> str:
    sentence = proof.sentence(prediction.seconds if prediction else None)
    note = f" Note: {markdown(proof.remark, LONG)}." if proof.remark else ""
    return f"{markdown(sentence, LONG)}.{note}"


def line(report: Report) -> str:
    """The same in a sentence or two."""
    said = [_predicted(report.prediction, report)] if report.prediction else []
    if report.proof is not None:
        note = f"; {report.proof.remark}" if report.proof.remark else ""
        said.append(f"{report.proof.sentence()}{note}.")
    return "\n".join(said)


def brief(head: Report, base: Report | None) -> str:
    """The same for a pull request, whose base was planned and not started."""
    prediction, cold = head.prediction, head.proof.cold if head.proof else None
    parts = []
    if prediction is not None:
        before = base.prediction if base else None
        was = f" (base: {_init(base, before)})" if base and before else ""
        parts.append(f"{_init(head, prediction)} predicted{was}")
    if cold is not None:
        parts.append(f"{_seconds(cold.total)} measured without Lambda's client")
    # What is to be set may be less memory, and that is less CPU.
    one_cpu = f"on one CPU, {MEMORY_OF_ONE_CPU_MB:,} MB of memory"
    return f"**Cold start:** {', '.join(parts)}; {one_cpu}" if parts else ""


def _predicted(prediction: Prediction, report: Report) -> str:
    parts = f"{_init(report, prediction)} predicted on one CPU"
    if prediction.later:
        parts += f", and {_seconds(prediction.later)} more at first use"
    others = ", ".join(f"{name} {_seconds(one)}" for name, one in _others(report))
    return f"Cold start: {parts}" + (f" (in all, by strategy: {others})." if others else ".")


def _init(report: Report, prediction: Prediction) -> str:
    seconds = _seconds(prediction.seconds)
    return seconds if report.records_imports else f"{seconds} without imports"


def _parts(report: Report, prediction: Prediction, cold: Cold | None) -> str:
    """Predicted, and as the bundle was started: there, what is no unpacking is in one."""
    install, imports, total = (
        (_seconds(cold.install), _seconds(cold.imports), _seconds(cold.total)) if cold else [""] * 3
    )
    known = report.records_imports
    rows = [
        ("Python and Lambda's client", _seconds(prediction.client), ""),
        ("Put into /tmp", _seconds(prediction.install), install),
        ("Imports", _seconds(prediction.execute) if known else "not recorded", imports),
        *([("Compiling", _seconds(prediction.compile), "")] if prediction.compile else []),
        ("**Init**", f"**{_init(report, prediction)}**", total and f"**{total}**"),
        *([("At first use of all that the code asks for", _seconds(prediction.later), "")] * known),
    ]
    columns = 3 if cold else 2
    heads, align = ("Cold start", "Predicted", "Measured"), (":---", "---:", "---:")
    return table(heads[:columns], align[:columns], [row(cells[:columns]) for cells in rows])


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
