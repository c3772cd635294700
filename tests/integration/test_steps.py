"""Steps: the action from `build` to `gate`, as action.yml calls them, on a runner that we play."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from overflow import steps
from overflow.action import main
from overflow.errors import InputFault
from tests.support.fake_docker import FakeDocker
from tests.support.steps import COMPLETE, PYTHON, bare, project_of
from tests.support.workspace import HOSTILE_OUTPUT, Runner, effective_commands
from tests.unit.reports import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.github_api import GitHubApi


ROOT = Path(__file__).parents[2]


def test_build_that_overflows(
    job: Runner, monkeypatch: pytest.MonkeyPatch, log: Callable[[], str]
) -> None:
    monkeypatch.setenv("OVERFLOW_THRESHOLD_MB", "0.001")
    monkeypatch.setenv("OVERFLOW_STRATEGY", "defer")
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
    assert path.is_relative_to(job.work), "below the action's own folder"
    assert job.boxes == [], "nothing of the sandbox is left, the artifact was taken out of it"

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


def test_build_after_a_job_that_was_killed(job: Runner) -> None:
    """Its sandbox goes before the next one comes; a link in it is not followed."""
    theirs = job.folder / "theirs"
    theirs.write_text("x")
    left = job.work / "box-left" / "inside" / "cache"
    left.mkdir(parents=True)
    (left / "link").symlink_to(theirs)
    left.chmod(0)
    assert main("build") == 0
    assert job.outputs["outcome"] == "fits"
    assert job.boxes == []
    assert theirs.read_text() == "x"


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


def test_words_of_another_program_are_shown_as_text(
    job: Runner, monkeypatch: pytest.MonkeyPatch, log: Callable[[], str]
) -> None:
    def fail(step: steps.Step) -> int:
        raise InputFault("a-code", "m", hint="h", details=f"first\n{HOSTILE_OUTPUT}")

    monkeypatch.setitem(steps.STEPS, "build", fail)
    assert main("build") == 2
    said = log()
    assert said.startswith("  | first\n")
    assert [name for name, _, _ in effective_commands(said)] == ["error"]


def test_disk_that_is_full(
    job: Runner, monkeypatch: pytest.MonkeyPatch, log: Callable[[], str]
) -> None:
    """A person can mend that: no traceback, and no bug of ours."""

    def fail(step: steps.Step) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "/temp/x")

    monkeypatch.setitem(steps.STEPS, "build", fail)
    assert main("build") == 2
    [(_, properties, message)] = effective_commands(log())
    assert properties["title"] == "overflow: file-system"
    assert message.startswith("/temp/x: No space left on device")


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
    assert ("Traceback" in printed.err) is (exit_code == 1)


def test_cancelled_step_stops_what_it_started(job: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an exception: what waits for a child ends it."""
    handlers: list[object] = []

    def look(step: steps.Step) -> int:
        handlers.extend(signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP))
        return 0

    monkeypatch.setitem(steps.STEPS, "build", look)
    assert main("build") == 0
    assert len(handlers) == 2
    assert all(map(callable, handlers))


def test_step_that_is_none(job: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("nonsense") == 2
    assert "step-unknown" in capsys.readouterr().out


def test_every_step_of_the_action_is_known() -> None:
    called = {
        line.rpartition("action ")[2].split()[0].strip('"')
        for file in (ROOT / "action.yml", ROOT / "comment" / "action.yml")
        for line in file.read_text("utf-8").splitlines()
        if "entrypoint.py" in line
    }
    assert called == set(steps.STEPS)
