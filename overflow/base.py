"""Base: the report that a pull request is compared with.

The base branch's own run stored one; where that is not of the very commit, the commit's lock is
installed and measured here. What cannot be had either way is unknown, which is not zero.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from overflow.box import new_box
from overflow.checkout import check_out
from overflow.comparison import Base, KnownBase, UnknownBase
from overflow.errors import Fault
from overflow.report import REPORT, Report
from overflow.rest import Rest, RestFault
from overflow.results import read_plan
from overflow.runner import replace_folder, say
from overflow.stored import find_report
from overflow.wire import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overflow.context import Context, PullRequest
    from overflow.launch import Sandbox

COMMIT = "commit"
"""Beside the report that the step before the build leaves: the commit that it is of."""


def store_base(context: Context, token: str) -> None:
    """Leave the base branch's stored report, if there is one, to the build step.

    This step has the token, and the one that runs other people's code does not.
    """
    folder = replace_folder(context.base_state)
    found = _stored(context, context.pull_request, token) if context.pull_request else None
    if found is not None:
        (folder / REPORT).write_text(to_json(found.report), encoding="utf-8")
        (folder / COMMIT).write_text(found.sha, encoding="utf-8")


def settled_base(context: Context, sandbox: Sandbox, environ: Mapping[str, str]) -> Base | None:
    """What the pull request's head is compared with; None where the run is for none."""
    pull_request = context.pull_request
    if pull_request is None:
        return None
    stored = _left(Path(context.base_state), pull_request)
    if stored is not None and stored.exact:
        return _said(stored, "its stored report")
    built = _built(context, pull_request, sandbox, environ)
    if isinstance(built, KnownBase):
        return _said(built, "its lock, installed and measured")
    if stored is not None:
        return _said(stored, "the newest stored report of the branch")
    say(f"Base unknown: {built.reason}")
    return built


def _left(folder: Path, pull_request: PullRequest) -> KnownBase | None:
    if not (folder / COMMIT).is_file():
        return None
    sha = (folder / COMMIT).read_text("utf-8")
    report = from_json((folder / REPORT).read_bytes())
    return KnownBase(report=report, sha=sha, exact=sha == pull_request.base_sha)


def _said(base: KnownBase, how: str) -> KnownBase:
    say(f"Base {base.sha[:9]}: {how}")
    return base


def _stored(context: Context, pull_request: PullRequest, token: str) -> KnownBase | None:
    try:
        found = find_report(
            Rest(context.api_url, token),
            context.repository,
            artifact_name=context.report_artifact,
            branch=pull_request.base_ref,
            sha=pull_request.base_sha,
        )
        if found is None:
            return None
        exact = found.sha == pull_request.base_sha
        return KnownBase(report=from_json(found.content), sha=found.sha, exact=exact)
    except (RestFault, Fault) as fault:
        say(f"The base branch's stored report cannot be had: {fault.message}")
        return None


def _built(
    context: Context, pull_request: PullRequest, sandbox: Sandbox, environ: Mapping[str, str]
) -> KnownBase | UnknownBase:
    sha = pull_request.base_sha
    with new_box(Path(context.work)) as box:
        if not check_out(Path(context.workspace), sha, box.sources, environ):
            reason = "is not in the checkout, nor can it be fetched"
            return UnknownBase(reason=f"commit {sha[:9]} {reason}")
        if not (box.sources / context.project).is_dir():
            return UnknownBase(reason=f"commit {sha[:9]} has no folder {context.project}")
        say(f"Measuring the base, {sha[:9]}")
        report = read_plan(box.output, sandbox.plan(box))
    if isinstance(report, Report):
        return KnownBase(report=report, sha=sha, exact=True)
    why = f"{report.code}: {report.message}"[:300]
    return UnknownBase(reason=f"commit {sha[:9]} cannot be measured: {why}")
