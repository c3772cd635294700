"""Report: the plan and what came of it, for machines (report.json) and for people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from overflow import __version__
from overflow.errors import ExitCode
from overflow.generated import TRAMPOLINE
from overflow.limits import ZIP_DIRECT_MB, in_megabytes, megabytes
from overflow.output import BUNDLE, ZIP
from overflow.plan import Outcome, Placement, Plan
from overflow.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overflow.handler import Handler
    from overflow.target import Target

SCHEMA = 1
"""Version of report.json; its JSON schema is docs/report.schema.json."""

BAR = 40
"""Characters of the bar in the summary."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a build left behind."""

    bundle_bytes: int
    """Sum of the bundle's files as they are on disk."""
    zip_bytes: int
    zip_sha256: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything there is to say of one build or plan."""

    project: str
    target: Target
    handler: Handler
    plan: Plan
    notes: tuple[str, ...]
    """What was made or left out on the way, for people."""
    written: Written | None
    seconds: Mapping[str, float]

    @property
    def exit_code(self) -> ExitCode:
        """What the process ends with."""
        return ExitCode.TOO_LARGE if self.plan.outcome is Outcome.TOO_LARGE else ExitCode.OK

    @property
    def warnings(self) -> tuple[str, ...]:
        """The plan's, and what concerns the upload."""
        written = self.written
        if written is None or written.zip_bytes <= megabytes(ZIP_DIRECT_MB):
            return self.plan.warnings
        through_s3 = (
            f"{ZIP} has {in_megabytes(written.zip_bytes)}: over {ZIP_DIRECT_MB} MB it must"
            " be uploaded through S3"
        )
        return (*self.plan.warnings, through_s3)


def to_json(report: Report) -> str:
    """report.json, as docs/report.schema.json describes it."""
    plan = report.plan
    content = {
        "schema": SCHEMA,
        "overflow_version": __version__,
        "project": report.project,
        "outcome": plan.outcome.value,
        "exit_code": int(report.exit_code),
        "strategy": plan.strategy.value,
        "bound_by": plan.bound_by,
        "remedies": list(plan.remedies),
        "warnings": list(report.warnings),
        "notes": list(report.notes),
        "target": {
            "runtime": report.target.runtime,
            "architecture": report.target.architecture,
            "glibc": ".".join(map(str, report.target.glibc)),
        },
        "function": {
            "handler": f"{TRAMPOLINE}.handler",
            "calls": report.handler.name,
            "interface": report.handler.interface,
            "ephemeral_storage_mb": plan.ephemeral_storage_mb,
        },
        "limits": {
            "threshold_bytes": plan.limits.threshold,
            "limit_bytes": plan.limits.limit,
            "layers_bytes": plan.limits.layers,
            "tmp_bytes": plan.limits.tmp,
        },
        "sizes": _sizes(plan),
        "distributions": [_distribution(place) for place in plan.by_size],
        "artifact": _artifact(report.written),
        "seconds": {key: round(value, 3) for key, value in report.seconds.items()},
    }
    return json.dumps(content, indent=2) + "\n"


def _sizes(plan: Plan) -> dict[str, int]:
    return {
        "installed_bytes": plan.installed_size,
        "project_bytes": plan.project_size,
        "vendored_bytes": plan.vendored_size,
        "support_bytes": plan.support_size,
        "bundle_bytes": plan.bundle_size,
        "deferred_bytes": plan.deferred_size,
    }


def _distribution(place: Placement) -> dict[str, Any]:
    return {
        "name": place.name,
        "version": place.version,
        "bytes": place.size,
        "visibility": place.verdict.visibility.value,
        "reason": place.verdict.reason,
        "placement": place.where.value,
        "note": place.note,
    }


def _artifact(written: Written | None) -> dict[str, Any] | None:
    if written is None:
        return None
    return {
        "bundle": BUNDLE,
        "bundle_bytes": written.bundle_bytes,
        "zip": ZIP,
        "zip_bytes": written.zip_bytes,
        "zip_sha256": written.zip_sha256,
    }


def to_markdown(report: Report) -> str:
    """summary.md: the verdict first, then the figures."""
    return _render("summary.md", report)


def to_text(report: Report) -> str:
    """The same for a terminal, in few lines. Names in it are not made harmless yet."""
    return _render("plan.txt", report)


def _render(template: str, report: Report) -> str:
    return render(
        template,
        report=report,
        plan=report.plan,
        rows=report.plan.by_size,
        trampoline=f"{TRAMPOLINE}.handler",
        bar=bar(report.plan.bundle_size, report.plan.limits.limit),
    )


def bar(size: int, limit: int) -> str:
    """`size` against `limit` in block characters; full where it is over."""
    filled = BAR if limit <= 0 else min(BAR, round(BAR * size / limit))
    return "█" * filled + "░" * (BAR - filled)
