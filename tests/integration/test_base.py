"""Base: what a pull request is compared with, stored by an earlier run or built from a commit."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from overflow import base
from overflow.base import settled_base, store_base
from overflow.comparison import KnownBase, UnknownBase
from overflow.context import read_context
from overflow.launch import Sandbox
from overflow.report import FAULT, REPORT
from overflow.rest import Rest, RestFault
from overflow.runner import read_event
from overflow.stored import Stored
from overflow.wire import failure_to_json, to_json
from tests.support.projects import ProjectFolder, make_project
from tests.support.workspace import GIT, Runner, commit, effective_commands, git, snapshot
from tests.unit.reports import HOSTILE, as_read, failure, fits, overflows

if TYPE_CHECKING:
    from overflow.box import Box
    from overflow.comparison import Base
    from tests.support.index import LocalIndex

ROOT = Path(__file__).parents[2]
OTHER = "f" * 40
PLANNED = to_json(fits())


class Plans:
    """Stands in for the sandbox: what it is asked to plan, what it leaves, and its exit code."""

    def __init__(self, content: str = PLANNED, exit_code: int = 0, name: str = REPORT) -> None:
        self.left = (name, content)
        self.exit_code = exit_code
        self.asked: list[list[str]] = []
        self.boxes: list[Path] = []

    def plan(self, box: Box) -> int:
        self.asked.append(sorted(path.name for path in box.sources.iterdir()))
        self.boxes.append(box.folder)
        name, content = self.left
        if content:
            (box.output / name).write_text(content, encoding="utf-8")
        return self.exit_code


@pytest.fixture
def job(tmp_path: Path) -> Runner:
    """A job for a pull request: the base has one file, the head another one."""
    made = Runner.make(tmp_path)
    project = ProjectFolder(made.workspace / "api")
    project.write("base.txt", "x")
    first = commit(made.workspace)
    project.write("head.txt", "x")
    made.pull_request(first, commit(made.workspace))
    return made


def stored(monkeypatch: pytest.MonkeyPatch, answer: Stored | RestFault | None) -> list[object]:
    """Have an earlier run's report, or none, be found; gives what was asked."""
    asked: list[object] = []

    def find(
        rest: Rest, owner_repo: str, *, artifact_name: str, branch: str, sha: str
    ) -> Stored | None:
        asked.append((owner_repo, artifact_name, branch, sha))
        if isinstance(answer, RestFault):
            raise answer
        return answer

    monkeypatch.setattr(base, "find_report", find)
    return asked


def found(job: Runner, plans: Plans | Sandbox, **environ: str) -> Base | None:
    variables = {**job.environ(OVERFLOW_PROJECT="api", OVERFLOW_TOKEN="t0ken"), **environ}
    context = read_context(variables, read_event(variables))
    # One step looks it up with the token; the next one, which builds, has none.
    store_base(context, variables.pop("OVERFLOW_TOKEN"))
    given = {"PATH": os.environ["PATH"], **GIT, **variables}
    base = settled_base(context, cast("Sandbox", plans), given)
    assert job.boxes == [], "a box is left"
    return base


def base_sha(job: Runner) -> str:
    return git(job.workspace, "rev-parse", "HEAD~1")


def test_no_pull_request(job: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = stored(monkeypatch, None)
    job.event({})
    plans = Plans()
    assert found(job, plans) is None
    assert (asked, plans.asked) == ([], [])


def test_stored_report_of_the_very_commit(
    job: Runner, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is built for it."""
    sha = base_sha(job)
    asked = stored(monkeypatch, Stored(content=to_json(overflows()).encode(), sha=sha))
    plans = Plans()
    expected = KnownBase(report=as_read(overflows()), sha=sha, exact=True)
    assert found(job, plans) == expected
    assert plans.asked == []
    context = read_context(job.environ(OVERFLOW_PROJECT="api"), {})
    assert asked == [("octo/project", context.report_artifact, "main", sha)]
    assert capsys.readouterr().out == f"Base {sha[:9]}: its stored report\n"


def test_report_that_an_earlier_job_left_is_not_taken(
    job: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A self-hosted runner keeps its folders."""
    sha = base_sha(job)
    stored(monkeypatch, Stored(content=to_json(overflows()).encode(), sha=sha))
    found(job, Plans())
    stored(monkeypatch, None)
    plans = Plans()
    known = found(job, plans)
    assert isinstance(known, KnownBase)
    assert known.report.project == fits().project
    assert len(plans.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        None,
        RestFault("forbidden", f"GET /x: 403 {HOSTILE}", status=403),
        Stored(content=b"not a report", sha=OTHER),
        Stored(content=to_json(overflows()).encode(), sha=OTHER),
    ],
    ids=["none", "forbidden", "malformed", "of another commit"],
)
def test_built_where_nothing_exact_is_stored(
    job: Runner,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: Stored | RestFault | None,
) -> None:
    stored(monkeypatch, answer)
    before = snapshot(job.workspace)
    plans = Plans()
    sha = base_sha(job)
    assert found(job, plans) == KnownBase(report=as_read(fits()), sha=sha, exact=True)
    assert plans.asked == [["api"]]
    assert snapshot(job.workspace) == before
    out = capsys.readouterr().out
    assert f"Base {sha[:9]}: its lock, installed and measured" in out
    assert effective_commands(out) == []


def test_without_a_token_it_is_built(job: Runner) -> None:
    """The real search, which cannot even begin."""
    known = found(job, Plans(), OVERFLOW_TOKEN="")
    assert isinstance(known, KnownBase)
    assert known.exact


def test_near_report_is_better_than_none(job: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(monkeypatch, Stored(content=to_json(overflows()).encode(), sha=OTHER))
    expected = KnownBase(report=as_read(overflows()), sha=OTHER, exact=False)
    plans = Plans(failed("lock-stale"), 2, FAULT)
    assert found(job, plans) == expected
    assert len(plans.asked) == 1


def failed(code: str, message: str = "uv.lock is stale") -> str:
    return failure_to_json(replace(failure(message), code=code))


@pytest.mark.parametrize(
    ("plans", "why"),
    [
        (Plans(failed("lock-stale"), 2, FAULT), "lock-stale: uv.lock is stale"),
        (Plans(failed("c", "x" * 900), 4, FAULT), "c: xxx"),
        (Plans(failed("c", HOSTILE), 2, FAULT), "c: "),
        (Plans("", 137), "build-ended: the build ended with exit code 137"),
        (Plans(PLANNED, 1), "build-ended: the build ended with exit code 1"),
        (Plans("", 125), "container-failed: "),
        (Plans("", 0), "report-invalid: report.json cannot be read"),
        (Plans("{}", 0), "report-invalid: report.json: "),
        (Plans(PLANNED, 3), "report-invalid: report.json does not fit exit code 3"),
    ],
)
def test_base_that_cannot_be_measured(
    job: Runner,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    plans: Plans,
    why: str,
) -> None:
    stored(monkeypatch, None)
    unknown = found(job, plans)
    assert isinstance(unknown, UnknownBase)
    start = f"commit {base_sha(job)[:9]} cannot be measured: "
    assert unknown.reason.startswith(start + why)
    assert len(unknown.reason) <= len(start) + 300
    out = capsys.readouterr().out
    assert f"\nBase unknown: commit {base_sha(job)[:9]} " in out
    assert effective_commands(out) == []


def test_link_in_place_of_the_bases_report(job: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even to a good one: only what lies in the box itself counts."""
    stored(monkeypatch, None)
    (job.folder / "good.json").write_text(PLANNED, encoding="utf-8")

    class Links(Plans):
        def plan(self, box: Box) -> int:
            (box.output / REPORT).symlink_to(job.folder / "good.json")
            return 0

    unknown = found(job, Links())
    assert isinstance(unknown, UnknownBase)
    assert "report-invalid: report.json cannot be read" in unknown.reason
    assert (job.folder / "good.json").read_text("utf-8") == PLANNED


def test_each_base_is_planned_in_a_box_of_its_own(
    job: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(monkeypatch, None)
    plans = Plans()
    found(job, plans)
    found(job, plans)
    assert len(set(plans.boxes)) == 2
    assert plans.asked == [["api"], ["api"]]


def test_box_is_gone_when_the_job_is_cancelled(
    job: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(monkeypatch, None)

    class Cancelled(Plans):
        def plan(self, box: Box) -> int:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        found(job, Cancelled())
    assert job.boxes == []


def test_commit_that_cannot_be_had(job: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(monkeypatch, None)
    job.pull_request(OTHER, git(job.workspace, "rev-parse", "HEAD"))
    unknown = found(job, Plans())
    assert isinstance(unknown, UnknownBase)
    assert "fffffffff is not in the checkout, nor can it be fetched" in unknown.reason


def test_project_that_is_new(job: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(monkeypatch, None)
    plans = Plans()
    unknown = found(job, plans, OVERFLOW_PROJECT="new")
    assert isinstance(unknown, UnknownBase)
    assert unknown.reason.endswith("has no folder new")
    assert plans.asked == []


def test_with_a_real_build(
    tmp_path: Path, offline: None, index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base's own lock counts, not the head's."""
    stored(monkeypatch, None)
    job = Runner.make(tmp_path)
    project = make_project(job.workspace, "beta")
    first = commit(job.workspace)
    make_project(job.workspace, "alpha")
    project.write("uv.lock", "broken")
    job.pull_request(first, commit(job.workspace))
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    environ = {
        **os.environ,
        **GIT,
        **job.environ(OVERFLOW_PYTHON=version, OVERFLOW_PUBLIC_INDEX=index.url),
    }
    context = read_context(environ, read_event(environ))
    one = Sandbox(
        context=context, action=ROOT, environ=environ, image=None, python=Path(sys.executable)
    )
    store_base(context, "")
    known = settled_base(context, one, environ)
    assert isinstance(known, KnownBase)
    assert [row.name for row in known.report.rows] == ["beta"]
    assert (known.sha, known.exact, known.report.written) == (first, True, None)
    assert job.boxes == []
