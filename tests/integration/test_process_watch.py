"""Children do not outlive us, and nobody whom they leave behind is waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
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

RUNNER = """\
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from overflow import process
signal.signal(signal.SIGINT, signal.default_int_handler)
path = {"PATH": os.environ["PATH"]}
process.run(["sh", "-c", sys.argv[2]], folder=Path(sys.argv[3]), environment=path, seconds=60)
"""

ESCAPING = """\
import os, subprocess, sys
subprocess.Popen(["sleep", "20"], start_new_session=True)
os.write(1, b"out\\377\\n")
os.write(2, b"err\\n")
sys.exit(3)
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


def comes_to_an_end(process: int) -> bool:
    """Whether it does soon; one that nobody has asked for its exit code yet is at its end."""
    for _ in range(100):
        try:
            status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
        except OSError:
            return True
        if status.rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("output", ["", ">/dev/null 2>&1"], ids=["pipes held open", "silent"])
def test_what_a_program_leaves_running_ends_with_it(tmp_path: Path, output: str) -> None:
    """With a time limit, which it does not use up."""
    began = time.monotonic()
    command = ["sh", "-c", f"sleep 60 {output} & echo $!; echo err >&2; exit 3"]
    done = run(command, folder=tmp_path, environment=os.environ, seconds=50)
    assert time.monotonic() - began < 25
    assert (done.exit_code, done.errors) == (3, "err\n")
    assert comes_to_an_end(int(done.output))


def test_who_has_left_the_session_is_not_waited_for(tmp_path: Path) -> None:
    """That is all we can do; what was said until then is kept."""
    began = time.monotonic()
    command = [sys.executable, "-I", "-c", ESCAPING]
    done = run(command, folder=tmp_path, environment=os.environ, seconds=50)
    assert time.monotonic() - began < 15
    assert (done.exit_code, done.output, done.errors) == (3, "out\ufffd\n", "err\n")


def test_interrupted_with_what_a_program_has_started(tmp_path: Path) -> None:
    script = "sleep 60 & echo $! > new; mv new started; wait"
    command = [sys.executable, "-I", "-c", RUNNER, str(ROOT), script, str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as runner:
        while not (tmp_path / "started").exists():
            assert runner.poll() is None
            time.sleep(0.05)
        runner.send_signal(signal.SIGINT)
        assert runner.wait(timeout=10) != 0
    assert comes_to_an_end(int((tmp_path / "started").read_text()))
