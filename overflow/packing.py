"""Packing: which groups are carried compressed, so that a cold start takes the least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from overflow.costs import AT_ONCE
from overflow.limits import in_megabytes
from overflow.optimum import Option, optimum
from overflow.plan import Outcome, Plan, Where, within_tmp

UNBOUNDED = 1 << 62

VENDORED, PACKED, FETCHED = range(3)
"""Ways to place a group."""

Choice = frozenset[int]
"""Groups that are packed, by their positions."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a group takes, in bytes, with the bytecode of what start-up imports of it."""

    vendored: int
    """In the bundle, unpacked."""
    packed: int
    """In the bundle, compressed, with what the manifest says of it."""
    unpacked: int
    """In /tmp, where it is packed."""
    movable: bool
    """Whether it may be packed at all."""
    seconds: float
    """What packing it adds to a cold start (costs.py)."""
    at_once: bool = False
    """Whether it is put into place at the start, and not on first import."""

    @property
    def saving(self) -> int:
        """Room in the bundle that packing it gives."""
        return self.vendored - self.packed


class Scales(Protocol):
    """Says what groups take: at first an estimate, exactly once asked to weigh a choice."""

    def loads(self) -> Sequence[Load]:
        """Of each group, by what is known."""

    def weigh(self, choice: Choice) -> bool:
        """Find out what this choice takes; False where that was known."""


def settle(scales: Scales, room: int, *, tmp: int) -> Choice | None:
    """The choice by exact sizes; None where all that may be packed is, and it is too much.

    Each turn weighs at least one more group, so it comes to an end.
    """
    while True:
        choice = choose(scales.loads(), room, tmp=tmp)
        tried = everything(scales.loads()) if choice is None else choice
        if not scales.weigh(tried):
            return choice


def everything(loads: Sequence[Load]) -> Choice:
    """All that may be packed and is smaller so."""
    return frozenset(at for at, load in enumerate(loads) if load.movable and load.saving > 0)


def choose(loads: Sequence[Load], room: int, *, tmp: int) -> Choice | None:
    """The groups to pack so that all fit into `room` and the start takes least (optimum.py).

    tmp: bytes of /tmp. Where that is what is too little, the choice is made without heeding it:
    /tmp can be made larger, and the plan says so.
    """
    found = choose_of(ways_of(loads), loads, room, tmp=tmp)
    return None if found is None else frozenset(i for i, way in enumerate(found) if way == PACKED)


def ways_of(loads: Sequence[Load]) -> list[list[tuple[int, Option]]]:
    """The ways to place each group: VENDORED, and PACKED where it may be."""
    able = everything(loads)
    return [
        [
            (VENDORED, Option(room=load.vendored, tmp=0, seconds=0.0)),
            *[(PACKED, Option(room=load.packed, tmp=load.unpacked, seconds=load.seconds))]
            * (at in able),
        ]
        for at, load in enumerate(loads)
    ]


Ways = Sequence[Sequence[tuple[int, Option]]]
"""Of each group, how it can be placed and what that takes."""


def choose_of(ways: Ways, loads: Sequence[Load], room: int, *, tmp: int) -> list[int] | None:
    """The way for each group, so that all keep `room` and the start takes least (see choose)."""
    found = _best(ways, loads, room, tmp) or _best(ways, loads, room, UNBOUNDED)
    return None if found is None else [way for way, _ in found]


def _best(
    ways: Ways, loads: Sequence[Load], room: int, tmp: int
) -> list[tuple[int, Option]] | None:
    """The first group that is put into place at the start costs AT_ONCE beside its own seconds.

    So the best choice without any such group may be better than the best of all.
    """
    found = _least(ways, room, tmp)
    if found is None:
        return None
    pairs = zip(loads, found, strict=True)
    if not any(load.at_once and way != VENDORED for load, (way, _) in pairs):
        return found
    staying = [each[:1] if load.at_once else each for load, each in zip(loads, ways, strict=True)]
    calm = _least(staying, room, tmp)
    is_better = calm is not None and _seconds(calm) <= _seconds(found) + AT_ONCE
    return calm if is_better else found


def _least(ways: Ways, room: int, tmp: int) -> list[tuple[int, Option]] | None:
    found = optimum([[option for _, option in each] for each in ways], room=room, tmp=tmp)
    return None if found is None else [each[at] for each, at in zip(ways, found, strict=True)]


def _seconds(found: Sequence[tuple[int, Option]]) -> float:
    return sum(option.seconds for _, option in found)


def packed_plan(plan: Plan) -> Plan:
    """The plan with its outcome."""
    if plan.bundle_size > plan.limits.limit:
        return _too_large(plan)
    plan = replace(plan, bound_by=_bound_by(plan))
    if not plan.packed and not plan.deferred:
        return plan
    return _with_network(within_tmp(replace(plan, outcome=Outcome.OVERFLOWS)))


def _with_network(plan: Plan) -> Plan:
    """It is told who depends on an index, since it was not asked for."""
    if not plan.deferred or plan.outcome is Outcome.TOO_LARGE:
        return plan
    names = [place.name for place in plan.by_size if place.where is Where.DEFERRED]
    named = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
    warning = (
        f"the function needs the network at cold start or on first import for"
        f" {in_megabytes(plan.deferred_size)}: {named}; with --no-network nothing is fetched"
    )
    return replace(plan, warnings=(*plan.warnings, warning))


def _bound_by(plan: Plan) -> str:
    most = in_megabytes(min(plan.limits.threshold, plan.limits.limit))
    if plan.deferred:
        return f"over {most}: what does not fit is packed or fetched"
    if plan.packed:
        return f"over {most}: what does not fit is packed"
    if plan.needed_size <= plan.limits.threshold:
        return f"at most {most}: everything is vendored"
    return "over the threshold, under the limit; everything is vendored"


def _too_large(plan: Plan) -> Plan:
    limit = in_megabytes(plan.limits.limit)
    is_packed = any(place.where is Where.PACKED for place in plan.placements)
    if not is_packed:
        return replace(
            plan,
            outcome=Outcome.TOO_LARGE,
            bound_by=f"over the limit of {limit}, and nothing may be packed",
        )
    taken = in_megabytes(plan.bundle_size)
    return replace(
        plan,
        outcome=Outcome.TOO_LARGE,
        bound_by=f"even packed it takes {taken}, over the limit of {limit}",
    )
