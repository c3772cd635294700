"""Decision: the plan of a bundle, and the files that this plan needs beside the project's."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from overflow.appraisal import Appraisal
from overflow.bytecode import TASK, cached_name
from overflow.forecast import Terms, forecast, others
from overflow.generated import Generated, generate
from overflow.grouping import group
from overflow.limits import MARGIN, TMP_HEADROOM
from overflow.packing import Choice, everything, packed_plan, settle
from overflow.plan import Outcome, Placement, Plan, Strategy, Where, decide

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from overflow.bytecode import Compiled, Compiler
    from overflow.cache import Cache
    from overflow.classify import Verdict
    from overflow.crate import Crate
    from overflow.grouping import Group
    from overflow.handler import Handler
    from overflow.limits import Limits
    from overflow.measure import Distribution, Measurement
    from overflow.report import Prediction
    from overflow.startup import Recording
    from overflow.target import Target
    from overflow.tree import Tree


ON_IMPORT = "unpacked on first import"


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


def answer(
    question: Question,
    distributions: Sequence[Distribution],
    verdicts: Mapping[str, Verdict],
    search_folders: Callable[[Distribution], frozenset[str]],
) -> Decision:
    """Decide; search_folders: where a distribution's shared objects look for others.

    Public distributions leave together, so only private ones are asked that.
    """

    def generated(names: Collection[str]) -> Generated:
        deferred = [one for one in distributions if one.name in names]
        return generate(
            target=question.target, handler=question.handler, deferred=deferred, verdicts=verdicts
        )

    def searched(distribution: Distribution) -> frozenset[str]:
        if verdicts[distribution.name].is_public:
            return frozenset()
        return search_folders(distribution)

    plan = decide(
        distributions,
        verdicts=verdicts,
        groups=group(distributions, searched),
        project_size=question.project_size,
        support_of=lambda names: generated(names).size,
        limits=question.limits,
        strategy=question.strategy,
        runtime_install=question.runtime_install,
    )
    return Decision(plan=plan, generated=generated({place.name for place in plan.deferred}))


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
    own = _own_bytecode(materials, plain, question.target)
    used = question.project_size + plain.size
    size = used + materials.measurement.size
    if size <= question.threshold:
        # Nothing overflows for want of room for bytecode: that gets what is left.
        own = own if size + _total(own) <= question.most else {}
        scales = _scales(question, materials, groups, with_bytecode=False)
        scales.weigh(frozenset())
        return _packed(question, scales, frozenset(), verdicts, own, None)
    scales, room = _scales(question, materials, groups, with_bytecode=True), question.most - used
    choice = settle(scales, room - _total(own), tmp=question.tmp)
    if choice is None:
        own = {}
        scales = _scales(question, materials, groups, with_bytecode=False)
        choice = settle(scales, room, tmp=question.tmp)
    if choice is None:
        room = question.limits.limit - used
        choice = settle(scales, room, tmp=question.tmp)
    return _packed(question, scales, choice, verdicts, own, room - _total(own))


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


def _own_bytecode(
    materials: Materials, generated: Generated, target: Target
) -> dict[str, Compiled]:
    """That of the runtime package, and of the project's modules that start-up imports."""
    sources: dict[str, Path] = {}
    for path, content in generated.files.items():
        if path.endswith(".py"):
            sources[path] = materials.folder / "generated" / path
            sources[path].parent.mkdir(parents=True, exist_ok=True)
            sources[path].write_bytes(content)
    project = materials.project
    for path in project.sizes.keys() & materials.recording.start:
        if path.endswith(".py"):
            sources[path] = project.root / path
    named = {f"{TASK}/{path}": sources[path] for path in sorted(sources)}
    compiled = materials.compiler.compile(named)
    places = {
        cached_name(name.removeprefix(f"{TASK}/"), target.cache_tag): one
        for name, one in compiled.items()
    }
    return {place: one for place, one in places.items() if place not in project.sizes}


def _packed(
    question: Question,
    scales: Appraisal,
    settled: Choice | None,
    verdicts: Mapping[str, Verdict],
    own: Mapping[str, Compiled],
    room: int | None,
) -> Decision:
    """The decision for a choice; None: even with everything packed it is too large.

    room: bytes that there were for what was chosen among; None where nothing overflows.
    """
    choice = everything(scales.loads()) if settled is None else settled
    generated = generate(
        target=question.target,
        handler=question.handler,
        deferred=(),
        verdicts=verdicts,
        groups=scales.packed(choice),
        info=scales.info(choice),
    )
    crates = tuple(scales.crates(choice).values())
    plan = Plan(
        outcome=Outcome.FITS,
        strategy=question.strategy,
        placements=_placements(scales, choice, verdicts),
        project_size=question.project_size,
        support_size=generated.size,
        limits=question.limits,
        unpacked_size=sum(crate.unpacked for crate in crates),
        bound_by="",
    )
    bytecode = {**own, **scales.bytecode(choice)}
    bytecode |= scales.more_bytecode(choice, question.most - plan.bundle_size - _total(bytecode))
    plan = packed_plan(replace(plan, bytecode_size=_total(bytecode)))
    prediction = _prediction(question, scales, choice, plan, bytecode, room)
    return Decision(
        plan=plan, generated=generated, crates=crates, bytecode=bytecode, prediction=prediction
    )


def _prediction(
    question: Question,
    scales: Appraisal,
    choice: Choice,
    plan: Plan,
    bytecode: Collection[str],
    room: int | None,
) -> Prediction | None:
    """What the start will take, and what it would with the other strategies."""
    recording = scales.recording
    if not recording.start or plan.outcome is Outcome.TOO_LARGE:
        return None
    tag = question.target.cache_tag
    modules = (path for path in recording.all if path.endswith(".py"))
    beside = {path for path in modules if cached_name(path, tag) in bytecode}
    terms = Terms(
        room=room,
        tmp=question.tmp,
        lazy=question.lazy,
        deferred=0 if room is None else sum(p.size for p in plan.placements if p.verdict.is_public),
    )
    found = forecast(scales, choice, beside | scales.compiled(choice))
    strategies = {question.strategy.value: found.total}
    strategies |= others(scales, terms, question.strategy)
    return replace(found, strategies=strategies)


def _placements(
    scales: Appraisal, choice: Choice, verdicts: Mapping[str, Verdict]
) -> tuple[Placement, ...]:
    crates = scales.crates(choice).values()
    compressed = {name: size for crate in crates for name, size in crate.parts.items()}
    waiting = scales.waiting(choice)
    return tuple(
        Placement(
            name=one.name,
            version=one.version,
            size=one.size,
            where=Where.PACKED if one.name in compressed else Where.VENDORED,
            verdict=verdicts[one.name],
            note=ON_IMPORT if one.name in waiting else "",
            compressed=compressed.get(one.name, 0),
        )
        for one in scales.measurement.distributions
    )


def _total(bytecode: Mapping[str, Compiled]) -> int:
    return sum(one.size for one in bytecode.values())
