"""Plan: where each distribution goes, decided once; report and bundle both obey it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from overflow.installer import InstalledBy
from overflow.limits import TMP_MAXIMUM_MB, Limits, in_megabytes, megabytes, tmp_needed_mb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from overflow.classify import Verdict
    from overflow.grouping import Group
    from overflow.measure import Distribution


class Where(str, Enum):
    """Where a distribution's files are when the function starts."""

    VENDORED = "vendored"
    PACKED = "packed"
    DEFERRED = "deferred"


class Strategy(str, Enum):
    """The rule that gives placements."""

    DEFER = "defer"
    PACK = "pack"
    AUTO = "auto"


class Outcome(str, Enum):
    """What the plan comes to."""

    FITS = "fits"
    OVERFLOWS = "overflows"
    TOO_LARGE = "too-large"


@dataclass(frozen=True, kw_only=True)
class Placement:
    """One distribution, and why it is where it is."""

    name: str
    version: str
    size: int
    where: Where
    verdict: Verdict
    note: str = ""
    """Said where a public distribution stays although others leave, and of one that is lazy."""
    compressed: int = 0
    """What it takes in the bundle where it is packed, its bytecode included."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The decision. Sizes are bytes."""

    outcome: Outcome
    strategy: Strategy
    placements: tuple[Placement, ...]
    project_size: int
    support_size: int
    limits: Limits
    bytecode_size: int = 0
    """Of the bytecode that lies in the bundle beside its sources."""
    unpacked_size: int = 0
    """What is unpacked into /tmp, with its bytecode: at cold start, or on first import."""
    on_import_size: int = 0
    """What of all that goes to /tmp comes on first import only."""
    installed_by: InstalledBy = InstalledBy.UV
    """Who installs what is deferred."""
    bound_by: str
    """The rule that made the outcome what it is, for people."""
    remedies: tuple[str, ...] = ()
    """What to do about an outcome that is too large (remedies.py)."""
    warnings: tuple[str, ...] = ()

    @property
    def vendored_size(self) -> int:
        """What lies unpacked in `_vendor`."""
        return self._sum(Where.VENDORED)

    @property
    def deferred_size(self) -> int:
        """What is fetched into /tmp: at cold start, or on first import."""
        return self._sum(Where.DEFERRED)

    @property
    def packed_size(self) -> int:
        """What is packed takes in the bundle, compressed."""
        return sum(place.compressed for place in self.placements)

    @property
    def overflow_size(self) -> int:
        """What is in /tmp once all of it is there."""
        return self.deferred_size + self.unpacked_size

    @property
    def bundle_size(self) -> int:
        """What Lambda counts: the sum of the bundle's files."""
        return self.needed_size + self.bytecode_size

    @property
    def needed_size(self) -> int:
        """The same without bytecode, which takes what room is left, and would do with less."""
        return self.project_size + self.support_size + self.vendored_size + self.packed_size

    @property
    def installed_size(self) -> int:
        """All distributions, wherever they go."""
        return sum(place.size for place in self.placements)

    @property
    def ephemeral_storage_mb(self) -> int:
        """The EphemeralStorage setting that the function needs, in MB."""
        return tmp_needed_mb(self.overflow_size)

    @property
    def by_size(self) -> list[Placement]:
        """The placements, largest first."""
        return sorted(self.placements, key=lambda place: (-place.size, place.name))

    @property
    def deferred(self) -> tuple[Placement, ...]:
        """The placements that are deferred, by name."""
        return tuple(place for place in self.placements if place.where is Where.DEFERRED)

    @property
    def packed(self) -> tuple[Placement, ...]:
        """The placements that are packed, by name."""
        return tuple(place for place in self.placements if place.where is Where.PACKED)

    def _sum(self, where: Where) -> int:
        return sum(place.size for place in self.placements if place.where is where)


def deferrable(
    groups: Sequence[Group], verdicts: Mapping[str, Verdict]
) -> tuple[frozenset[str], Mapping[str, str]]:
    """The names that may leave, and a note for each public one that may not.

    A group leaves as a whole or not at all, so one member that stays keeps the others.
    """
    leaving: set[str] = set()
    notes: dict[str, str] = {}
    for group in groups:
        kept = sorted(name for name in group if not verdicts[name].can_leave)
        if not kept:
            leaving |= group
            continue
        for name in group:
            if verdicts[name].is_public:
                notes[name] = verdicts[name].obstacle or f"shares files' folders with {kept[0]}"
    return frozenset(leaving), notes


def decide(
    distributions: Sequence[Distribution],
    *,
    verdicts: Mapping[str, Verdict],
    groups: Sequence[Group],
    project_size: int,
    support_of: Callable[[frozenset[str]], int],
    limits: Limits,
    strategy: Strategy,
    runtime_install: bool,
) -> Plan:
    """The plan; support_of: bytes that overflow adds to a bundle that defers these names.

    At most the threshold: all vendored. Above it: every public distribution is deferred, unless
    run-time install is off or deferring cannot help. A bundle over the limit is TOO_LARGE.
    """
    leaving, notes = deferrable(groups, verdicts)
    resident = Plan(
        outcome=Outcome.FITS,
        strategy=strategy,
        placements=_placements(distributions, verdicts, frozenset(), {}),
        project_size=project_size,
        support_size=support_of(frozenset()),
        limits=limits,
        bound_by=f"at most {in_megabytes(limits.threshold)}: everything is vendored",
    )
    most = min(limits.threshold, limits.limit)
    if resident.bundle_size <= most:
        return resident
    if not runtime_install:
        return _all_vendored(resident)
    placements = _placements(distributions, verdicts, leaving, notes)
    deferring = _deferring(resident, placements, support_of(leaving), most)
    if not leaving or resident.bundle_size <= limits.limit < deferring.bundle_size:
        # An installer takes room: where it is the straw that breaks the limit, better without it.
        return _checked(resident, why="nothing can be deferred, and all of it")
    return _checked(deferring, why="what cannot be deferred")


def _deferring(
    resident: Plan, placements: tuple[Placement, ...], support_size: int, most: int
) -> Plan:
    return replace(
        resident,
        outcome=Outcome.OVERFLOWS,
        placements=placements,
        support_size=support_size,
        bound_by=f"over {in_megabytes(most)}: public distributions are deferred",
    )


def _placements(
    distributions: Sequence[Distribution],
    verdicts: Mapping[str, Verdict],
    leaving: frozenset[str],
    notes: Mapping[str, str],
) -> tuple[Placement, ...]:
    return tuple(
        Placement(
            name=distribution.name,
            version=distribution.version,
            size=distribution.size,
            where=Where.DEFERRED if distribution.name in leaving else Where.VENDORED,
            verdict=verdicts[distribution.name],
            note=notes.get(distribution.name, ""),
        )
        for distribution in distributions
    )


def _all_vendored(plan: Plan) -> Plan:
    if plan.bundle_size <= plan.limits.limit:
        return replace(
            plan, bound_by="over the threshold, under the limit; run-time install is off"
        )
    limit = in_megabytes(plan.limits.limit)
    return replace(
        plan,
        outcome=Outcome.TOO_LARGE,
        bound_by=f"over the limit of {limit}, and run-time install is off",
    )


def _checked(plan: Plan, *, why: str) -> Plan:
    """The plan of a bundle over the threshold, held against the limit and against /tmp."""
    limit = in_megabytes(plan.limits.limit)
    if plan.bundle_size > plan.limits.limit:
        return replace(
            plan,
            outcome=Outcome.TOO_LARGE,
            bound_by=f"{why} takes {in_megabytes(plan.bundle_size)}, over the limit of {limit}",
        )
    plan = within_tmp(plan)
    if plan.outcome is Outcome.FITS:
        return replace(plan, bound_by="over the threshold, under the limit; deferring cannot help")
    return plan


def within_tmp(plan: Plan) -> Plan:
    """The plan, held against what /tmp has and can have."""
    if plan.overflow_size > megabytes(TMP_MAXIMUM_MB):
        return replace(
            plan,
            outcome=Outcome.TOO_LARGE,
            bound_by=f"the overflow of {in_megabytes(plan.overflow_size)} is larger than any /tmp",
        )
    needed = plan.ephemeral_storage_mb
    if megabytes(needed) <= plan.limits.tmp:
        return plan
    warning = (
        f"the overflow takes {in_megabytes(plan.overflow_size)} of /tmp, which has"
        f" {in_megabytes(plan.limits.tmp)}: set EphemeralStorage to {needed} MB or more"
        " (and MAXIMISE_TMP_SPACE=1 here, once that is done)"
    )
    return replace(plan, warnings=(warning,))
