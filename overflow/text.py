"""Text: a report for a terminal, in few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overflow.coldstart import line
from overflow.limits import in_megabytes
from overflow.plan import Outcome
from overflow.savings import saved
from overflow.summary import LESS_CPU
from overflow.templates import render

if TYPE_CHECKING:
    from overflow.report import Report, Row


def to_text(report: Report) -> str:
    """The plan as `overflow plan` prints it. Names in it are not made harmless yet."""
    text = render(
        "plan.txt",
        headline=report.headline,
        project=report.project,
        runtime=report.function.runtime,
        architecture=report.function.architecture,
        strategy=report.strategy,
        bound_by=report.bound_by,
        sizes=_sizes(report),
        rows="\n".join(map(_row, report.rows)),
        advice=_advice(report),
    )
    return text.rstrip("\n") + "\n"


def _settings(report: Report) -> str:
    """Nothing where there is no bundle that a function could have."""
    if report.outcome is Outcome.TOO_LARGE:
        return ""
    function = report.function
    cpu = "" if function.has_whole_cpu else f" ({LESS_CPU})"
    return (
        f"Set on the function: handler {function.handler}, runtime {function.runtime}"
        f" ({function.architecture}), EphemeralStorage {function.ephemeral_storage_mb} MB,"
        f" memory {function.memory_mb} MB{cpu}."
    )


def _sizes(report: Report) -> str:
    sizes = report.sizes
    parts = (
        (sizes.project, "project files"),
        (sizes.vendored, "vendored distributions"),
        (sizes.support, "runtime support"),
        *([(sizes.bytecode, "bytecode")] if sizes.bytecode else []),
        *([(sizes.packed, "packed distributions, compressed")] if sizes.packed else []),
        (sizes.bundle, "bundle, as Lambda counts it"),
        (sizes.deferred, "deferred to /tmp"),
        *([(sizes.unpacked, "unpacked to /tmp")] if sizes.unpacked else []),
        *([(sizes.on_import, "of these, on first import only")] if sizes.on_import else []),
    )
    lines = [f"  {in_megabytes(size):>10}  {part}" for size, part in parts]
    trimmed = saved(report)
    return "\n".join([*lines, *([f"  {trimmed}"] if trimmed else [])])


def _row(row: Row) -> str:
    note = f"; {row.note}" if row.note else ""
    note += f"; {in_megabytes(row.compressed)} compressed" if row.is_packed else ""
    return (
        f"  {in_megabytes(row.size):>10}  {row.placement:<8}  {row.name} {row.version}"
        f" ({row.visibility}: {row.reason}{note})"
    )


def _advice(report: Report) -> str:
    lines = [one for one in (_settings(report), line(report)) if one]
    lines += [f"To do: {remedy}." for remedy in report.remedies]
    lines += [f"Warning: {warning}." for warning in report.warnings]
    return "\n".join(lines)
