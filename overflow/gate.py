"""Gate: whether the job stops, once everything has been said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from overflow.errors import ExitCode
from overflow.limits import in_megabytes
from overflow.plan import Outcome

if TYPE_CHECKING:
    from overflow.report import Report


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the gate says."""

    exit_code: int
    reason: str
    """For people."""


def judge(report: Report, *, fail_on: str, growth: int | None, max_growth: int) -> Judgement:
    """Hold a report against the gate that the user chose.

    fail_on: `limit`, `threshold` and `growth` stop a bundle that Lambda refuses, each of the
    latter two something more; `never` stops nothing. growth: bytes that the pull request adds,
    None where that is unknown, which stops nothing: nobody can mend it.
    """
    if fail_on == "never":
        return Judgement(exit_code=0, reason="fail-on is `never`")
    if report.outcome is Outcome.TOO_LARGE:
        return Judgement(exit_code=int(ExitCode.TOO_LARGE), reason=report.headline)
    if fail_on == "threshold" and _over_threshold(report):
        threshold = in_megabytes(report.limits.threshold)
        return _closed(f"over the threshold of {threshold}: {report.headline}")
    if fail_on == "growth" and growth is None:
        return Judgement(exit_code=0, reason="growth is unknown, so nothing is held against it")
    if fail_on == "growth" and growth is not None and growth > max_growth:
        grown, most = in_megabytes(growth), in_megabytes(max_growth)
        return _closed(f"grows by {grown}, and max-growth-mb allows {most}")
    return Judgement(exit_code=0, reason=report.headline)


def _over_threshold(report: Report) -> bool:
    """Bytecode fills the room there is, up to the limit: it is no reason to stop."""
    needed = report.sizes.bundle - report.sizes.bytecode
    return report.outcome is Outcome.OVERFLOWS or needed > report.limits.threshold


def _closed(reason: str) -> Judgement:
    return Judgement(exit_code=int(ExitCode.GATE), reason=reason)
