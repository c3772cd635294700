"""Context: which run of which workflow this is, as the runner's variables and event say it."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from overflow.errors import InputFault

if TYPE_CHECKING:
    from collections.abc import Mapping

ARTIFACT_PREFIX = "overflow-report-"
"""What the names of report artifacts begin with; the leg's key follows."""


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """The pull request that the run is for. Branch names are hostile text."""

    number: int
    base_ref: str
    base_sha: str
    head_sha: str
    is_fork: bool


@dataclass(frozen=True, kw_only=True)
class Context:
    """One job's run. Paths are absolute, except the project's."""

    repository: str
    """`owner/name`."""
    workflow: str
    job: str
    matrix: str
    """The leg's values as JSON; empty where the job has no matrix."""
    project: str
    """The project's folder, relative to the workspace."""
    workspace: str
    temp: str
    event_name: str
    event: Mapping[str, Any]
    sha: str
    api_url: str
    run_url: str

    @property
    def key(self) -> str:
        """What tells this leg's comment and stored report from all others of the repository."""
        parts = [self.workflow, self.job, self.matrix, self.project]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]

    @property
    def state(self) -> str:
        """The folder that the action's steps share, out of the sandbox's reach."""
        return f"{self.work}/{self.key}"

    @property
    def base_state(self) -> str:
        """The folder in which the step before the build leaves the base's stored report."""
        return f"{self.work}/base-{self.key}"

    @property
    def work(self) -> str:
        """The action's folder on the runner, below which boxes are made."""
        return f"{self.temp}/overflow"

    @property
    def report_artifact(self) -> str:
        """Name of the artifact that holds the report, and what a comment is made from."""
        return f"{ARTIFACT_PREFIX}{self.key}"

    @property
    def leg(self) -> str:
        """Project and matrix values for people: `services/api, 3.12, arm64`; empty if alone."""
        values = json.loads(self.matrix).values() if self.matrix else ()
        texts = [one if isinstance(one, str) else json.dumps(one) for one in values]
        named = [self.project] if self.project != "." else []
        return ", ".join([*named, *(text for text in texts if text not in named)])

    @cached_property
    def pull_request(self) -> PullRequest | None:
        """The pull request of the event, if it is of one."""
        found = self.event.get("pull_request")
        if not isinstance(found, dict):
            return None
        try:
            base, head = found["base"], found["head"]
            repository = head.get("repo") or {}  # null once a fork is deleted
            return PullRequest(
                number=int(found["number"]),
                base_ref=str(base["ref"]),
                base_sha=_sha(base["sha"]),
                head_sha=_sha(head["sha"]),
                is_fork=repository.get("full_name") != self.repository,
            )
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise _invalid("the event's pull_request is incomplete") from error


def read_context(environ: Mapping[str, str], event: Mapping[str, Any]) -> Context:
    """The context in the runner's variables; raises InputFault where one is missing."""

    def variable(name: str) -> str:
        value = environ.get(name, "")
        if not value:
            raise InputFault(
                "not-in-actions",
                f"{name} is not set: these steps run inside GitHub Actions",
                hint="use `overflow build` elsewhere",
            )
        return value

    workspace = variable("GITHUB_WORKSPACE").rstrip("/")
    server, repository = variable("GITHUB_SERVER_URL"), variable("GITHUB_REPOSITORY")
    return Context(
        repository=repository,
        workflow=variable("GITHUB_WORKFLOW"),
        job=variable("GITHUB_JOB"),
        matrix=_matrix(environ.get("OVERFLOW_MATRIX", "")),
        project=_inside(workspace, environ.get("OVERFLOW_PROJECT", "").strip() or "."),
        workspace=workspace,
        temp=variable("RUNNER_TEMP").rstrip("/"),
        event_name=variable("GITHUB_EVENT_NAME"),
        event=event,
        sha=variable("GITHUB_SHA"),
        api_url=variable("GITHUB_API_URL"),
        run_url=f"{server}/{repository}/actions/runs/{variable('GITHUB_RUN_ID')}",
    )


def _inside(workspace: str, project: str) -> str:
    path = posixpath.relpath(posixpath.join(workspace, project), workspace)
    if path == ".." or path.startswith("../"):
        raise InputFault(
            "project-outside-workspace",
            f"project: {project!r} is outside the workspace",
            hint="name a folder of the repository that is checked out, relative to its root",
        )
    return path


def _matrix(text: str) -> str:
    """The leg as canonical JSON; GitHub gives `null` for a job without a matrix, act `{}`."""
    try:
        values = json.loads(text) if text.strip() else None
    except (ValueError, RecursionError):
        values = None
    return json.dumps(values, sort_keys=True) if values and isinstance(values, dict) else ""


def _sha(value: object) -> str:
    text = str(value)
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text):
        raise _invalid(f"the event's commit {text[:80]!r} is none")
    return text


def _invalid(what: str) -> InputFault:
    return InputFault("event-invalid", what, hint="run the action on GitHub's own events")
