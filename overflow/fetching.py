"""Fetching: which groups `auto` leaves to an index, and has fetched at cold start.

Nothing of them is in the bundle, so that others need not be packed; but a function then depends on
an index. So it must be worth it, or be the only way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from overflow.costs import FETCH, IDLE, WORTH, fetching
from overflow.grouping import folder_name
from overflow.optimum import Option
from overflow.packing import FETCHED, PACKED, choose_of, settle, ways_of
from overflow.startup import COMPILING
from overflow.wheels import by_url, fetched_group

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from overflow.appraisal import Appraisal
    from overflow.budget import Budget
    from overflow.classify import Verdict
    from overflow.packing import Choice
    from overflow.runtime.manifest import Group as RuntimeGroup

LONGEST_WHEEL = 160
"""At most so many bytes of the manifest are a wheel's, beside its URL."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What leaves the bundle, by exact sizes."""

    packed: Choice
    fetched: Choice = frozenset()
    groups: tuple[RuntimeGroup, ...] = ()
    """Those that are fetched, for the manifest."""
    seconds: tuple[float, float] = (0.0, 0.0)
    """What fetching takes at start-up, and then for what the code asks for."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes in /tmp by distribution that is fetched."""

    @property
    def leaving(self) -> Choice:
        """Both."""
        return self.packed | self.fetched


def choose(
    budgets: Sequence[Budget],
    verdicts: Mapping[str, Verdict],
    sizes: Mapping[str, int],
    *,
    tmp: int,
) -> tuple[Budget, Chosen] | None:
    """What leaves, so that the rest fits into a budget; None where all that may is too little.

    Budgets are asked in their order. Fetching is the only way where packing fits into none of them,
    and not where it fits into a later one: then that is what fetching must be better than.
    sizes: bytes by distribution as it is installed, of those that may be fetched. tmp: bytes.
    """
    tried: list[Budget] = []
    settled: tuple[Budget, Chosen] | None = None
    least: float | None = None
    for budget in budgets:
        tried.append(budget)
        packed = settle(budget.scales, budget.room(fetches=False), tmp=tmp)
        if packed is not None:
            settled = budget, Chosen(packed=packed)
            least = packing(budget.scales, packed) + budget.compiling(packed)
            break
    for budget in tried:
        fetching = Fetching(budget=budget, verdicts=verdicts, sizes=sizes)
        better = fetching.better(budget.room(fetches=True), tmp, least)
        if better is not None:
            return budget, better
    return settled


def packing(scales: Appraisal, packed: Choice) -> float:
    """Seconds that a start takes for what is packed."""
    loads = scales.loads()
    return sum(loads[at].seconds for at in sorted(packed))


@dataclass(frozen=True, kw_only=True)
class Fetching:
    """The groups of an appraisal that can be fetched by their wheels' URLs."""

    budget: Budget
    verdicts: Mapping[str, Verdict]
    sizes: Mapping[str, int]
    """Bytes by distribution, as it is installed."""

    @property
    def scales(self) -> Appraisal:
        """By which they are weighed."""
        return self.budget.scales

    def better(self, room: int, tmp: int, least: float | None) -> Chosen | None:
        """A choice that is worth it to depend on an index for; None: there is none.

        room, tmp: bytes. least: seconds of packing and compiling where nothing is fetched; None:
        that is too much.
        """
        if least is not None and least < WORTH:
            return None
        while self._options:
            loads = self.scales.loads()
            ways = ways_of(loads)
            for at, option in self._options.items():
                ways[at].append((FETCHED, option))
            found = choose_of(ways, loads, room, tmp=tmp)
            if found is None:
                return None
            packed, fetched = _those(found, PACKED), _those(found, FETCHED)
            if self.scales.weigh(packed):
                continue
            if least is not None and least - self._all(packed, fetched) < WORTH:
                return None
            names = [name for at in fetched for name in self.scales.groups[at]]
            return Chosen(
                packed=packed,
                fetched=fetched,
                groups=tuple(self._groups[at] for at in sorted(fetched)),
                seconds=self._seconds(fetched),
                sizes={name: self.sizes[name] for name in names},
            )
        return None

    def _seconds(self, fetched: Choice) -> tuple[float, float]:
        scales = self.scales
        eager = [at for at in sorted(fetched) if scales.provided[at] is None]
        asked = [at for at in sorted(fetched - set(eager)) if scales.is_imported(at)]
        start, later = sum(map(self._fetching, eager)), sum(map(self._fetching, asked))
        # What is needed for the first of them is paid once.
        return start + FETCH * bool(eager), later + FETCH * (bool(asked) and not eager)

    def _all(self, packed: Choice, fetched: Choice) -> float:
        """Seconds that packing, fetching and compiling take."""
        waiting = sum(self._fetching(at) * self._share(at) for at in sorted(fetched))
        waiting += FETCH * any(self._seconds(fetched))
        return packing(self.scales, packed) + waiting + self.budget.compiling(packed, fetched)

    @cached_property
    def _groups(self) -> dict[int, RuntimeGroup]:
        known, scales = by_url(self.verdicts), self.scales
        return {
            at: fetched_group(
                folder_name(at, group), sorted(group), self.sizes, known, scales.provided[at]
            )
            for at, group in enumerate(scales.groups)
            if all(known[name].can_leave and name in self.sizes for name in group)
        }

    @cached_property
    def _options(self) -> dict[int, Option]:
        return {at: self._option(at, group) for at, group in self._groups.items()}

    def _option(self, at: int, group: RuntimeGroup) -> Option:
        scales = self.scales
        # It comes without bytecode. Recorded seconds are others each time, and bundles must not be.
        source = sum(scales.measurement.tree.sizes[path] for path in scales.modules(at))
        seconds = self._fetching(at) + source * COMPILING
        return Option(
            room=scales.entry(at) + sum(len(one.url) + LONGEST_WHEEL for one in group.wheels),
            tmp=group.size,
            seconds=seconds * self._share(at),
        )

    def _share(self, at: int) -> float:
        """How much its seconds count."""
        waits = self.scales.provided[at] is not None and not self.scales.is_imported(at)
        return IDLE if waits else 1.0

    def _fetching(self, at: int) -> float:
        group, names = self._groups[at], self.scales.groups[at]
        files = sum(len(self.scales.measurement.by_name[name].files) for name in names)
        return fetching([one.size for one in group.wheels], group.size, files)


def _those(found: Sequence[int], way: int) -> Choice:
    return frozenset(at for at, one in enumerate(found) if one == way)
