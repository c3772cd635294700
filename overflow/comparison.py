"""Comparison: what a change does to the sizes, from the reports of base and head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from overflow.report import Report, Row


@dataclass(frozen=True, kw_only=True)
class KnownBase:
    """The report that the head is held against."""

    report: Report
    sha: str
    """The commit that it is of."""
    exact: bool
    """Whether that is the very commit that the head is to be merged into."""


@dataclass(frozen=True, kw_only=True)
class UnknownBase:
    """There is no report of the base."""

    reason: str
    """For people: `no report is stored for main`."""


Base = KnownBase | UnknownBase


@dataclass(frozen=True, kw_only=True)
class Change:
    """One distribution before and after; at least one of the two is there."""

    name: str
    base: Row | None
    head: Row | None

    @property
    def before(self) -> int:
        """Bytes in the base."""
        return self.base.size if self.base else 0

    @property
    def after(self) -> int:
        """Bytes in the head."""
        return self.head.size if self.head else 0

    @property
    def delta(self) -> int:
        """Bytes that came; negative for those that went."""
        return self.after - self.before

    @property
    def status(self) -> str:
        """`new`, `removed`, `grown`, `shrunk`, `changed` (the version only) or `unchanged`."""
        if self.base is None:
            return "new"
        if self.head is None:
            return "removed"
        if self.delta:
            return "grown" if self.delta > 0 else "shrunk"
        return "unchanged" if self.base.version == self.head.version else "changed"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The head, and how it differs from its base."""

    head: Report
    base: Base
    changes: tuple[Change, ...]
    """Every distribution of both, the largest change first; none where the base is unknown."""

    @property
    def growth(self) -> int | None:
        """Bytes by which project and distributions have grown; None, and not 0, where unknown.

        Bytecode fills what room there is, and what is packed is there twice: neither is growth.
        """
        if isinstance(self.base, UnknownBase):
            return None
        return self.head.sizes.content - self.base.report.sizes.content

    @property
    def changed(self) -> tuple[Change, ...]:
        """Those that changed, the largest change first."""
        return tuple(change for change in self.changes if change.status != "unchanged")

    @property
    def unchanged(self) -> tuple[Change, ...]:
        """The others, by name."""
        return tuple(change for change in self.changes if change.status == "unchanged")


def compare(head: Report, base: Base) -> Comparison:
    """The head held against its base, distribution by distribution, matched by name."""
    if isinstance(base, UnknownBase):
        return Comparison(head=head, base=base, changes=())
    before = {row.name: row for row in base.report.rows}
    after = {row.name: row for row in head.rows}
    changes = [
        Change(name=name, base=before.get(name), head=after.get(name)) for name in before | after
    ]
    changes.sort(key=lambda change: (-abs(change.delta), change.name))
    return Comparison(head=head, base=base, changes=tuple(changes))
