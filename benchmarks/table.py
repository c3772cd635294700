"""Table: what was measured as plain text, and the bounds that it is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True)
class Bound:
    """One promise: a number that was measured and the most that it may be."""

    what: str
    measured: float
    at_most: float
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the promise holds."""
        return self.measured <= self.at_most

    @property
    def row(self) -> tuple[str, ...]:
        """As a row of a table."""
        measured, at_most = (f"{one:.3f}{self.unit}" for one in (self.measured, self.at_most))
        return self.what, measured, at_most, "PASS" if self.met else "FAIL"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a benchmark gives: text for people, its bounds, and every number for machines."""

    text: str
    bounds: tuple[Bound, ...]
    numbers: dict[str, object]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under a header: the first to the left, the others to the right."""
    everything = [header, *rows]
    widths = [max(len(row[column]) for row in everything) for column in range(len(header))]
    lines = [_line(row, widths) for row in everything]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def bounds_table(bounds: Sequence[Bound]) -> str:
    """Each bound with PASS or FAIL."""
    return table(("bound", "measured", "at most", ""), [bound.row for bound in bounds])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    rest = [cell.rjust(width) for cell, width in others]
    return "  ".join([first[0].ljust(first[1]), *rest]).rstrip()
