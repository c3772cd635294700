"""The action end to end: act runs real workflows, with a real container and real uploads.

GitHub's API and artifact service are on loopback and hold each request against GitHub's own
description; the summaries and comments are golden files.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from overflow.cli import main
from overflow.uv import Uv
from tests.support.action import REPOSITORY, ROOT, Repository, World, make_repository
from tests.support.artifacts import ArtifactService
from tests.support.docker import PYTHON
from tests.support.github_api import READING, WRITING, GitHubApi
from tests.support.pythons import target_python

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.act import ActRun, Job

pytestmark = pytest.mark.pypi

GOLDENS = Path(__file__).parent / "goldens"

RUNNER = 12345
"""A user that /etc/passwd does not know and that is not root, as a runner's is."""

TOKEN = "ghs_" + "PlantedToken0" * 3
SECRET = "planted-secret-4d2f8b"
PLANTED = {"AWS_SECRET_ACCESS_KEY": SECRET, "SOME_TOKEN": SECRET}

NO_BASE = "0" * 40


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run of the action came to."""

    run: ActRun
    artifacts: ArtifactService
    api: GitHubApi

    def job(self, **leg: str) -> Job:
        return self.run.job("bundle", **leg)

    def outputs(self, **leg: str) -> dict[str, str]:
        look = self.job(**leg).steps["look"].outputs
        found: dict[str, str] = json.loads(look["outputs"])
        return found

    def zip(self, **leg: str) -> bytes:
        return self.artifacts.artifacts[self.outputs(**leg)["artifact-name"]].content

    def record(self, name: str = "report.json") -> dict[str, Any]:
        """A file of the one report artifact."""
        (found,) = [
            one
            for name, one in self.artifacts.artifacts.items()
            if name.startswith("overflow-report-")
        ]
        with zipfile.ZipFile(io.BytesIO(found.content)) as opened:
            content: dict[str, Any] = json.loads(opened.read(name))
        return content

    def comment(self) -> str:
        (comment,) = self.api.comments[7]
        return str(comment["body"])


@pytest.fixture
def act(world: World) -> Callable[..., Outcome]:
    """Runs the action on a repository; what GitHub would not have taken fails the test."""

    def run(
        repository: Repository,
        inputs: Mapping[str, str],
        *,
        exit_code: int = 0,
        api: GitHubApi | None = None,
        **more: Any,
    ) -> Outcome:
        permissions = READING if more.pop("fork", False) else WRITING
        with (
            ArtifactService() as artifacts,
            GitHubApi(repository=REPOSITORY, token=TOKEN, permissions=permissions) as own,
        ):
            given = {"python": PYTHON, **inputs}
            served = api or own
            done = world.run(
                repository, given, artifacts=artifacts, api=served, token=TOKEN, **more
            )
        assert (done.exit_code == 0) == (exit_code == 0), done.log
        if exit_code:
            assert f"exit status {exit_code}" in done.log
        assert artifacts.faults == []
        assert served.faults == []
        return Outcome(run=done, artifacts=artifacts, api=served)

    return run


def uv(*arguments: str, folder: Path) -> None:
    command = [Uv.bundled(os.environ).binary, *arguments, "--python", str(target_python(PYTHON))]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)


@pytest.fixture(scope="session")
def grown(shared: Path) -> Path:
    """examples/flask before and after scipy came to it: `before` and `after`."""
    folder = shared / "grown"
    shutil.copytree(ROOT / "examples" / "flask", folder / "after")
    shutil.copytree(folder / "after", folder / "before")
    uv("remove", "--no-sync", "scipy", folder=folder / "before")
    return folder


def pull_request(folder: Path, before: Path, after: Path, *, branch: str = "feature") -> Repository:
    repository = make_repository(folder, before, branch=branch)
    shutil.copytree(after, folder, dirs_exist_ok=True, symlinks=True)
    repository.commit("The change")
    return repository


def small_project(folder: Path, *, private: int = 0, name: str = "small") -> Path:
    """A project with one small public distribution, and a private one of so many bytes."""
    folder.mkdir(parents=True)
    needs, sources = ['"blinker==1.9.0"'], ""
    if private:
        needs.append('"inhouse"')
        sources = '\n[tool.uv.sources]\ninhouse = {path = "inhouse"}\n'
        inner = folder / "inhouse" / "inhouse"
        inner.mkdir(parents=True)
        (inner / "__init__.py").write_text("")
        (inner / "data.bin").write_bytes(b"\0" * private)
        (folder / "inhouse" / "pyproject.toml").write_text(
            '[project]\nname = "inhouse"\nversion = "1.0"\n'
            '[build-system]\nrequires = ["uv_build"]\nbuild-backend = "uv_build"\n'
            '[tool.uv.build-backend]\nmodule-root = ""\n'
        )
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1.0"\nrequires-python = ">=3.12"\n'
        "dependencies = [\n" + "".join(f"    {one},\n" for one in needs) + "]\n" + sources
    )
    (folder / "app.py").write_text("def handler(event, context):\n    return {}\n")
    uv("lock", folder=folder)
    return folder


def steady(text: str) -> str:
    """Without what changes from commit to commit of this repository and of PyPI's mirrors."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "SHA256", text)
    text = re.sub(r"\b[0-9a-f]{20}\b", "KEY", text)
    text = re.sub(r"\b[0-9a-f]{7,40}\b", "COMMIT", text)
    text = re.sub(r"artifacts/\d+", "artifacts/ID", text)
    return re.sub(r"\b\d{1,3}(,\d{3})+(?= \|)", "BYTES", text)


def check_golden(name: str, text: str) -> None:
    golden = GOLDENS / name
    if os.environ.get("OVERFLOW_UPDATE_GOLDENS") == "1":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(steady(text), encoding="utf-8")
    assert steady(text) == golden.read_text(encoding="utf-8")


def check_no_secret(outcome: Outcome) -> None:
    """Nothing planted is in a log, an artifact, a file in one, a summary or a comment."""
    places = [outcome.run.log, json.dumps(outcome.api.comments)]
    places += [job.summary for job in outcome.run.jobs]
    contents = [one.content for one in outcome.artifacts.artifacts.values()]
    for content in list(contents):
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            contents += [opened.read(name) for name in opened.namelist()]
    for secret in (TOKEN, SECRET):
        assert not any(secret in text for text in places)
        assert not any(secret.encode() in content for content in contents)


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
    assert int(outputs["total-bytes"]) > 300_000_000
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
    with zipfile.ZipFile(io.BytesIO(outcome.zip())) as opened:
        assert opened.getinfo("_uv/uv").external_attr >> 16 & 0o111 == 0o111
    check_no_secret(outcome)
    check_golden("example.summary.md", outcome.job().summary)
    check_golden("example.comment.md", outcome.comment())
    (warning,) = outcome.job().annotations
    assert (warning.level, warning.properties["file"]) == ("warning", "pyproject.toml")


@pytest.fixture(scope="session")
def small(shared: Path) -> Path:
    return small_project(shared / "small")


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
        ({"fail-on": "threshold", "threshold-mb": "0.01"}, 6),
        ({"fail-on": "limit", "threshold-mb": "0.01"}, 0),
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
    event = pull_request_of(repository)
    event["pull_request"]["base"]["sha"] = NO_BASE
    outcome = act(repository, {"mode": "native", "fail-on": "growth"}, event=event)
    assert outcome.outputs()["growth-bytes"] == ""
    assert "Base unknown" in outcome.comment()
    check_golden("base-unknown.comment.md", outcome.comment())


def pull_request_of(repository: Repository, **more: Any) -> dict[str, Any]:
    from tests.support.action import pull_request_event  # noqa: PLC0415

    return pull_request_event(repository, **more)


def test_two_legs_have_two_comments_and_update_them(
    act: Callable[..., Outcome], world: World, small: Path, scratch: Path
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
    event = pull_request_of(repository, fork=True)
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
                "id": 99, "head_sha": sha, "head_branch": "feature",
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


HOOK = """
import os, pathlib, sys
from setuptools import setup
said = "::error::PWNED-BY-HOOK\\n::set-output name=outcome::fits\\n##[error]PWNED-BY-HOOK\\n"
said += "::add-mask::a\\n::warning file=app.py::PWNED-BY-HOOK\\n"
for place in ("/proc/1/fd/1", "/proc/1/fd/2", "/dev/stdout", "/dev/stderr"):
    try:
        with open(place, "w") as stream:
            stream.write(said)
    except OSError:
        pass
print(said, flush=True)
outside = [os.environ.get(name) for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY")]
folders = [folder for folder in pathlib.Path.cwd().parents if (folder / "app.py").exists()]
if pathlib.Path("/opt/overflow/app").exists():  # not without the container that holds it
    outside += ["/opt/overflow/app/entrypoint.py", "/etc/passwd"]
    folders = pathlib.Path.cwd().parents
for one in filter(None, outside):
    try:
        pathlib.Path(one).write_text("PWNED-BY-HOOK")
    except OSError:
        pass
for folder in folders:
    try:
        (folder / "pwned-by-hook").write_text(repr(dict(os.environ)))
    except OSError:
        pass
setup(name="inhouse", version="1.0", py_modules=["inhouse"])
"""

SETUP = "from setuptools import setup\n"

BRANCH = "feature/`id`$(id)-%0A|<img>]]>"


def hostile_project(folder: Path) -> Path:
    """A project that says and does, wherever it may, what is meant for the runner."""
    folder.mkdir(parents=True)
    name = "$(id)`id`%0A|<b>]]> ::error::PWNED"
    inner = folder / name
    inner.mkdir()
    (inner / "setup.py").write_text(SETUP + HOOK[HOOK.rindex("setup(") :])
    (inner / "inhouse.py").write_text("")
    (inner / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    )
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "hostile"\nversion = "1.0"\nrequires-python = ">=3.12"\n'
        'dependencies = ["blinker==1.9.0", "inhouse"]\n'
        f"[tool.uv.sources]\ninhouse = {{path = {json.dumps(name)}}}\n"
    )
    (folder / "app.py").write_text("def handler(event, context):\n    return {}\n")
    (folder / "::error::PWNED %0A|<b>.txt").write_text("x")
    (folder / "link|<img src=x>`id`").symlink_to("/etc/hostname")
    uv("lock", folder=folder)
    # Not before: locking asks the hook, too.
    (inner / "setup.py").write_text(HOOK)
    return folder


@pytest.mark.parametrize("mode", ["container", "native"])
def test_hostile_project_changes_its_own_row_only(
    mode: str, act: Callable[..., Outcome], image: str, scratch: Path
) -> None:
    """A build hook's words and writes, and names wherever a project has a say."""
    project = hostile_project(scratch / "project")
    repository = make_repository(scratch / "repository", project, branch=BRANCH)
    repository.commit("::error::PWNED")
    inputs = {"mode": mode, "image": image, "threshold-mb": "0.01"}
    outcome = act(repository, inputs, env=PLANTED, legs='{leg: ["a|<b>`x`::error::PWNED"]}')
    job = outcome.job()
    # The hook ran, and the log shows what it said as text.
    assert "PWNED-BY-HOOK" in outcome.run.log or mode == "native"
    assert [(one.level, one.properties["file"]) for one in job.annotations] == [
        ("warning", "pyproject.toml")
    ]
    assert not any("PWNED-BY-HOOK" in one.message for one in job.annotations)
    assert outcome.outputs()["outcome"] == "overflows"
    assert "PWNED-BY-HOOK" not in job.summary + outcome.comment()
    for text in (job.summary, outcome.comment()):
        assert not re.search(r"<(img|b)\b|`id`|\]\]>", text)
        rows = [line for line in text.splitlines() if "inhouse" in line and line.startswith("|")]
        assert rows
        assert len({row.count("|") for row in rows}) == 1
    with zipfile.ZipFile(io.BytesIO(outcome.zip())) as opened:
        assert not [name for name in opened.namelist() if "pwned-by-hook" in name]
    check_no_secret(outcome)
    if mode == "container":
        assert job.steps["look"].outputs["status"].replace("?? .github/", "").strip() == ""
        assert job.steps["look"].outputs["pwned"] == ""


@pytest.mark.parametrize("handler", ["app:x\n::error::PWNED", "app.`id`$(id)|<b>", "%0A::error::x"])
def test_hostile_handler_is_one_clear_error(
    handler: str, act: Callable[..., Outcome], small: Path, scratch: Path
) -> None:
    repository = make_repository(scratch / "repository", small)
    outcome = act(repository, {"mode": "native", "handler": handler}, exit_code=2)
    (error,) = outcome.job().annotations
    assert "handler-unknown" in error.properties["title"]
    assert not re.search(r"<b>|^::error::PWNED", outcome.comment(), re.MULTILINE)
