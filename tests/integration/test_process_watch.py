"""Watch: a child whose output is ours, and which does not outlive us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from overflow.process import run, watch

ROOT = Path(__file__).parents[2]

WATCHER = """\
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from overflow import process
process.PATIENCE = 0.3
signal.signal(signal.SIGINT, signal.default_int_handler)
path = {"PATH": os.environ["PATH"]}
try:
    process.watch(["sh", "-c", sys.argv[2]], folder=Path("/"), environment=path)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""


def ended(script: str, **environment: str) -> int:
    return watch(["/bin/sh", "-c", script], folder=Path("/"), environment=environment)


def test_output_goes_where_ours_goes(capfd: pytest.CaptureFixture[str]) -> None:
    """Errors too, in their order: the runner reads our two streams in any order."""
    assert ended('echo "out $X"; echo err >&2; pwd; exit 7', X="1") == 7
    assert capfd.readouterr() == ("out 1\nerr\n/\n", "")


def test_child_gets_no_input_and_no_other_variable(capfd: pytest.CaptureFixture[str]) -> None:
    assert ended("cat; /usr/bin/env", ONLY="this") == 0
    names = {line.partition("=")[0] for line in capfd.readouterr().out.splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"ONLY"}


@pytest.mark.parametrize(("name", "exit_code"), [("KILL", 137), ("TERM", 143)])
def test_child_that_a_signal_ended(name: str, exit_code: int) -> None:
    """As docker and every shell say it: want of memory is 137, however the build ran."""
    assert ended(f"kill -{name} $$") == exit_code


def test_command_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        watch(["/nowhere/docker"], folder=Path("/"), environment={})


@pytest.mark.parametrize(
    "script",
    [
        # Not at once: we may still be on our way out of Popen.
        "sleep 15 & sleep 0.5; echo started; sleep 15; wait",
        "trap '' TERM; sleep 0.5; echo started; sleep 15; sleep 15",
        "(trap '' TERM; sleep 0.5; echo started; sleep 15; sleep 15) & wait",
    ],
    ids=["heeds it", "stubborn", "stubborn grandchild"],
)
def test_interrupted_with_everything_that_was_started(script: str) -> None:
    """The pipe ends when the last of them is gone, grandchildren too."""
    command = [sys.executable, "-I", "-c", WATCHER, str(ROOT), script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "started\n"
        watcher.send_signal(signal.SIGINT)
        rest, _ = watcher.communicate(timeout=10)
    assert (rest, watcher.returncode) == ("interrupted\n", 130)


def test_a_program_that_takes_too_long_is_killed_with_what_it_started(tmp_path: Path) -> None:
    """The grandchild holds the pipe open: without the whole session, we would wait for it."""
    command = ["sh", "-c", "sleep 60 & wait"]
    done = run(command, folder=tmp_path, environment=os.environ, seconds=0.2)
    assert done.exit_code == -signal.SIGKILL
