"""Savings: what a report says of what was trimmed."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from overflow.limits import in_megabytes
from overflow.markdown import markdown, row, table

if TYPE_CHECKING:
    from overflow.report import Report
    from overflow.trim import Cut

MOST_CUTS = 100
"""Lines of a distribution and a kind each that a summary has at most."""

SHORT = 120
"""Characters of Markdown that a name may take."""


def savings(report: Report) -> str:
    """The section of summary.md, with a table by kind and a folded one by distribution."""
    trimmed = report.trimmed
    if not trimmed.cuts:
        return ""
    kinds: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for cut in trimmed.cuts:
        kinds[cut.kind][0] += cut.files
        kinds[cut.kind][1] += cut.size
    largest = sorted(kinds.items(), key=lambda one: (-one[1][1], one[0]))
    rows = [row((kind, f"{files:,}", in_megabytes(size))) for kind, (files, size) in largest]
    total = row(("**All**", f"{trimmed.files:,}", f"**{in_megabytes(trimmed.size)}**"))
    by_kind = table(("Kind", "Files", "Size"), (":---", "---:", "---:"), [*rows, total])
    return (
        f"### Trimmed\n\nLevel {trimmed.level.value}; no figure of this report counts what went."
        f"\n\n{by_kind}\n\n{_folded(trimmed.cuts)}"
    )


def _folded(cuts: tuple[Cut, ...]) -> str:
    shown = [
        row((markdown(cut.name, SHORT), cut.kind, f"{cut.files:,}", in_megabytes(cut.size)))
        for cut in cuts[:MOST_CUTS]
    ]
    if len(cuts) > MOST_CUTS:
        rest = in_megabytes(sum(cut.size for cut in cuts[MOST_CUTS:]))
        shown.append(row((f"… and {len(cuts) - MOST_CUTS:,} more", "", "", rest)))
    head, align = ("Distribution", "Kind", "Files", "Size"), (":---", ":---", "---:", "---:")
    listed = table(head, align, shown)
    return f"<details><summary>By distribution</summary>\n\n{listed}\n\n</details>"


def saved(report: Report) -> str:
    """The line for a terminal; empty where nothing was trimmed."""
    trimmed = report.trimmed
    if not trimmed.cuts:
        return ""
    return f"{in_megabytes(trimmed.size):>10}  trimmed ({trimmed.level.value}), and not counted"
