"""Launch: a build in the sandbox, with a stand-in for docker that runs it on this machine."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from overflow import launch
from overflow.box import Box, new_box
from overflow.context import Context, read_context
from overflow.errors import InputFault
from overflow.launch import CODE, Sandbox, choose_sandbox
from overflow.report import Failure, Report
from overflow.results import read_plan, read_result
from overflow.runner import notice
from overflow.sandbox import CERTIFICATES
from overflow.settings import read_settings
from tests.support.fake_docker import FakeDocker
from tests.support.projects import make_project, make_source_package
from tests.support.workspace import (
    HOSTILE_OUTPUT,
    Runner,
    commit,
    effective_commands,
    seen_by,
    snapshot,
    spy_on,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.index import LocalIndex

ROOT = Path(__file__).parents[2]
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
SECRETS = dict.fromkeys(
    "GITHUB_TOKEN OVERFLOW_TOKEN ACTIONS_RUNTIME_TOKEN ACTIONS_ID_TOKEN_REQUEST_TOKEN"
    " AWS_SECRET_ACCESS_KEY DATABASE_URL".split(),
    "s3cret",
)
HIDDEN = ("GITHUB_", "ACTIONS_", "RUNNER_", "AWS_", "DATABASE_", "DOCKER_", "OVERFLOW_TOKEN")

DUMPS = """\
import json, os, sys
from pathlib import Path
place = Path(os.environ["OVERFLOW_OUTPUT"])
seen = {"arguments": sys.argv[1:], "environ": dict(os.environ), "folder": str(Path.cwd())}
(place / "seen.json").write_text(json.dumps(seen))
for stream in (sys.stdout, sys.stderr):
    stream.write(%r)
sys.exit(5)
"""
"""An entry point that tells what it sees, prints what it may not, and fails."""


@pytest.fixture
def runner(tmp_path: Path, offline: None) -> Runner:
    """A job for the project services/api, which has a package whose build hook is a spy."""
    made = Runner.make(tmp_path)
    sources = '[tool.uv.sources]\nown-lib = { path = "libs/own" }\n'
    project = make_project(made.workspace / "services/api", "alpha", "own-lib", more=sources)
    package = make_source_package(project.path / "libs" / "own", "own-lib")
    spy_on(package, tmp_path / "seen")
    (made.workspace / "link").symlink_to("services")
    commit(made.workspace)
    return made


@pytest.fixture
def box(runner: Runner) -> Iterator[Box]:
    runner.work.mkdir()
    with new_box(runner.work) as made:
        yield made


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    return FakeDocker.install(tmp_path / "bin", images=["build:1"])


@pytest.fixture
def environ(runner: Runner, docker: FakeDocker, index: LocalIndex) -> dict[str, str]:
    """The variables of the build step, with secrets among them."""
    return {
        **{name: one for name, one in os.environ.items() if name not in CERTIFICATES},
        **runner.environ(OVERFLOW_PROJECT="services/api", OVERFLOW_PYTHON=PYTHON),
        **SECRETS,
        "PATH": f"{docker.folder}:{os.environ['PATH']}",
        "OVERFLOW_IMAGE": "build:1",
        "OVERFLOW_PUBLIC_INDEX": index.url,
        "UV_INDEX_OWN_PASSWORD": "hunter2",
        "DOCKER_HOST": "unix:///fake",
    }


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Our own interpreter stands for one that is made on the runner; who asked for it."""
    asked: list[Path] = []

    def python(action: Path, temp: str, environ: object) -> Path:
        asked.append(action)
        return Path(sys.executable)

    monkeypatch.setattr(launch, "tools_python", python)
    return asked


def context_of(environ: dict[str, str]) -> Context:
    return read_context(environ, {})


def sandbox(environ: dict[str, str], mode: str = "container", action: Path = ROOT) -> Sandbox:
    environ["OVERFLOW_MODE"] = mode
    context = context_of(environ)
    return choose_sandbox(read_settings(environ), context, action, environ)


@pytest.mark.parametrize("mode", ["container", "native"])
def test_build(
    mode: str,
    environ: dict[str, str],
    box: Box,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Both ways give the result; other people's code has seen no secret and said no command."""
    one = sandbox(environ, mode)
    assert one.build(box) == 0
    report = read_result(box.output, 0)
    assert isinstance(report, Report)
    assert {row.name for row in report.rows} == {"alpha", "beta", "own-lib"}
    assert effective_commands(capfd.readouterr().out) == []
    seen = seen_by(tmp_path / "seen")
    assert seen
    for variables in seen:
        assert "s3cret" not in variables.values()
        assert [name for name in variables if name.startswith(HIDDEN)] == []
        assert variables["UV_INDEX_OWN_PASSWORD"] == "hunter2"


def test_container_works_on_a_copy(environ: dict[str, str], runner: Runner, box: Box) -> None:
    """Not even the lock that uv makes reaches the job's own checkout."""
    before = snapshot(runner.workspace)
    assert sandbox(environ).build(box) == 0
    assert snapshot(runner.workspace) == before
    assert (box.sources / "services/api/uv.lock").exists()
    assert (box.sources / "link").is_symlink()


def test_what_the_container_is_given(
    environ: dict[str, str], runner: Runner, box: Box, docker: FakeDocker
) -> None:
    one = sandbox(environ)
    docker.state(run_exit=0)
    assert one.build(box) == 0
    [call] = docker.calls("run")
    code = [
        f"type=bind,source={ROOT}/{name},target=/opt/overflow/app/{name},readonly" for name in CODE
    ]
    # Not the box itself: who writes in one mount could replace what the next copy goes to.
    assert call.values("--mount") == [
        *code,
        f"type=bind,source={box.inside},target={box.inside}",
        f"type=bind,source={box.sources},target={runner.workspace}",
    ]
    assert call.values("--user") == [f"{os.getuid()}:{os.getgid()}"]
    assert call.values("--workdir") == [str(runner.workspace)]
    assert call.arguments[-2:] == ["build:1", "/opt/overflow/app/entrypoint.py"]
    given = call.values("--env")
    assert f"OVERFLOW_PROJECT={runner.workspace}/services/api" in given
    assert f"OVERFLOW_OUTPUT={box.output}" in given
    homes = {"HOME": "home", "TMPDIR": "tmp", "UV_CACHE_DIR": "cache"}
    assert {f"{name}={box.inside}/{folder}" for name, folder in homes.items()} <= set(given)
    assert {"UV_INDEX_OWN_PASSWORD", "UV_DEFAULT_INDEX", "OVERFLOW_PUBLIC_INDEX"} <= set(given)
    names = {one.partition("=")[0] for one in given}
    assert [name for name in names if name.startswith(HIDDEN)] == []


def test_docker_is_given_passwords_and_no_token(
    environ: dict[str, str], box: Box, docker: FakeDocker
) -> None:
    one = sandbox(environ)
    docker.state(run_exit=0)
    one.build(box)
    [call] = docker.calls("run")
    assert "hunter2" not in " ".join(call.arguments)
    assert call.environ["UV_INDEX_OWN_PASSWORD"] == "hunter2"
    assert call.environ["DOCKER_HOST"] == "unix:///fake"
    assert "s3cret" not in call.environ.values()


def test_container_has_a_name_that_nobody_knows(
    environ: dict[str, str], box: Box, docker: FakeDocker
) -> None:
    """By it, it is killed where the command that waits for it is stopped."""
    one = sandbox(environ)
    docker.state(run_exit=0)
    box.sources.mkdir()
    one.plan(box)
    one.plan(box)
    names = [name for call in docker.calls("run") for name in call.values("--name")]
    assert len(set(names)) == 2
    assert all(re.fullmatch("overflow-[0-9a-f]{16}", name) for name in names)
    assert docker.calls("kill") == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError])
def test_stopped_container_is_killed(
    environ: dict[str, str],
    box: Box,
    docker: FakeDocker,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
) -> None:
    """Under the name that it was started with; what stopped us goes on."""
    started: list[str] = []

    def watch(command: list[str], **_: object) -> int:
        started.extend(command)
        raise error

    monkeypatch.setattr(launch, "watch", watch)
    with pytest.raises(error):
        sandbox(environ).build(box)
    [call] = docker.calls("kill")
    assert call.arguments == ["kill", started[started.index("--name") + 1]]


def test_stopped_native_build_asks_no_docker(
    environ: dict[str, str], box: Box, docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watch(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "watch", watch)
    with pytest.raises(KeyboardInterrupt):
        sandbox(environ, "native").build(box)
    assert docker.calls() == []


def test_certificates_are_mounted_where_they_are_named(
    environ: dict[str, str], box: Box, docker: FakeDocker, tmp_path: Path
) -> None:
    (tmp_path / "real.pem").write_text("x")
    (tmp_path / "ca.pem").symlink_to("real.pem")
    environ |= {"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "CURL_CA_BUNDLE": "relative.pem"}
    environ |= {"REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem"), "GIT_SSL_CAINFO": "/gone.pem"}
    one = sandbox(environ)
    docker.state(run_exit=0)
    one.build(box)
    [call] = docker.calls("run")
    mounts = [mount for mount in call.values("--mount") if ".pem" in mount]
    real, named = tmp_path / "real.pem", tmp_path / "ca.pem"
    assert mounts == [f"type=bind,source={real},target={named},readonly"]
    assert "SSL_CERT_FILE" in call.values("--env")


@pytest.mark.parametrize("exit_code", [2, 3, 125, 137])
def test_exit_code_is_the_containers(
    environ: dict[str, str], box: Box, docker: FakeDocker, exit_code: int
) -> None:
    one = sandbox(environ)
    docker.state(run_exit=exit_code)
    assert one.build(box) == exit_code


@pytest.mark.parametrize("mode", ["container", "native"])
def test_what_a_build_prints_is_no_command(
    mode: str,
    environ: dict[str, str],
    box: Box,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Whatever it is: here our own code prints it, without making it harmless."""
    action = fake_action(tmp_path)
    one = sandbox(environ, mode, action)
    capfd.readouterr()
    assert one.build(box) == 5
    log = capfd.readouterr().out
    assert HOSTILE_OUTPUT in log
    assert effective_commands(log) == []
    box.sources.mkdir(exist_ok=True)
    assert one.plan(box) == 5
    log = capfd.readouterr().out
    assert HOSTILE_OUTPUT in log
    assert effective_commands(log) == []


@pytest.mark.parametrize("last", ["\n", "no newline at the end", "::stop-commands::x"])
def test_what_is_said_after_a_build_counts(
    environ: dict[str, str], box: Box, tmp_path: Path, capfd: pytest.CaptureFixture[str], last: str
) -> None:
    """However the build's own words end: ours must not hang on to them."""
    one = sandbox(environ, "native", fake_action(tmp_path, f"{HOSTILE_OUTPUT}{last}"))
    capfd.readouterr()
    assert one.build(box) == 5
    notice("ours")
    assert [message for _, _, message in effective_commands(capfd.readouterr().out)] == ["ours"]


def fake_action(tmp_path: Path, words: str = HOSTILE_OUTPUT) -> Path:
    folder = tmp_path / "action"
    for name in ("overflow", "templates"):
        (folder / name).mkdir(parents=True)
    (folder / "entrypoint.py").write_text(DUMPS % words)
    (folder / "image.json").write_text('{"image": null}')
    return folder


@pytest.mark.parametrize("mode", ["container", "native"])
def test_what_a_build_sees(
    mode: str, environ: dict[str, str], runner: Runner, box: Box, tmp_path: Path
) -> None:
    one = sandbox(environ, mode, fake_action(tmp_path))
    one.build(box)
    seen = json.loads((box.output / "seen.json").read_text("utf-8"))
    names = {name for name in seen["environ"] if name.startswith("OVERFLOW_")}
    assert names == {f"OVERFLOW_{name}" for name in ("PROJECT", "OUTPUT", "PYTHON", "PUBLIC_INDEX")}
    root = runner.workspace if mode == "native" else box.sources
    assert seen["folder"] == str(root)
    assert seen["environ"]["OVERFLOW_PROJECT"] == str(root / "services/api")
    assert seen["arguments"] == []
    box.sources.mkdir(exist_ok=True)
    one.plan(box)
    seen = json.loads((box.output / "seen.json").read_text("utf-8"))
    assert (seen["folder"], seen["arguments"]) == (str(box.sources), ["plan"])


@pytest.mark.parametrize("mode", ["container", "native"])
def test_plan_of_another_folder(
    mode: str, environ: dict[str, str], runner: Runner, box: Box
) -> None:
    """What is found too large is planned all the same."""
    before = snapshot(runner.workspace)
    make_project(box.sources / "services" / "api", "beta", name="earlier")
    environ |= {"OVERFLOW_LIMIT_MB": "0.001", "OVERFLOW_NO_RUNTIME_INSTALL": "1"}
    one = sandbox(environ, mode)
    report = read_plan(box.output, one.plan(box))
    assert isinstance(report, Report)
    assert (report.project, [row.name for row in report.rows]) == ("earlier", ["beta"])
    assert report.outcome.value == "too-large"
    assert [path.name for path in box.output.iterdir()] == ["report.json"]
    assert snapshot(runner.workspace) == before


def test_plan_that_fails(environ: dict[str, str], box: Box) -> None:
    (box.sources / "services" / "api").mkdir(parents=True)
    failure = read_plan(box.output, sandbox(environ, "native").plan(box))
    assert isinstance(failure, Failure)
    assert (failure.code, failure.exit_code) == ("pyproject-missing", 2)


@pytest.mark.parametrize("mode", ["container", "native"])
@pytest.mark.parametrize("is_fork", [True, False])
def test_a_forks_code_is_started_in_a_container_only(
    environ: dict[str, str], box: Box, mode: str, *, is_fork: bool
) -> None:
    one = sandbox(environ, mode)
    repository = "stranger/shop" if is_fork else one.context.repository
    head = {"ref": "topic", "sha": "a" * 40, "repo": {"full_name": repository}}
    base = {"ref": "main", "sha": "b" * 40}
    event = {"pull_request": {"number": 1, "base": base, "head": head}}
    one = replace(one, context=replace(one.context, event=event))
    _, environment = one._command([], box, box.sources, "name")
    for switch in ("OVERFLOW_NO_START_RECORD", "OVERFLOW_NO_VERIFY"):
        assert (switch in environment) == (is_fork and mode == "native")


def test_native_asks_no_docker(
    environ: dict[str, str], docker: FakeDocker, tools: list[Path]
) -> None:
    one = sandbox(environ, "native")
    assert (one.image, one.python) == (None, Path(sys.executable))
    assert docker.calls() == []
    assert tools == [ROOT]


def test_container_makes_no_tools(environ: dict[str, str], tools: list[Path]) -> None:
    one = sandbox(environ, "auto")
    assert (one.image, one.python) == ("build:1", None)
    assert tools == []


@pytest.mark.parametrize("state", [{"server": None}, {"builds": False}])
def test_container_that_cannot_be(
    environ: dict[str, str],
    docker: FakeDocker,
    state: dict[str, object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Natively instead, and it is said; unless a container was insisted on."""
    docker.state(**state)
    del environ["OVERFLOW_IMAGE"]
    with pytest.raises(InputFault):
        sandbox(environ, "container")
    capsys.readouterr()
    assert sandbox(environ, "auto").image is None
    [(name, _, message)] = effective_commands(capsys.readouterr().out)
    assert name == "notice"
    assert message.startswith("Building natively: ")


def test_image_that_is_asked_for_is_not_given_up(
    environ: dict[str, str], docker: FakeDocker
) -> None:
    docker.state(images=[], pulls=False)
    with pytest.raises(InputFault) as raised:
        sandbox(environ, "auto")
    assert raised.value.code == "image-missing"
