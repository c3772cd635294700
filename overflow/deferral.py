"""Deferral: the decision of strategy `defer`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from overflow.costs import CLIENT, FETCH, fetching, installing
from overflow.decision import Decision, Question
from overflow.generated import Generated, generate
from overflow.grouping import group
from overflow.installer import InstalledBy
from overflow.plan import Outcome, decide
from overflow.report import Prediction
from overflow.wheels import by_url, fetched

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from overflow.classify import Verdict
    from overflow.grouping import Group
    from overflow.measure import Distribution
    from overflow.plan import Plan


_NOWHERE = frozenset[str]()


def answer(
    question: Question,
    distributions: Sequence[Distribution],
    verdicts: Mapping[str, Verdict],
    search_folders: Callable[[Distribution], frozenset[str]],
) -> Decision:
    """Decide; search_folders: where a distribution's shared objects look for others.

    uv installs public distributions into one folder, so only private ones are asked that.
    """
    is_builtin = question.installed_by is InstalledBy.BUILTIN
    verdicts = by_url(verdicts) if is_builtin else verdicts

    uvs = {name for name, one in verdicts.items() if one.is_public and not is_builtin}
    groups = group(distributions, lambda one: _NOWHERE if one.name in uvs else search_folders(one))
    generated = partial(_generated, question, distributions, verdicts, groups)
    plan = decide(
        distributions,
        verdicts=verdicts,
        groups=groups,
        project_size=question.project_size,
        support_of=lambda names: generated(names).size,
        limits=question.limits,
        strategy=question.strategy,
        runtime_install=question.runtime_install,
    )
    plan = replace(plan, installed_by=question.installed_by)
    return Decision(
        plan=plan,
        generated=generated({place.name for place in plan.deferred}),
        prediction=_prediction(plan, distributions),
    )


def _generated(
    question: Question,
    distributions: Sequence[Distribution],
    verdicts: Mapping[str, Verdict],
    groups: Sequence[Group],
    names: Collection[str],
) -> Generated:
    """What a bundle has of overflow that defers these names."""
    is_builtin = question.installed_by is InstalledBy.BUILTIN
    sizes = {one.name: one.size for one in distributions}
    return generate(
        target=question.target,
        handler=question.handler,
        deferred=[one for one in distributions if one.name in names and not is_builtin],
        verdicts=verdicts,
        groups=fetched(groups, names, sizes, verdicts) if is_builtin else (),
    )


def _prediction(plan: Plan, distributions: Sequence[Distribution]) -> Prediction | None:
    """What the installation takes: imports are not recorded, so the rest is not known."""
    if plan.outcome is not Outcome.OVERFLOWS:
        return None
    names = {place.name for place in plan.deferred}
    install = installing(plan.deferred_size)
    if plan.installed_by is InstalledBy.BUILTIN:
        wheels = [place.verdict.wheel.size for place in plan.deferred if place.verdict.wheel]
        files = sum(len(one.files) for one in distributions if one.name in names)
        install = FETCH + fetching(wheels, plan.deferred_size, files)
    return Prediction(client=CLIENT, install=install, execute=0.0, compile=0.0, later=0.0)
