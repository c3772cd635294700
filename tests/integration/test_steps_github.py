"""Steps that speak to GitHub: base, comment, post and release."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from overflow.action import main
from overflow.context import ARTIFACT_PREFIX
from tests.support.github_api import READING, GitHubApi, Trouble
from tests.support.steps import TOKEN
from tests.support.workspace import Runner, effective_commands, git

if TYPE_CHECKING:
    from collections.abc import Callable


FORKS_RUN = {
    "id": 55,
    "event": "pull_request",
    "html_url": "https://github.example/run/55",
    "head_sha": "d" * 40,
    "head_branch": "change",
    "head_repository": {"id": 2, "owner": {"login": "someone"}},
}
"""What GitHub's event says of the run for a fork's pull request."""


def test_pull_request_is_compared_with_its_base(
    job: Runner,
    pull_request: str,
    monkeypatch: pytest.MonkeyPatch,
    log: Callable[[], str],
    api: GitHubApi,
) -> None:
    assert main("build") == 0
    assert f"Base {pull_request[:9]}: its lock, installed and measured" in log()
    assert job.outputs["comments"] == "true"
    growth = int(job.outputs["growth-bytes"])
    assert 20_000 < growth < 50_000, "alpha with its 30 KB came"

    monkeypatch.setenv("OVERFLOW_ARTIFACT_URL", "https://github.example/artifact/9")
    assert main("comment") == 0
    [comment] = api.comments[7]
    assert "alpha" in comment["body"]
    assert pull_request[:7] in comment["body"]
    # Not GITHUB_SHA, which is a merge that nobody sees.
    assert f"Commit {git(job.workspace, 'rev-parse', 'HEAD')[:7]}" in comment["body"]
    assert "https://github.example/artifact/9" in comment["body"]
    assert comment["body"].count("<!-- overflow:comment:") == 1
    assert job.outputs["comment"] == "created"
    assert job.outputs["comment-url"] == comment["html_url"]
    assert main("comment") == 0
    assert job.outputs["comment"] == "unchanged"
    monkeypatch.setenv("OVERFLOW_ARTIFACT_URL", "https://github.example/artifact/10")
    assert main("comment") == 0
    assert job.outputs["comment"] == "updated"
    assert len(api.comments[7]) == 1

    monkeypatch.setenv("OVERFLOW_FAIL_ON", "growth")
    log()
    assert main("gate") == 6
    [(name, properties, message)] = effective_commands(log())
    assert (name, properties["title"]) == ("error", "Gate (growth)")
    assert message.startswith("grows by ")
    assert f"**Gate closed:** {message}\n" in job.summary
    monkeypatch.setenv("OVERFLOW_MAX_GROWTH_MB", "1")
    assert main("gate") == 0


def test_stored_report_of_the_base_is_taken(
    job: Runner,
    pull_request: str,
    api: GitHubApi,
    log: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a run on main uploaded is what the next pull request is held against."""
    assert main("build") == 0
    folder, name = Path(job.outputs["report-folder"]), job.outputs["report-artifact"]
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    api.add_artifact(name, files, branch="main", sha=pull_request)
    log()
    assert main("base") == 0
    monkeypatch.delenv("OVERFLOW_TOKEN")
    assert main("build") == 0
    assert f"Base {pull_request[:9]}: its stored report" in log()
    assert job.outputs["growth-bytes"] == "0"


@pytest.mark.parametrize("gate", ["limit", "growth"])
def test_pull_request_that_wants_no_comment(
    job: Runner, pull_request: str, monkeypatch: pytest.MonkeyPatch, api: GitHubApi, gate: str
) -> None:
    """A base is looked for only where something is held against it."""
    monkeypatch.setenv("OVERFLOW_COMMENT", "never")
    monkeypatch.setenv("OVERFLOW_FAIL_ON", gate)
    assert main("base") == 0
    assert bool(api.requests) is (gate == "growth")
    assert main("build") == 0
    assert job.outputs["comments"] == "false"
    assert (job.outputs["growth-bytes"] != "") is (gate == "growth")


def test_token_of_a_fork_may_not_comment(
    job: Runner, pull_request: str, api: GitHubApi, log: Callable[[], str]
) -> None:
    api.permissions = READING
    assert main("build") == 0
    log()
    assert main("comment") == 0
    assert job.outputs["comment"] == "left-to-artifact"
    [(name, _, message)] = effective_commands(log())
    assert name == "notice"
    assert job.outputs["report-artifact"] in message


def test_comment_of_an_apps_token_is_found_again(
    job: Runner, pull_request: str, api: GitHubApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main("build") == 0
    assert main("comment") == 0
    api.comments[7][0]["user"]["login"] = "my-app[bot]"
    monkeypatch.setenv("OVERFLOW_COMMENT_AUTHOR", "my-app[bot]")
    assert main("comment") == 0
    assert job.outputs["comment"] == "unchanged"
    assert len(api.comments[7]) == 1


def test_event_whose_pull_request_is_none(
    job: Runner, api: GitHubApi, log: Callable[[], str]
) -> None:
    """Before anything is built or asked of anybody."""
    job.event({"pull_request": {"number": 7, "base": {"ref": "main", "sha": "--upload-pack=x"}}})
    for step in ("base", "build", "comment"):
        assert main(step) == 2
        [(name, properties, _)] = effective_commands(log())
        assert (name, properties["title"]) == ("error", "overflow: event-invalid")
    assert api.requests == []


@pytest.mark.parametrize("token", ["", "other"])
def test_comment_that_cannot_be_posted(
    job: Runner,
    pull_request: str,
    monkeypatch: pytest.MonkeyPatch,
    api: GitHubApi,
    log: Callable[[], str],
    token: str,
) -> None:
    assert main("build") == 0
    log()
    monkeypatch.setenv("OVERFLOW_TOKEN", token)
    if token:
        monkeypatch.setenv("OVERFLOW_TOKEN", TOKEN)
        api.troubles.append(Trouble(method="GET", part="comments", status=422, message="no"))
    assert main("comment") == 0
    assert job.outputs["comment"] == "failed"
    assert [name for name, _, _ in effective_commands(log())] == ["notice"]
    assert main("gate") == 0


def test_comment_of_another_run_is_posted_from_its_artifact(
    job: Runner, pull_request: str, api: GitHubApi
) -> None:
    """A fork's run may only upload; the second workflow finds the pull request by the run."""
    assert main("build") == 0
    folder, name = Path(job.outputs["report-folder"]), job.outputs["report-artifact"]
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    api.add_artifact(name, files, run_id=55)
    api.add_pull(9, head="someone:change", sha="d" * 40, head_repository_id=2)
    api.add_artifact(f"{ARTIFACT_PREFIX}{'0' * 20}", b"no zip", run_id=55)
    number = api.add_artifact(job.outputs["artifact-name"], b"the function", run_id=55)
    job.event({"workflow_run": FORKS_RUN})
    assert main("post") == 0
    [comment] = api.comments[9]
    assert "alpha" in comment["body"]
    assert f"https://github.example/run/55/artifacts/{number}" in comment["body"]
    assert "services/api" in comment["body"]


def test_comment_of_another_run_that_cannot_be_posted(
    job: Runner, api: GitHubApi, log: Callable[[], str]
) -> None:
    api.troubles.append(Trouble(method="GET", part="pulls", status=422, message="no"))
    job.event({"workflow_run": FORKS_RUN})
    assert main("post") == 0
    [(name, _, message)] = effective_commands(log())
    assert name == "notice"
    assert "422" in message


def test_no_pull_request_to_comment_on(job: Runner, api: GitHubApi) -> None:
    assert main("comment") == 0
    assert api.requests == []


def test_post_in_another_workflow(job: Runner, log: Callable[[], str]) -> None:
    assert main("post") == 2
    assert effective_commands(log())[0][1]["title"] == "overflow: event-invalid"


@pytest.mark.parametrize("by", ["release", "tag"])
def test_release(
    job: Runner, monkeypatch: pytest.MonkeyPatch, api: GitHubApi, log: Callable[[], str], by: str
) -> None:
    monkeypatch.setenv("OVERFLOW_ARTIFACT_NAME", "shop")
    assert main("build") == 0
    assert job.outputs["artifact-name"] == "shop.zip"
    monkeypatch.setenv("OVERFLOW_ARTIFACT", job.outputs["artifact-path"])
    api.add_release("v1.2.3")
    if by == "release":
        job.event({"release": {"tag_name": "v1.2.3"}})
    else:
        monkeypatch.setenv("GITHUB_REF_TYPE", "tag")
        monkeypatch.setenv("GITHUB_REF_NAME", "v1.2.3")
    log()
    assert main("release") == 0
    [asset] = api.releases["v1.2.3"]["assets"]
    assert asset["name"] == job.outputs["artifact-name"]
    assert asset["digest"] == f"sha256:{job.outputs['zip-sha256']}"
    assert log().startswith(f"{asset['name']} is attached: ")


@pytest.mark.parametrize("kind", ["neither", "no release", "may not"])
def test_release_that_cannot_be(
    job: Runner,
    monkeypatch: pytest.MonkeyPatch,
    api: GitHubApi,
    log: Callable[[], str],
    tmp_path: Path,
    kind: str,
) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK")
    monkeypatch.setenv("OVERFLOW_ARTIFACT", str(tmp_path / "a.zip"))
    monkeypatch.setenv("GITHUB_REF_TYPE", "branch")
    monkeypatch.setenv("GITHUB_REF_NAME", "v1")
    if kind != "neither":
        job.event({"release": {"tag_name": "v1"}})
    if kind == "may not":
        api.add_release("v1")
        api.permissions = READING
    assert main("release") == 2
    [(_, properties, _)] = effective_commands(log())
    code = "release-missing" if kind == "neither" else "release-failed"
    assert properties["title"] == f"overflow: {code}"
