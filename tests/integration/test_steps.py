"""Steps: the action from `build` to `gate`, as action.yml calls them, on a runner that we play."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from overflow import launch, steps
from overflow.action import main
from tests.support.fake_docker import FakeDocker
from tests.support.github_api import READING, GitHubApi, Trouble
from tests.support.projects import ProjectFolder, make_project, make_source_package
from tests.support.workspace import (
    HOSTILE_OUTPUT,
    REPOSITORY,
    Runner,
    commit,
    effective_commands,
    seen_by,
    spy_on,
)
from tests.unit.reports import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.index import LocalIndex

ROOT = Path(__file__).parents[2]
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
TOKEN = "ghs_loopbackToken"
COMPLETE = {"comments", "report-folder", "report-artifact", "outcome", "report-path", "mode"} | {
    *("artifact-path", "artifact-name", "overflow", "strategy", "bundle-bytes", "total-bytes"),
    *("deferred-bytes", "growth-bytes", "zip-bytes", "zip-sha256", "handler", "runtime"),
    *("architecture", "ephemeral-storage-mb", "memory-mb"),
}


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with GitHubApi(repository=REPOSITORY, token=TOKEN) as server:
        yield server
        assert server.faults == []


@pytest.fixture
def job(
    tmp_path: Path,
    offline: None,
    index: LocalIndex,
    api: GitHubApi,
    monkeypatch: pytest.MonkeyPatch,
) -> Runner:
    """A job whose workspace has a project in services/api, built natively and by ourselves."""
    made = Runner.make(tmp_path)
    make_project(made.workspace / "services" / "api", "alpha")
    environ = made.environ(
        GITHUB_API_URL=api.url,
        OVERFLOW_PROJECT="services/api",
        OVERFLOW_PYTHON=PYTHON,
        OVERFLOW_PUBLIC_INDEX=index.url,
        OVERFLOW_MODE="native",
        OVERFLOW_TOKEN=TOKEN,
        GITHUB_TOKEN=TOKEN,
        ACTIONS_RUNTIME_TOKEN=TOKEN,
    )
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(launch, "tools_python", lambda *_: Path(sys.executable))
    return made


@pytest.fixture
def log(capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What was printed since it was last asked for, by us and by what we started."""
    return lambda: capfd.readouterr().out


@pytest.fixture
def pull_request(job: Runner) -> str:
    """It runs for a pull request that adds beta's dependent; gives the base's commit."""
    project = make_project(job.workspace / "services" / "api", "beta")
    first = commit(job.workspace)
    make_project(project.path, "alpha")
    job.pull_request(first, commit(job.workspace))
    return first


def project_of(job: Runner) -> ProjectFolder:
    return ProjectFolder(job.workspace / "services" / "api")


def test_build_that_overflows(
    job: Runner, monkeypatch: pytest.MonkeyPatch, log: Callable[[], str]
) -> None:
    monkeypatch.setenv("OVERFLOW_THRESHOLD_MB", "0.001")
    assert main("build") == 0
    outputs = job.outputs
    assert set(outputs) == COMPLETE
    assert outputs["outcome"] == "overflows"
    assert (outputs["overflow"], outputs["strategy"], outputs["mode"]) == (
        "true",
        "defer",
        "native",
    )
    assert (outputs["comments"], outputs["growth-bytes"]) == ("false", "")
    assert outputs["runtime"] == f"python{PYTHON}"

    path = Path(outputs["artifact-path"])
    assert path.name == outputs["artifact-name"]
    assert path.name.startswith(f"small-bundle-python{PYTHON}-x86_64-")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == outputs["zip-sha256"]
    assert path.stat().st_size == int(outputs["zip-bytes"])
    assert "overflow_trampoline.py" in zipfile.ZipFile(path).namelist()
    assert not path.is_relative_to(job.box)

    report = json.loads(Path(outputs["report-path"]).read_text("utf-8"))
    sizes = report["sizes"]
    assert int(outputs["bundle-bytes"]) == sizes["bundle_bytes"]
    assert int(outputs["deferred-bytes"]) == sizes["deferred_bytes"] > 0
    assert int(outputs["total-bytes"]) == sizes["bundle_bytes"] + sizes["deferred_bytes"]
    assert {path.name for path in Path(outputs["report-folder"]).iterdir()} == {
        "report.json",
        "run.json",
    }
    assert job.summary.splitlines()[0].endswith("installed at cold start")
    found = effective_commands(log())
    assert found[0][0] == "warning"
    assert found[0][1]["file"] == "services/api/pyproject.toml"
    assert found[0][1]["line"] == "5"


@pytest.mark.parametrize(
    ("gate", "exit_code"), [("limit", 0), ("threshold", 6), ("growth", 0), ("never", 0)]
)
def test_gate_after_a_build(
    job: Runner, monkeypatch: pytest.MonkeyPatch, gate: str, exit_code: int
) -> None:
    """Run as the runner does: by a Python that has nothing but itself."""
    monkeypatch.setenv("OVERFLOW_THRESHOLD_MB", "0.001")
    assert main("build") == 0
    done = bare("gate", OVERFLOW_FAIL_ON=gate)
    assert done.returncode == exit_code, done.stderr
    assert done.stdout.startswith(f"Gate ({gate}): ")
    assert done.stderr == ""


def bare(step: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`python3 -I entrypoint.py action STEP` without any installed package (-S)."""
    command = [sys.executable, "-I", "-S", "-W", "error", str(ROOT / "entrypoint.py"), "action"]
    return subprocess.run(
        [*command, step],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_whole_action_without_any_package(
    job: Runner, tmp_path: Path, pull_request: str, api: GitHubApi
) -> None:
    """In a container, which the stand-in runs with the libraries that an image has."""
    docker = FakeDocker.install(tmp_path / "bin", images=["build:1"])
    environ = {
        "PATH": f"{docker.folder}:{os.environ['PATH']}",
        "OVERFLOW_MODE": "container",
        "OVERFLOW_IMAGE": "build:1",
    }
    for step in ("base", "build", "comment", "gate"):
        done = bare(step, **environ)
        assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), (
            done.stdout + done.stderr
        )
    assert (job.outputs["mode"], job.outputs["comment"]) == ("container", "created")
    assert int(job.outputs["growth-bytes"]) > 9000
    assert len(docker.calls("run")) == 2
    assert len(api.comments[7]) == 1


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
    assert main("gate") == 6
    assert "grows by" in log()
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
    job: Runner, pull_request: str, monkeypatch: pytest.MonkeyPatch, gate: str
) -> None:
    """A base is looked for only where something is held against it."""
    monkeypatch.setenv("OVERFLOW_COMMENT", "never")
    monkeypatch.setenv("OVERFLOW_FAIL_ON", gate)
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
    run = {"id": 55, "html_url": "https://github.example/run/55", "head_sha": "d" * 40}
    source = {"id": 2, "owner": {"login": "someone"}}
    job.event({"workflow_run": {**run, "head_branch": "change", "head_repository": source}})
    assert main("post") == 0
    [comment] = api.comments[9]
    assert "alpha" in comment["body"]
    assert "services/api" in comment["body"]


def test_post_in_another_workflow(job: Runner, log: Callable[[], str]) -> None:
    assert main("post") == 2
    assert effective_commands(log())[0][1]["title"] == "overflow: event-invalid"


def test_build_that_fails_is_reported_and_stops_at_the_gate(
    job: Runner, pull_request: str, log: Callable[[], str], api: GitHubApi
) -> None:
    project_of(job).write("uv.lock", 'version = 1\nrevision = 3\nrequires-python = ">=3.10"\n')
    assert main("build") == 0
    outputs = job.outputs
    assert (outputs["outcome"], outputs["artifact-path"]) == ("failed", "")
    assert "report-path" not in outputs
    [(level, properties, _)] = effective_commands(log())
    assert level == "error"
    assert properties["title"] == "Build failed: lock-stale"
    assert properties["file"] == "services/api/uv.lock"
    assert "lock-stale" in job.summary
    assert main("comment") == 0
    assert "lock-stale" in api.comments[7][0]["body"]
    log()
    assert main("gate") == 2
    said = log()
    assert said.startswith("error[lock-stale]: uv.lock")
    assert effective_commands(said) == []


def test_too_large(job: Runner, monkeypatch: pytest.MonkeyPatch, log: Callable[[], str]) -> None:
    monkeypatch.setenv("OVERFLOW_LIMIT_MB", "0.001")
    monkeypatch.setenv("OVERFLOW_NO_RUNTIME_INSTALL", "true")
    assert main("build") == 0
    assert set(job.outputs) == COMPLETE
    assert (job.outputs["outcome"], job.outputs["artifact-path"]) == ("too-large", "")
    assert job.outputs["report-path"].endswith("/report.json")
    found = effective_commands(log())
    assert found[0][0] == "error"
    assert found[0][1]["file"] == "services/api/pyproject.toml"
    assert main("gate") == 3
    monkeypatch.setenv("OVERFLOW_FAIL_ON", "never")
    assert main("gate") == 0


def test_second_build_of_a_job_starts_anew(job: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A self-hosted runner keeps its folders."""
    assert main("build") == 0
    first = job.outputs["artifact-path"]
    monkeypatch.setenv("OVERFLOW_ARCHITECTURE", "mips")
    assert main("build") == 0
    assert job.outputs["outcome"] == "failed"
    assert not Path(first).exists()
    assert {path.name for path in Path(job.outputs["report-folder"]).iterdir()} == {
        "fault.json",
        "run.json",
    }
    assert main("gate") == 2


def hooked(job: Runner, seen: Path, more: str = "") -> None:
    """Have the project need a package whose build hook is a spy."""
    sources = '[tool.uv.sources]\nown-lib = { path = "own" }\n'
    project = make_project(project_of(job).path, "own-lib", more=sources)
    spy_on(make_source_package(project.path / "own", "own-lib"), seen, more)


def test_no_token_reaches_a_build_hook(
    job: Runner, tmp_path: Path, pull_request: str, log: Callable[[], str]
) -> None:
    """Neither the head's nor the base's."""
    hooked(job, tmp_path / "seen")
    first = commit(job.workspace)
    job.pull_request(first, first)
    assert main("build") == 0
    assert job.outputs["outcome"] == "fits"
    seen = seen_by(tmp_path / "seen")
    assert len(seen) >= 2
    for variables in seen:
        assert TOKEN not in "".join(variables.values())
        hidden = ("GITHUB_", "ACTIONS_", "RUNNER_", "OVERFLOW_")
        assert [name for name in variables if name.startswith(hidden)] == []
    assert [name for name, _, _ in effective_commands(log())] == []


def test_what_a_build_hook_prints_has_no_effect(
    job: Runner, tmp_path: Path, log: Callable[[], str]
) -> None:
    """Its words are shown, since it failed: in the log and in the summary."""
    hooked(job, tmp_path / "seen", more="sys.exit(7)")
    assert main("build") == 0
    said = log()
    assert "pwned" in said, "uv shows what a hook printed"
    found = effective_commands(said)
    assert [(name, one["title"]) for name, one, _ in found] == [
        ("error", "Build failed: install-failed")
    ]
    assert "pwned" in job.summary
    assert set(job.outputs) < COMPLETE
    assert job.outputs["outcome"] == "failed"
    assert main("gate") == 4
    assert effective_commands(log()) == []


PAST_UV = """
    pid, nearest = os.getppid(), 0
    while pid > 1 and not nearest:
        nearest = pid if b"entrypoint.py" in Path(f"/proc/{pid}/cmdline").read_bytes() else 0
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    for at in (1, 2):
        with open(f"/proc/{nearest}/fd/{at}", "w") as stream:
            stream.write(%r)
"""
"""Other people's code in a container runs as the same user as the build above it."""


def test_build_hook_that_writes_to_the_log_past_uv(job: Runner, tmp_path: Path) -> None:
    """Both streams of the build come out of our first one, where no command counts."""
    hooked(job, tmp_path / "seen", more=PAST_UV % HOSTILE_OUTPUT)
    docker = FakeDocker.install(tmp_path / "bin", images=["build:1"])
    path = f"{docker.folder}:{os.environ['PATH']}"
    done = bare("build", PATH=path, OVERFLOW_MODE="container", OVERFLOW_IMAGE="build:1")
    assert (done.returncode, done.stderr) == (0, "")
    times = len(seen_by(tmp_path / "seen"))
    assert done.stdout.count("::error file=app.py,line=1::pwned") == 2 * times > 0
    assert effective_commands(done.stdout) == []
    assert job.outputs["outcome"] == "fits"


def test_build_hook_that_leaves_a_link_for_us_to_write_through(job: Runner, tmp_path: Path) -> None:
    """What the link names is a file of this test's own, so that nothing else can come to harm."""
    theirs = tmp_path / "theirs"
    theirs.write_text("x")
    box = f"Path({str(job.box)!r})"
    link = f"[one.joinpath('fault.json').symlink_to({str(theirs)!r})"
    code = f"{link} for one in {box}.iterdir() if len(one.name) == 20]; sys.exit(7)"
    hooked(job, tmp_path / "seen", more=code)
    assert main("build") == 0
    assert len(seen_by(tmp_path / "seen")) == 1
    assert theirs.read_text() == "x"
    assert main("gate") == 4


def test_hostile_names_change_nothing_but_their_own_row(
    job: Runner, monkeypatch: pytest.MonkeyPatch, log: Callable[[], str]
) -> None:
    """The workflow's and the job's name, the matrix, and a build that ends with such words."""
    monkeypatch.setenv("GITHUB_JOB", HOSTILE)
    monkeypatch.setenv("GITHUB_WORKFLOW", HOSTILE_OUTPUT)
    monkeypatch.setenv("OVERFLOW_MATRIX", json.dumps({"os": HOSTILE_OUTPUT}))
    monkeypatch.setenv("OVERFLOW_HANDLER", HOSTILE)
    assert main("build") == 0
    assert set(job.outputs) < COMPLETE
    assert [name for name, _, _ in effective_commands(log())] == ["error"]
    monkeypatch.delenv("OVERFLOW_HANDLER")
    assert main("build") == 0
    assert set(job.outputs) == COMPLETE
    assert effective_commands(log()) == []
    name = job.outputs["artifact-name"]
    assert not set(name) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+")


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("OVERFLOW_MODE", "chroot", "option-invalid"),
        ("OVERFLOW_PROJECT", "../..", "project-outside-workspace"),
        ("GITHUB_WORKSPACE", "", "not-in-actions"),
    ],
)
def test_fault_of_the_workflow(
    job: Runner,
    monkeypatch: pytest.MonkeyPatch,
    log: Callable[[], str],
    name: str,
    value: str,
    code: str,
) -> None:
    monkeypatch.setenv(name, value)
    assert main("build") == 2
    [(level, properties, message)] = effective_commands(log())
    assert (level, properties["title"]) == ("error", f"overflow: {code}")
    assert value in message


@pytest.mark.parametrize(("error", "exit_code"), [(ZeroDivisionError, 1), (KeyboardInterrupt, 130)])
def test_what_is_nobodys_fault(
    job: Runner,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    error: type[BaseException],
    exit_code: int,
) -> None:
    def fail(step: steps.Step) -> int:
        raise error(HOSTILE)

    monkeypatch.setitem(steps.STEPS, "build", fail)
    assert main("build") == exit_code
    printed = capfd.readouterr()
    assert [level for level, _, _ in effective_commands(printed.out)] == ["error"] * (
        exit_code == 1
    )
    assert effective_commands(printed.err) == []


@pytest.mark.parametrize("by", ["release", "tag"])
def test_release(
    job: Runner, monkeypatch: pytest.MonkeyPatch, api: GitHubApi, log: Callable[[], str], by: str
) -> None:
    assert main("build") == 0
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
    if kind != "neither":
        job.event({"release": {"tag_name": "v1"}})
    if kind == "may not":
        api.add_release("v1")
        api.permissions = READING
    assert main("release") == 2
    [(_, properties, _)] = effective_commands(log())
    code = "release-missing" if kind == "neither" else "release-failed"
    assert properties["title"] == f"overflow: {code}"


def test_every_step_of_the_action_is_known() -> None:
    called = {
        line.rpartition("action ")[2].split()[0].strip('"')
        for file in (ROOT / "action.yml", ROOT / "comment" / "action.yml")
        for line in file.read_text("utf-8").splitlines()
        if "entrypoint.py" in line
    }
    assert called == set(steps.STEPS)
