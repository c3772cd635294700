"""Decision: the plan of a bundle, and the files that this plan needs beside the project's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from overflow.generated import Generated, generate
from overflow.grouping import group
from overflow.plan import Plan, Strategy, decide

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from overflow.classify import Verdict
    from overflow.handler import Handler
    from overflow.limits import Limits
    from overflow.measure import Distribution
    from overflow.target import Target


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What was decided."""

    plan: Plan
    generated: Generated


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a decision is made from, beside the distributions. Sizes are bytes."""

    target: Target
    handler: Handler
    project_size: int
    limits: Limits
    strategy: Strategy
    runtime_install: bool


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
