"""Packing: which groups are carried compressed, so that a cold start takes the least."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from overflow.limits import in_megabytes
from overflow.optimum import Option, optimum
from overflow.plan import TURN_ON, Outcome, Plan, Where, remedies, within_tmp

if TYPE_CHECKING:
    from collections.abc import Sequence

UNBOUNDED = 1 << 62

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
    able = everything(loads)
    ways = [
        [
            Option(room=load.vendored, tmp=0, seconds=0.0),
            *([Option(room=load.packed, tmp=load.unpacked, seconds=load.seconds)] * (at in able)),
        ]
        for at, load in enumerate(loads)
    ]
    found = optimum(ways, room=room, tmp=tmp)
    if found is None:
        found = optimum(ways, room=room, tmp=UNBOUNDED)
    return None if found is None else frozenset(at for at, way in enumerate(found) if way)


def packed_plan(plan: Plan) -> Plan:
    """The plan with its outcome."""
    if plan.bundle_size > plan.limits.limit:
        return _too_large(plan)
    plan = replace(plan, bound_by=_bound_by(plan))
    return within_tmp(replace(plan, outcome=Outcome.OVERFLOWS)) if plan.packed else plan


def _bound_by(plan: Plan) -> str:
    most = in_megabytes(min(plan.limits.threshold, plan.limits.limit))
    if plan.packed:
        return f"over {most}: what does not fit is packed"
    if plan.bundle_size <= plan.limits.threshold:
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
            remedies=(TURN_ON,),
        )
    taken = in_megabytes(plan.bundle_size)
    return replace(
        plan,
        outcome=Outcome.TOO_LARGE,
        bound_by=f"even packed it takes {taken}, over the limit of {limit}",
        remedies=remedies(plan),
    )
