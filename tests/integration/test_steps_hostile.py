"""Steps, with build hooks and names that mean ill."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from overflow.action import main
from tests.support.fake_docker import FakeDocker
from tests.support.projects import make_project, make_source_package
from tests.support.steps import COMPLETE, TOKEN, bare, project_of
from tests.support.workspace import (
    HOSTILE_OUTPUT,
    Runner,
    commit,
    effective_commands,
    seen_by,
    spy_on,
)
from tests.unit.reports import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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


def in_output(job: Runner, code: str) -> str:
    """Code of a hook that finds the build's output folder, and tells that it did its work."""
    found = f"[output] = Path({str(job.work)!r}).glob('box-*/inside/output')"
    return f"{found}; {code}; Path({str(job.folder / 'planted')!r}).touch()"


def planted(job: Runner) -> bool:
    return (job.folder / "planted").exists()


def test_build_hook_that_leaves_a_link_for_us_to_write_through(job: Runner, tmp_path: Path) -> None:
    """What the link names is a file of this test's own, so that nothing else can come to harm."""
    theirs = tmp_path / "theirs"
    theirs.write_text("x")
    code = f"(output / 'fault.json').symlink_to({str(theirs)!r})"
    hooked(job, tmp_path / "seen", more=in_output(job, code) + "; sys.exit(7)")
    assert main("build") == 0
    assert len(seen_by(tmp_path / "seen")) == 1
    assert planted(job)
    assert theirs.read_text() == "x"
    assert main("gate") == 4


@pytest.mark.parametrize("left", ["link", "file"])
def test_build_hook_that_replaces_the_output(
    job: Runner, tmp_path: Path, left: str, log: Callable[[], str]
) -> None:
    """That is a failed build like others; nothing is taken from where a link leads."""
    leaves = {"link": "output.symlink_to('x')", "file": "output.touch()"}
    code = f"output.rename(output.with_name('x')); {leaves[left]}"
    # Once: uv calls more than one hook.
    once = f"Path({str(tmp_path / 'planted')!r}).exists() or exec({in_output(job, code)!r})"
    hooked(job, tmp_path / "seen", more=once)
    assert main("build") == 0
    assert planted(job)
    assert (job.outputs["outcome"], job.outputs["artifact-path"]) == ("failed", "")
    [(_, properties, _)] = effective_commands(log())
    assert properties["title"] == "Build failed: report-invalid"
    assert job.boxes == []
    assert main("gate") == 2


@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_build_hook_that_leaves_closed_folders(job: Runner, tmp_path: Path, mode: int) -> None:
    """Nothing of them stays on the runner, and the build is as good as any."""
    made = "inner = output.parent / str(os.getpid()) / 'inner'; inner.mkdir(parents=True)"
    code = f"{made}; inner.chmod({mode}); inner.parent.chmod({mode})"
    hooked(job, tmp_path / "seen", more=in_output(job, code))
    assert main("build") == 0
    assert planted(job)
    assert job.outputs["outcome"] == "fits"
    assert job.boxes == []


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
