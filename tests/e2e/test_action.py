"""The action end to end: act runs real workflows, with a real container and real uploads.

GitHub's API and artifact service are on loopback and hold each request against GitHub's own
description; the summaries and comments are golden files.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from overflow.cli import main
from tests.support.action import REPOSITORY, ROOT, World, make_repository, pull_request_event
from tests.support.artifacts import ArtifactService
from tests.support.docker import PYTHON
from tests.support.github_api import GitHubApi
from tests.support.outcome import (
    PLANTED,
    SECRET,
    TOKEN,
    Outcome,
    check_golden,
    check_no_secret,
    pull_request,
    small_project,
    uv,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.pypi

RUNNER = 12345
"""A user that /etc/passwd does not know and that is not root, as a runner's is."""

NO_BASE = "0" * 40


@pytest.fixture(scope="session")
def grown(shared: Path) -> Path:
    """examples/flask before and after scipy came to it: `before` and `after`."""
    folder = shared / "grown"
    shutil.copytree(ROOT / "examples" / "flask", folder / "after")
    shutil.copytree(folder / "after", folder / "before")
    uv("remove", "--no-sync", "scipy", folder=folder / "before")
    return folder


@pytest.mark.parametrize("mode", ["container", "native"])
def test_pull_request_of_the_example(
    mode: str, act: Callable[..., Outcome], base: str, grown: Path, scratch: Path
) -> None:
    """The whole way in both modes: the same zip, the same summary and comment."""
    repository = pull_request(scratch / "repository", grown / "before", grown / "after")
    header = "http.https://github.com/.extraheader"
    repository.git("config", header, f"AUTHORIZATION: basic {SECRET}")
    env = {**PLANTED, "OVERFLOW_BASE_IMAGE": base, "OVERFLOW_IMAGE_PYTHONS": PYTHON}
    user = None
    if mode == "container":
        user = RUNNER
        subprocess.run(["chown", "-R", f"{user}:{user}", str(repository.folder)], check=True)
    outcome = act(repository, {"mode": mode}, env=env, user=user)

    outputs, look = outcome.outputs(), outcome.job().steps["look"].outputs
    assert outputs["mode"] == mode
    assert outputs["outcome"] == "overflows"
    assert outputs["overflow"] == "true"
    assert outputs["comment"] == "created"
    assert outputs["handler"] == "overflow_trampoline.handler"
    assert int(outputs["total-bytes"]) > 270_000_000
    assert int(outputs["growth-bytes"]) > 100_000_000
    assert not [name for name, value in outputs.items() if not value]
    assert look["status"].replace("?? .github/", "").strip() == ""
    if user is not None:
        assert look["owned-by-root"] == "0"
    # What is uploaded is what the command builds, to the byte, and said with its checksum.
    output = scratch / "output"
    assert main(["build", str(grown / "after"), "--output", str(output), "--python", PYTHON]) == 0
    assert outcome.zip() == (output / "function.zip").read_bytes()
    artifact = outcome.artifacts.artifacts[outputs["artifact-name"]]
    assert artifact.sha256 == outputs["zip-sha256"] == outputs["artifact-digest"]
    assert outputs["zip-sha256"] in outcome.job().summary
    check_no_secret(outcome)
    check_golden("example.summary.md", outcome.job().summary)
    check_golden("example.comment.md", outcome.comment())
    warning, through_s3 = outcome.job().annotations
    assert "through S3" in through_s3.message
    assert (warning.level, warning.properties["file"]) == ("warning", "pyproject.toml")


def test_project_that_fits(
    act: Callable[..., Outcome], image: str, small: Path, scratch: Path
) -> None:
    repository = make_repository(scratch / "repository", small)
    repository.commit("Nothing")
    outcome = act(repository, {"image": image, "mode": "container", "fail-on": "growth"})
    outputs = outcome.outputs()
    assert (outputs["outcome"], outputs["overflow"], outputs["growth-bytes"]) == (
        "fits",
        "false",
        "0",
    )
    assert outcome.job().annotations == []
    check_golden("fits.summary.md", outcome.job().summary)
    check_golden("fits.comment.md", outcome.comment())


@pytest.mark.parametrize(("fail_on", "exit_code"), [("limit", 3), ("never", 0)])
def test_private_alone_over_the_limit(
    fail_on: str,
    exit_code: int,
    act: Callable[..., Outcome],
    image: str,
    scratch: Path,
) -> None:
    project = small_project(scratch / "project", private=3_000_000)
    repository = make_repository(scratch / "repository", project)
    inputs = {"threshold-mb": "1", "limit-mb": "2", "fail-on": fail_on, "image": image}
    outcome = act(repository, {"mode": "container", **inputs}, exit_code=exit_code)
    outputs = outcome.outputs()
    assert (outputs["outcome"], outputs["artifact-path"]) == ("too-large", "")
    # Reported in full all the same: the gate comes last.
    assert "Too large" in outcome.job().summary
    assert "Too large" in outcome.comment()
    assert outcome.record()["outcome"] == "too-large"
    errors = [one for one in outcome.job().annotations if one.level == "error"]
    lines = (project / "pyproject.toml").read_text().splitlines()
    assert errors[0].properties["file"] == "pyproject.toml"
    assert "inhouse" in lines[int(errors[0].properties["line"]) - 1]


@pytest.mark.parametrize(
    ("inputs", "exit_code"),
    [
        ({"fail-on": "threshold", "threshold-mb": "0.01", "strategy": "defer"}, 6),
        ({"fail-on": "limit", "threshold-mb": "0.01", "strategy": "defer"}, 0),
        ({"fail-on": "growth", "max-growth-mb": "0.5"}, 6),
        ({"fail-on": "growth", "max-growth-mb": "2"}, 0),
    ],
)
def test_gate(
    inputs: dict[str, str],
    exit_code: int,
    act: Callable[..., Outcome],
    small: Path,
    scratch: Path,
) -> None:
    """Everything is said and uploaded before the job stops."""
    after = small_project(scratch / "after", private=1_000_000)
    repository = pull_request(scratch / "repository", small, after)
    outcome = act(repository, {"mode": "native", **inputs}, exit_code=exit_code)
    assert outcome.outputs()["comment"] == "created"
    assert outcome.zip()


def test_base_unknown(act: Callable[..., Outcome], small: Path, scratch: Path) -> None:
    repository = make_repository(scratch / "repository", small)
    repository.commit("Nothing")
    event = pull_request_event(repository)
    event["pull_request"]["base"]["sha"] = NO_BASE
    outcome = act(repository, {"mode": "native", "fail-on": "growth"}, event=event)
    assert outcome.outputs()["growth-bytes"] == ""
    assert "Base unknown" in outcome.comment()
    check_golden("base-unknown.comment.md", outcome.comment())


def test_two_legs_have_two_comments_and_update_them(
    act: Callable[..., Outcome], small: Path, scratch: Path
) -> None:
    """The second run finds both, and the base's report that the first has stored."""
    repository = make_repository(scratch / "repository", small)
    legs = "{architecture: [x86_64, arm64]}"
    inputs = {"mode": "native", "architecture": "${{ matrix.architecture }}"}
    with GitHubApi(repository=REPOSITORY, token=TOKEN) as api:
        first = act(repository, inputs, api=api, legs=legs)
        assert {first.outputs(architecture=one)["comment"] for one in ("x86_64", "arm64")} == {
            "created"
        }
        assert len(api.comments[7]) == 2
        before = [comment["body"] for comment in api.comments[7]]
        for name, one in first.artifacts.artifacts.items():
            if name.startswith("overflow-report-"):
                sha = repository.git("rev-parse", "main")
                api.add_artifact(name, one.content, branch="main", sha=sha)
        shutil.copytree(small_project(scratch / "after", private=500_000), repository.folder,
                        dirs_exist_ok=True)  # fmt: skip
        repository.commit("More")
        second = act(repository, inputs, api=api, legs=legs)
        assert {second.outputs(architecture=one)["comment"] for one in ("x86_64", "arm64")} == {
            "updated"
        }
        after = [comment["body"] for comment in api.comments[7]]
    assert len(after) == 2
    assert all("inhouse" in new and "inhouse" not in old
               for new, old in zip(after, before, strict=True))  # fmt: skip
    names = {second.outputs(architecture=one)["artifact-name"] for one in ("x86_64", "arm64")}
    assert len(names) == 2
    assert second.run.log.count("its stored report") == 2


def test_fork_leaves_its_comment_to_a_second_workflow(
    act: Callable[..., Outcome], world: World, small: Path, scratch: Path
) -> None:
    repository = make_repository(scratch / "repository", small)
    sha = repository.commit("From outside")
    event = pull_request_event(repository, fork=True)
    outcome = act(repository, {"mode": "native"}, event=event, fork=True)
    assert outcome.outputs()["comment"] == "left-to-artifact"
    assert not outcome.api.comments[7]
    assert [one.level for one in outcome.job().annotations] == ["notice"]
    with (
        ArtifactService() as artifacts,
        GitHubApi(repository=REPOSITORY, token=TOKEN) as api,
    ):
        api.add_pull(7, head="outsider:feature", sha=sha, head_repository_id=2)
        for name, one in outcome.artifacts.artifacts.items():
            api.add_artifact(name, one.content, run_id=99, head_repository_id=2, sha=sha)
        done = world.post(repository, api=api, artifacts=artifacts, token=TOKEN, event={
            "workflow_run": {
                "id": 99, "event": "pull_request", "head_sha": sha, "head_branch": "feature",
                "html_url": "https://github.com/somebody/project/actions/runs/99",
                "head_repository": {"id": 2, "owner": {"login": "outsider"}},
                "repository": {"id": 1},
            },
            "repository": {"full_name": REPOSITORY},
        })  # fmt: skip
        assert done.exit_code == 0, done.log
        assert api.faults == []
        (comment,) = api.comments[7]
    assert "Fits" in comment["body"]
    assert re.search(r"\[function\.zip\]\(https://github\.com/\S+/artifacts/\d+\)", comment["body"])


def test_container_unavailable(act: Callable[..., Outcome], small: Path, scratch: Path) -> None:
    """Asked for, it is a failure that is said everywhere; with `auto` the build is native."""
    repository = make_repository(scratch / "repository", small)
    env = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    asked = act(repository, {"mode": "container"}, env=env, exit_code=2)
    assert asked.outputs()["outcome"] == "failed"
    assert "container-unavailable" in asked.job().summary
    assert "container-unavailable" in asked.comment()
    auto = act(repository, {"mode": "auto"}, env=env)
    assert auto.outputs()["mode"] == "native"
    assert [one.level for one in auto.job().annotations] == ["notice"]


def test_release_gets_the_zip_and_an_attestation(
    act: Callable[..., Outcome], small: Path, scratch: Path
) -> None:
    repository = make_repository(scratch / "repository", small)
    event = {"action": "published", "release": {"tag_name": "v1.2.3"},
             "repository": {"full_name": REPOSITORY}}  # fmt: skip
    with GitHubApi(repository=REPOSITORY, token=TOKEN) as api:
        api.add_release("v1.2.3")
        inputs = {"mode": "native", "release": "true", "attest": "true", "artifact-name": "bundle"}
        # Without uv on the runner, too: our libraries come by pip.
        outcome = act(repository, inputs, api=api, event=event, event_name="release", with_uv=False)
        (asset,) = api.releases["v1.2.3"]["assets"]
    assert asset["name"] == "bundle.zip"
    assert asset["digest"] == "sha256:" + outcome.outputs()["zip-sha256"]
    assert f"attested {outcome.outputs()['zip-sha256']}" in outcome.run.log
