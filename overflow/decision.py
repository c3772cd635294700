"""Decision: the plan of a bundle, and the files that this plan needs beside the project's.

Of strategies `pack` and `auto`; `defer` is in deferral.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from overflow.appraisal import Appraisal
from overflow.budget import START, Budget, compiled, own_modules
from overflow.bytecode import cached_name
from overflow.fetching import Chosen, choose
from overflow.forecast import Terms, forecast, others
from overflow.generated import Generated, fetching_files, generate
from overflow.grouping import group
from overflow.installer import InstalledBy
from overflow.limits import MARGIN, TMP_HEADROOM
from overflow.packing import everything, packed_plan
from overflow.plan import Outcome, Placement, Plan, Strategy, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from overflow.budget import Module
    from overflow.bytecode import Compiled, Compiler
    from overflow.cache import Cache
    from overflow.classify import Verdict
    from overflow.crate import Crate
    from overflow.grouping import Group
    from overflow.handler import Handler
    from overflow.limits import Limits
    from overflow.measure import Distribution, Measurement
    from overflow.report import Prediction
    from overflow.runtime.manifest import Group as RuntimeGroup
    from overflow.startup import Recording
    from overflow.target import Target
    from overflow.tree import Tree


ON_IMPORT = {
    Where.PACKED: "unpacked on first import",
    Where.DEFERRED: "fetched on first import",
}
"""Said of what is lazy."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What was decided."""

    plan: Plan
    generated: Generated
    crates: tuple[Crate, ...] = ()
    """What is packed."""
    bytecode: Mapping[str, Compiled] = field(default_factory=dict)
    """Bytecode by its path in the bundle."""
    prediction: Prediction | None = None
    """None where nothing is known of the start."""


@dataclass(frozen=True, kw_only=True)
class Materials:
    """What packing is done with."""

    measurement: Measurement
    project: Tree
    recording: Recording
    compiler: Compiler
    cache: Cache
    whole: Mapping[str, int]
    """Bytes of each distribution as it is installed, whatever was trimmed of it."""
    folder: Path
    """For what is made on the way; it is there."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a decision is made from, beside the distributions. Sizes are bytes."""

    target: Target
    handler: Handler
    project_size: int
    limits: Limits
    strategy: Strategy
    runtime_install: bool
    lazy: bool
    installed_by: InstalledBy
    """Who installs what `defer` defers."""
    network: bool
    """Whether the function may fetch anything with `auto`."""

    @property
    def may_fetch(self) -> bool:
        """Whether anything may be fetched that need not be."""
        return self.strategy is Strategy.AUTO and self.network and self.runtime_install

    @property
    def threshold(self) -> int:
        """Bytes up to which nothing overflows."""
        return min(self.limits.threshold, self.limits.limit)

    @property
    def most(self) -> int:
        """Bytes that a bundle is to have at most where something is packed."""
        return max(0, self.limits.limit - MARGIN)

    @property
    def tmp(self) -> int:
        """Bytes of /tmp that can be put to use."""
        return int(self.limits.tmp / TMP_HEADROOM)


def pack(
    question: Question,
    materials: Materials,
    verdicts: Mapping[str, Verdict],
    search_folders: Callable[[Distribution], frozenset[str]],
) -> Decision:
    """Decide for `pack` or `auto`, and make the crates and the bytecode that were decided on.

    Bytecode of what start-up imports is worth more than what is unpacked for it, so it is asked
    for first; where that is too much, all is tried without it, and then up to the limit itself.
    """
    groups = group(materials.measurement.distributions, search_folders)
    plain = generate(
        target=question.target, handler=question.handler, deferred=(), verdicts=verdicts
    )
    used = question.project_size + plain.size
    budget = Budget(
        scales=_scales(question, materials, groups, with_bytecode=False),
        modules=_modules(question, materials, plain),
        own={},
        used=used,
        most=question.most,
    )
    if used + materials.measurement.size <= question.threshold:
        # Nothing overflows for want of room for bytecode: that gets what is left.
        budget.scales.weigh(frozenset())
        return _packed(question, budget, Chosen(packed=frozenset()), verdicts, ())
    at_start = [one for one in budget.modules if one.use == START]
    compiling = replace(
        budget,
        scales=_scales(question, materials, groups, with_bytecode=True),
        own=compiled(materials.compiler, at_start),
    )
    budgets = compiling, budget, replace(budget, most=question.limits.limit)
    sizes = materials.whole if question.may_fetch else {}
    found = choose(budgets, verdicts, sizes, tmp=question.tmp)
    last, chosen = found or (budgets[-1], Chosen(packed=everything(budget.scales.loads())))
    return _packed(question, last, chosen, verdicts, budgets)


def _scales(
    question: Question, materials: Materials, groups: Sequence[Group], *, with_bytecode: bool
) -> Appraisal:
    return Appraisal(
        measurement=materials.measurement,
        groups=groups,
        recording=materials.recording,
        compiler=materials.compiler,
        cache=materials.cache,
        tag=question.target.cache_tag,
        folder=materials.folder / ("packed" if with_bytecode else "packed-plain"),
        can_pack=question.runtime_install,
        lazy=question.lazy and question.strategy is Strategy.AUTO,
        with_bytecode=with_bytecode,
    )


def _modules(question: Question, materials: Materials, plain: Generated) -> list[Module]:
    """Those of the project and of the runtime package, with what may fetch."""
    folder, project = materials.folder / "generated", materials.project
    files = {**plain.files, **fetching_files()}
    for path, content in files.items():
        source = folder / path
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_bytes(content)
    return own_modules(project, files, materials.recording, folder, question.target.cache_tag)


def _packed(
    question: Question,
    budget: Budget,
    chosen: Chosen,
    verdicts: Mapping[str, Verdict],
    budgets: Sequence[Budget],
) -> Decision:
    """The decision for a choice, which may be too large.

    budgets: what it was chosen from; none where nothing overflows.
    """
    scales = budget.scales
    groups = (*scales.packed(chosen.packed), *chosen.groups)
    generated = generate(
        target=question.target,
        handler=question.handler,
        deferred=(),
        verdicts=verdicts,
        groups=groups,
        info=scales.info(chosen.leaving),
    )
    placements = _placements(scales, chosen, verdicts)
    plan = _plan(question, placements, generated.size, groups)
    bytecode = budget.bytecode(chosen.packed, chosen.fetched)
    left = question.most - plan.bundle_size - _total(bytecode)
    bytecode |= budget.more_bytecode(chosen.packed, chosen.fetched, bytecode, left)
    plan = packed_plan(replace(plan, bytecode_size=_total(bytecode)))
    prediction = _prediction(question, scales, chosen, plan, bytecode, budgets)
    return Decision(
        plan=plan,
        generated=generated,
        crates=tuple(scales.crates(chosen.packed).values()),
        bytecode=bytecode,
        prediction=prediction,
    )


def _plan(
    question: Question,
    placements: tuple[Placement, ...],
    support_size: int,
    groups: Sequence[RuntimeGroup],
) -> Plan:
    """The plan without bytecode, and without a look at the limit; groups: those of the manifest."""
    return Plan(
        outcome=Outcome.FITS,
        strategy=question.strategy,
        placements=placements,
        project_size=question.project_size,
        support_size=support_size,
        limits=question.limits,
        unpacked_size=sum(one.size for one in groups if not one.wheels),
        on_import_size=sum(one.size for one in groups if one.provides is not None),
        installed_by=InstalledBy.BUILTIN,
        bound_by="",
    )


def _prediction(
    question: Question,
    scales: Appraisal,
    chosen: Chosen,
    plan: Plan,
    bytecode: Collection[str],
    budgets: Sequence[Budget],
) -> Prediction | None:
    """What the start will take, and what it would with the other strategies."""
    recording = scales.recording
    if not recording.start or plan.outcome is Outcome.TOO_LARGE:
        return None
    tag = question.target.cache_tag
    modules = (path for path in recording.all if path.endswith(".py"))
    beside = {path for path in modules if cached_name(path, tag) in bytecode}
    terms = Terms(
        strategy=question.strategy,
        chosen=None if chosen.fetched else chosen.packed,
        compiled=beside | scales.compiled(chosen.packed),
        scales=scales,
        budgets=budgets,
        tmp=question.tmp,
        lazy=question.lazy,
        deferred=sum(p.size for p in plan.placements if p.verdict.is_public) if budgets else 0,
    )
    found = forecast(scales, chosen.packed, terms.compiled, chosen.seconds)
    return replace(found, strategies={question.strategy.value: found.total, **others(terms)})


def _placements(
    scales: Appraisal, chosen: Chosen, verdicts: Mapping[str, Verdict]
) -> tuple[Placement, ...]:
    crates = scales.crates(chosen.packed).values()
    compressed = {name: size for crate in crates for name, size in crate.parts.items()}
    waiting = scales.waiting(chosen.leaving)
    where = {
        **dict.fromkeys(compressed, Where.PACKED),
        **dict.fromkeys(chosen.sizes, Where.DEFERRED),
    }
    return tuple(
        Placement(
            name=one.name,
            version=one.version,
            size=chosen.sizes.get(one.name, one.size),
            where=where.get(one.name, Where.VENDORED),
            verdict=verdicts[one.name],
            note=ON_IMPORT[where[one.name]] if one.name in waiting else "",
            compressed=compressed.get(one.name, 0),
        )
        for one in scales.measurement.distributions
    )


def _total(bytecode: Mapping[str, Compiled]) -> int:
    return sum(one.size for one in bytecode.values())
