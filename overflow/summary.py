"""Summary: a report as Markdown, for the step summary on GitHub and for summary.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from overflow.coldstart import section
from overflow.limits import MEMORY_OF_ONE_CPU_MB, in_megabytes
from overflow.markdown import (
    bar,
    block,
    code,
    cut,
    fitting,
    markdown,
    row,
    table,
    tidy,
    utf8_bytes,
)
from overflow.plan import Outcome
from overflow.savings import savings
from overflow.templates import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from overflow.report import Failure, Report, Row

BUDGET = 1_000_000
"""Bytes of a step summary. GitHub refuses one of over 1,048,576 as a whole (actions/runner,
FileCommandManager.cs); cuts at just that have failed, too."""

DETAILS = 60_000
"""Characters of another program's words in a summary; the last ones, which say what failed."""

MOST_ITEMS = 20
"""Remedies, warnings or notes that are shown, of each."""

LONG = 1_000
"""Characters of Markdown that a sentence may take."""

LESS_CPU = f"CPU is in proportion to memory, and one CPU is {MEMORY_OF_ONE_CPU_MB:,} MB"
"""Beside seconds, which are for one (AWS: configure function memory)."""

SHORT = 120
"""The same for a name, a version or a setting."""

_LABEL = 12
"""Columns before a bar."""


def to_markdown(report: Report, *, budget: int = BUDGET, artifact: str | None = None) -> str:
    """The verdict first, then the figures; at most `budget` bytes of UTF-8.

    Where that is too little for all distributions, the smallest are summed up. artifact: the name
    of the artifact in which report.json is, where there is one.
    """
    rows = [_row(one, report.sizes.installed) for one in report.rows]
    where = "report.json" if artifact is None else f"report.json in the artifact {code(artifact)}"
    frame = _frame(report)

    def rendered(count: int) -> str:
        more = rest(report.rows[count:], where)
        return tidy(render("summary.md", **frame, distributions=_distributions(rows[:count], more)))

    return fitting(rendered, len(rows), budget, utf8_bytes)


def failure_to_markdown(failure: Failure) -> str:
    """Why there is no bundle: code, message, what to do, and another program's words."""
    opening = f"## Build failed: {code(failure.code, SHORT)}"
    return failed(failure, opening=opening, details=DETAILS)


def failed(
    failure: Failure, *, opening: str, lead: str = "", details: int, footer: str = ""
) -> str:
    """The same below another opening; details: characters that are shown of them."""
    said = ""
    if failure.details.strip():
        words = block(failure.details, details)
        said = f"<details open><summary>What was said</summary>\n\n{words}\n\n</details>"
    return tidy(
        render(
            "failure.md",
            opening=opening,
            lead=lead,
            message=markdown(failure.message, LONG),
            hint=markdown(failure.hint, LONG),
            details=said,
            footer=footer,
        )
    )


def snippet(report: Report) -> str:
    """What to set on the function, to be pasted into a template of AWS SAM."""
    function = report.function
    return render(
        "settings.md",
        # JSON's strings are YAML's, and hold on to one line whatever is in them.
        handler=json.dumps(cut(function.handler, SHORT)),
        runtime=json.dumps(cut(function.runtime, SHORT)),
        architecture=json.dumps(cut(function.architecture, SHORT)),
        ephemeral_storage_mb=function.ephemeral_storage_mb,
        memory_mb=function.memory_mb,
    )


def items(label: str, texts: Sequence[str], most: int = MOST_ITEMS, *, long: int = LONG) -> str:
    """A list of sentences behind a label, at most `most` of them."""
    lines = [f"- **{label}:** {markdown(text, long)}\n" for text in texts[:most]]
    if len(texts) > most:
        lines.append(f"- … and {len(texts) - most:,} more in report.json\n")
    return "".join(lines)


def rest(rows: Sequence[Row], where: str) -> str:
    """A line for the rows that are not shown, empty if all are."""
    if not rows:
        return ""
    size = in_megabytes(sum(one.size for one in rows))
    return f"… and {len(rows):,} more distributions ({size}): see {where}"


def percent(part: int, whole: int) -> str:
    """`12.3 %`; nothing of nothing is 0 %."""
    return f"{100 * part / whole if whole else 0:.1f} %"


def _frame(report: Report) -> dict[str, str]:
    function = report.function
    return {
        "headline": report.headline,
        "project": markdown(report.project, SHORT),
        "runtime": markdown(function.runtime, SHORT),
        "architecture": markdown(function.architecture, SHORT),
        "bound_by": markdown(report.bound_by, LONG),
        "bars": _bars(report),
        "layers": _layers(report),
        "written": _written(report),
        "advice": items("To do", report.remedies) + items("Warning", report.warnings),
        "settings": _settings(report),
        "start": section(report),
        "parts": _parts(report),
        "trimmed": savings(report),
        "notes": items("Note", report.notes),
    }


def _bars(report: Report) -> str:
    """The bundle, and what is there later, against limit and threshold."""
    sizes, limits = report.sizes, report.limits
    share = f"{percent(sizes.bundle, limits.limit)} of the limit of {in_megabytes(limits.limit)}"
    shown = [("Bundle", sizes.bundle, share)]
    if sizes.at_start:
        shown.append(("Started", sizes.bundle + sizes.at_start, "after a cold start"))
    if sizes.on_import:
        shown.append(("Everything", sizes.total, "once all is imported"))
    lines = [
        f"{label:<{_LABEL}}{bar(size, limits.limit, limits.threshold)}  {in_megabytes(size):>10}"
        f"  {text}"
        for label, size, text in shown
    ]
    at, threshold = lines[0].find("│"), f"threshold {in_megabytes(limits.threshold)}"
    if at > len(threshold):
        lines.append(f"{threshold} ┘".rjust(at + 1))
    elif at >= 0:
        lines.append(f"{' ' * at}└ {threshold}")
    return "\n".join(lines)


def _layers(report: Report) -> str:
    taken, limit = report.limits.layers, report.limits.limit
    if not taken:
        return ""
    return f"Layers take {in_megabytes(taken)} of Lambda's {in_megabytes(taken + limit)}."


def _written(report: Report) -> str:
    written = report.written
    if written is None:
        return ""
    return f"`function.zip`: {in_megabytes(written.zip_bytes)}, sha256 `{written.zip_sha256}`"


def _settings(report: Report) -> str:
    """Nothing where there is no bundle that a function could have."""
    if report.outcome is Outcome.TOO_LARGE:
        return ""
    function = report.function
    cpu = "more memory is more CPU" if function.has_whole_cpu else LESS_CPU
    calls = f"calls {code(function.calls, SHORT)}, {markdown(function.interface, SHORT)}"
    rows = (
        ("Handler", f"{code(function.handler, SHORT)} ({calls})"),
        ("Runtime", code(function.runtime, SHORT)),
        ("Architecture", code(function.architecture, SHORT)),
        ("EphemeralStorage", f"{function.ephemeral_storage_mb:,} MB"),
        ("Memory", f"{function.memory_mb:,} MB to begin with; {cpu}"),
    )
    listed = table(("Setting", "Value"), (":---", ":---"), map(row, rows))
    return f"### Set on the function\n\n{listed}\n\n{snippet(report)}"


def _parts(report: Report) -> str:
    sizes = report.sizes
    rows = [
        _part("Project files", sizes.project),
        _part("Vendored distributions", sizes.vendored),
        _part("Runtime support", sizes.support),
        *([_part("Bytecode", sizes.bytecode)] if sizes.bytecode else []),
        *([_part("Packed distributions, compressed", sizes.packed)] if sizes.packed else []),
        _part("**Bundle, as Lambda counts it**", sizes.bundle, mark="**"),
    ]
    if sizes.deferred:
        rows.append(_part("Fetched to /tmp", sizes.deferred))
    if sizes.unpacked:
        rows.append(_part("Unpacked to /tmp", sizes.unpacked))
    if sizes.on_import:
        rows.append(_part("Of these, on first import only", sizes.on_import))
    if sizes.overflow:
        rows.append(_part("**Everything**", sizes.total, mark="**"))
    return table(("Part", "Size", "Bytes"), (":---", "---:", "---:"), rows)


def _part(name: str, size: int, *, mark: str = "") -> str:
    return row((name, f"{mark}{in_megabytes(size)}{mark}", f"{size:,}"))


def _distributions(rows: Iterable[str], more: str) -> str:
    head = ("Distribution", "Size", "Share", "Public or private", "Placement")
    align = (":---", "---:", "---:", ":---", ":---")
    return f"{table(head, align, rows)}\n\n{more}"


def _row(one: Row, installed: int) -> str:
    note = f" ({markdown(one.note)})" if one.note else ""
    return row(
        (
            title(one.name, one.version),
            in_megabytes(one.size),
            percent(one.size, installed),
            f"{markdown(one.visibility)}: {markdown(one.reason)}",
            f"{placement(one)}{note}",
        )
    )


def placement(one: Row) -> str:
    """Where a distribution is, as Markdown."""
    size = f", {in_megabytes(one.compressed)} compressed" if one.is_packed else ""
    return f"{markdown(one.placement, SHORT)}{size}"


def title(name: str, version: str) -> str:
    """A distribution's name and version, as Markdown."""
    return f"{markdown(name, SHORT)} {markdown(version, SHORT)}".rstrip()
