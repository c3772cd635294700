"""Started: what the starts of one app took, as a table, as bounds and as numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.peer import PEER, VERSION
from benchmarks.table import Bound, table

if TYPE_CHECKING:
    from collections.abc import Mapping

ORIGIN, DEFER_UV, DEFER_BUILTIN = "origin's algorithm", "defer, uv", "defer, builtin"
PACK, AUTO = "pack", "auto"
NEAREST, FLOOR = f"{PEER} {VERSION}", "floor: no size limit"

AUTO_OF_ORIGIN = 1 / 3.4
PACK_OF_FLOOR = 1.6
AUTO_OF_FLOOR = {"flask": 1.15, "light": 1.05}
AUTO_OF_FLOOR_AND_PLAIN = {"large": 1.5}
WARM_MS = 10.0
"""Bounds, by app where they are an app's own."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """One app: seconds by contender, in the order of the turns."""

    cold: Mapping[str, list[float]]
    warm: Mapping[str, list[float]]
    missing: Mapping[str, str]
    """Contenders that gave no bundle or no answer, and why."""
    plain: list[float]
    """Seconds of a plain unpack of what the limit keeps out of the floor's bundle."""
    warm_runtime: list[float]
    """Milliseconds of our runtime in a warm start; empty where it was not measured."""

    def median(self, contender: str) -> float:
        """Of its cold starts; infinite where it is missing."""
        seconds = self.cold.get(contender)
        return median(seconds) if seconds else math.inf

    @property
    def floor_and_plain(self) -> float:
        """The floor, and the least that unpacking takes."""
        return self.median(FLOOR) + (median(self.plain) if self.plain else math.inf)

    @property
    def numbers(self) -> dict[str, object]:
        """All of it, for JSON."""
        seconds = {name: {"cold": self.cold[name], "warm": self.warm[name]} for name in self.cold}
        more = {"plain_unpack": self.plain, "warm_runtime_ms": self.warm_runtime}
        return {"seconds": seconds, "missing": dict(self.missing), **more}


def text(app: str, found: Started) -> str:
    """A table of the starts, and what else was measured."""
    header = (f"{app}: first answer", "min", "median", "max", "of floor", "warm")
    lines = [table(header, [_row(name, found) for name in found.cold])]
    lines += [f"missing: {name}: {why}" for name, why in found.missing.items()]
    if found.plain and max(found.plain) > 0:
        lines.append(f"floor and plain unpack: {found.floor_and_plain:.2f} s")
    if found.warm_runtime:
        lines.append(f"our runtime in a warm start: {median(found.warm_runtime):.1f} ms")
    return "\n".join(lines)


def _row(name: str, found: Started) -> tuple[str, ...]:
    cold = found.cold[name]
    seconds = (min(cold), median(cold), max(cold))
    ratio = f"{found.median(name) / found.median(FLOOR):.2f}"
    return (name, *(f"{one:.2f} s" for one in seconds), ratio, f"{median(found.warm[name]):.2f} s")


def bounds(app: str, found: Started) -> list[Bound]:
    """What is promised of this app; a contender that is missing keeps no promise."""
    auto, floor = found.median(AUTO), found.median(FLOOR)
    held: list[tuple[str, float, float, float]] = []
    if app in AUTO_OF_FLOOR:
        held.append(("auto / floor", auto, floor, AUTO_OF_FLOOR[app]))
    if app in AUTO_OF_FLOOR_AND_PLAIN:
        both = found.floor_and_plain
        held.append(("auto / (floor + plain unpack)", auto, both, AUTO_OF_FLOOR_AND_PLAIN[app]))
    if app == "flask":
        held.append(("auto / origin", auto, found.median(ORIGIN), AUTO_OF_ORIGIN))
        held.append(("pack / floor", found.median(PACK), floor, PACK_OF_FLOOR))
    ratios = [
        Bound(what=f"{app}: {what}", measured=_ratio(one, other), at_most=most)
        for what, one, other, most in held
    ]
    if found.warm_runtime:
        measured, what = median(found.warm_runtime), f"{app}: our runtime in a warm start"
        ratios.append(Bound(what=what, measured=measured, at_most=WARM_MS, unit=" ms"))
    return ratios


def _ratio(one: float, other: float) -> float:
    """One of the other; infinite where either is missing."""
    return math.inf if math.inf in (one, other) else one / other
