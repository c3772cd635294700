"""Reporting: from the plan and what came of it to a report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from overflow import __version__
from overflow.generated import TRAMPOLINE
from overflow.limits import memory_needed_mb
from overflow.report import Function, Report, Row, Sizes
from overflow.slowness import memory_of_slow_start_mb, slow_start_warnings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from overflow.handler import Handler
    from overflow.plan import Placement, Plan
    from overflow.proof import Proof
    from overflow.report import Place, Prediction, Written
    from overflow.target import Target


def report_of(
    plan: Plan,
    *,
    project: str,
    target: Target,
    handler: Handler,
    declared: Mapping[str, Place],
    notes: Sequence[str] = (),
    written: Written | None = None,
    seconds: Mapping[str, float],
) -> Report:
    """What there is to say of a plan; declared: where the project asks for a distribution."""
    return Report(
        version=__version__,
        project=project,
        outcome=plan.outcome,
        strategy=plan.strategy.value,
        bound_by=plan.bound_by,
        remedies=plan.remedies,
        plan_warnings=plan.warnings,
        notes=tuple(notes),
        function=_function(plan, target, handler),
        limits=plan.limits,
        sizes=_sizes(plan),
        rows=tuple(_row(place, declared.get(place.name)) for place in plan.by_size),
        written=written,
        seconds=seconds,
    )


def with_start(
    report: Report, *, target: Target, prediction: Prediction | None, proof: Proof | None
) -> Report:
    """The report with what was predicted and found of the start, and what to do about it."""
    cold = proof.cold if proof else None
    install = max(cold.install if cold else 0.0, prediction.install if prediction else 0.0)
    slow = slow_start_warnings(
        cold.total if cold else None,
        prediction.seconds if prediction else None,
        install=install,
        without_imports=cold is None and not report.records_imports,
        python=target.python,
        ephemeral_storage_mb=report.function.ephemeral_storage_mb,
    )
    found = (*report.plan_warnings, *(proof.warnings if proof else ()), *slow)
    function = report.function
    if slow:
        memory = max(function.memory_mb, memory_of_slow_start_mb(install))
        function = replace(function, memory_mb=memory)
    return replace(
        report, plan_warnings=found, function=function, prediction=prediction, proof=proof
    )


def _function(plan: Plan, target: Target, handler: Handler) -> Function:
    return Function(
        runtime=target.runtime,
        architecture=target.architecture,
        glibc=".".join(map(str, target.glibc)),
        handler=f"{TRAMPOLINE}.handler",
        calls=handler.name,
        interface=handler.interface,
        ephemeral_storage_mb=plan.ephemeral_storage_mb,
        memory_mb=memory_needed_mb(plan.installed_size, overflow=plan.overflow_size),
        installer=plan.installed_by.value if plan.deferred else "",
    )


def _sizes(plan: Plan) -> Sizes:
    return Sizes(
        installed=plan.installed_size,
        project=plan.project_size,
        vendored=plan.vendored_size,
        support=plan.support_size,
        bytecode=plan.bytecode_size,
        packed=plan.packed_size,
        bundle=plan.bundle_size,
        deferred=plan.deferred_size,
        unpacked=plan.unpacked_size,
        on_import=plan.on_import_size,
    )


def _row(place: Placement, declared: Place | None) -> Row:
    return Row(
        name=place.name,
        version=place.version,
        size=place.size,
        visibility=place.verdict.visibility.value,
        reason=place.verdict.reason,
        placement=place.where.value,
        note=place.note,
        compressed=place.compressed,
        declared=declared,
    )
