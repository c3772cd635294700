"""Remedies: what to do about a bundle that is too large, what helps most first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from overflow.classify import ADDED
from overflow.installer import InstalledBy
from overflow.limits import TMP_MAXIMUM_MB, in_megabytes, megabytes
from overflow.plan import Outcome, Strategy, Where
from overflow.trim import Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from overflow.plan import Placement, Plan

TURN_ON = (
    "turn run-time install on: drop --no-runtime-install, or set OVERFLOW_NO_RUNTIME_INSTALL=0 or"
    " VERCEL_EXPERIMENTAL_PYTHON_UV_INSTALL_ON_STARTUP=1"
)

FETCH = "drop --no-network: {} that an index has can then be fetched by the function"
AUTO = "use --strategy auto{}: {} that an index has can then be fetched by the function"
OFFLINE = ", without --no-network"
COMPRESS = "use --strategy auto: it can carry compressed what cannot be deferred"
BUILTIN = "use --installer builtin: most of the {} of runtime support is uv, which it does without"
TRIM = (
    "use --trim aggressive: it makes the bundle smaller, by how much is known once it has been"
    " tried"
)
SPLIT = "remove distributions, or split the function"


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a build was asked for that decides what it could still do."""

    runtime_install: bool
    network: bool
    trim: Level


def remedied(plan: Plan, means: Means) -> Plan:
    """The plan, with what to do about it where it is too large."""
    if plan.outcome is not Outcome.TOO_LARGE:
        return plan
    return replace(plan, remedies=tuple(_remedies(plan, means)) or (SPLIT,))


def _remedies(plan: Plan, means: Means) -> Iterator[str]:
    limits = plan.limits
    if limits.layers and not limits.limit:
        # Whatever the bundle is, it is too large.
        yield f"the layers alone take {in_megabytes(limits.layers)}: have fewer or smaller ones"
        return
    if plan.bundle_size <= limits.limit and plan.overflow_size > megabytes(TMP_MAXIMUM_MB):
        yield SPLIT
        return
    if not means.runtime_install:
        yield TURN_ON
    else:
        yield from _other_ways(plan, means)
        yield from _staying(plan)
    if plan.project_size > limits.limit // 10:
        yield (
            f"the project's own files take {in_megabytes(plan.project_size)}: leave out what"
            " the function does not need with --exclude"
        )
    if limits.layers:
        yield f"layers take {in_megabytes(limits.layers)} of the limit"
    if means.trim is not Level.AGGRESSIVE and _carried(plan) > limits.limit // 10:
        yield TRIM


def _other_ways(plan: Plan, means: Means) -> Iterator[str]:
    """Options by which less would be in the bundle."""
    if plan.strategy is Strategy.DEFER:
        if plan.deferred and plan.installed_by is InstalledBy.UV:
            yield BUILTIN.format(in_megabytes(plan.support_size))
        if _carried(plan) > plan.limits.limit // 10:
            yield COMPRESS
        return
    fetchable = [one for one in plan.placements if _is_fetchable(one)]
    freed = sum(one.compressed or one.size for one in fetchable)
    if freed <= plan.limits.limit // 10:
        return
    size = in_megabytes(sum(one.size for one in fetchable))
    if plan.strategy is Strategy.PACK:
        yield AUTO.format("" if means.network else OFFLINE, size)
    elif not means.network:
        yield FETCH.format(size)


def _staying(plan: Plan) -> Iterator[str]:
    """The largest that can in no way leave; overflow's own additions are not the user's to mend."""
    kept = [one for one in plan.by_size if _stays(plan, one) and one.verdict.reason != ADDED]
    named = ", ".join(f"{one.name} ({in_megabytes(one.size)})" for one in kept[:3])
    if named:
        yield f"make the largest that stay smaller, or publish them: {named}"


def _stays(plan: Plan, one: Placement) -> bool:
    if plan.strategy is Strategy.DEFER:
        return one.where is Where.VENDORED
    return not _is_fetchable(one)


def _is_fetchable(one: Placement) -> bool:
    """Whether `auto` could leave it to an index."""
    return one.verdict.can_leave and one.verdict.wheel is not None


def _carried(plan: Plan) -> int:
    """Bytes of distributions in the bundle."""
    return plan.vendored_size + plan.packed_size
