"""Process: the one door to other programs."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PASSED_ON = frozenset(
    "PATH HOME USER LOGNAME LANG LANGUAGE TZ TMPDIR SHELL NETRC SOURCE_DATE_EPOCH"
    " SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE HTTP_PROXY HTTPS_PROXY"
    " ALL_PROXY NO_PROXY CC CXX CPP AR LD CFLAGS CXXFLAGS CPPFLAGS LDFLAGS MAKEFLAGS"
    " PKG_CONFIG_PATH LD_LIBRARY_PATH LIBRARY_PATH CPATH RUSTFLAGS SSH_AUTH_SOCK"
    " PYENV_ROOT RUNNER_TOOL_CACHE".split()
)
PASSED_ON_PREFIXES = ("LC_", "UV_", "GIT_", "XDG_", "CARGO_", "RUSTUP_", "CMAKE_", "MATURIN_")
"""What uv, git and build back ends need. Tokens and keys of CI are not in it (see docs)."""

NOT_PASSED_ON = frozenset(
    # What would make uv do something else than it is asked here.
    "UV_FROZEN UV_LOCKED UV_NO_SYNC UV_PYTHON UV_PROJECT UV_WORKING_DIR"
    " UV_COMPILE_BYTECODE UV_PROJECT_ENVIRONMENT UV_LINK_MODE UV_DEV UV_NO_DEV UV_NO_GROUP"
    " UV_NO_DEFAULT_GROUPS UV_NO_BINARY UV_NO_BINARY_PACKAGE UV_NO_EDITABLE UV_SYSTEM_PYTHON"
    " UV_TARGET"
    " UV_MANAGED_PYTHON UV_PYTHON_PREFERENCE UV_PUBLISH_PASSWORD UV_PUBLISH_USERNAME"
    " UV_EXTRA UV_GROUP UV_ALL_EXTRAS UV_ALL_GROUPS UV_ISOLATED"
    " UV_PYTHON_PLATFORM".split()
)

PASSED_TO_APPS = frozenset("PATH LANG LC_ALL TZ LD_LIBRARY_PATH".split())
"""What an app that is started here sees of our environment: no token, no index's password."""

LAMBDAS_OWN = {"AWS_LAMBDA_FUNCTION_NAME": "overflow"}
LAMBDAS_OWN |= dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "us-east-1")
"""What every function finds set, and some libraries ask for when they are imported."""

PATIENCE = 5.0
"""Seconds that a program has to stop once it is asked to."""

LOOK = 0.1
"""Seconds after which we look whether a program has ended whose output is still held open."""

REST = 0.5
"""Seconds in which what a program has left in its pipes is read, once it has ended."""


@dataclass(frozen=True, kw_only=True)
class Completed:
    """How a program ended."""

    exit_code: int
    output: str
    """Its standard output."""
    errors: str
    """Its standard error."""


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of our environment that a child may see."""
    return {
        name: value
        for name, value in environ.items()
        if (name.upper() in PASSED_ON or name.startswith(PASSED_ON_PREFIXES))
        and name not in NOT_PASSED_ON
        and not name.startswith("UV_NO_INSTALL_")
        and not name.endswith("_TOKEN")  # CARGO_REGISTRY_TOKEN and its like are for publishing
    }


@contextmanager
def stoppable() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end us as Ctrl-C does: with uv stopped and everything cleaned up."""

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup's wish stays
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def watch(command: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> int:
    """Run a program whose output goes to our standard output; gives its exit code.

    That is 128 and the signal's number where a signal ended it, as a shell has it.
    Where we are stopped, it is asked to stop with everything it started, and after PATIENCE made
    to. Raises OSError where it cannot be started.
    """
    with subprocess.Popen(
        list(command),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        # One stream: the runner reads two in any order, and what we say before and after the
        # child's words (that commands in them do not count) must stay before and after.
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as child:
        try:
            exit_code = child.wait()
        except BaseException:
            _signal_all(child.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                child.wait(PATIENCE)
            # Whoever did not heed it, also those whose parent did.
            _signal_all(child.pid, signal.SIGKILL)
            raise
    return exit_code if exit_code >= 0 else 128 - exit_code


def _signal_all(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # all have ended, or are another user's
        os.killpg(group, number)


def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    seconds: float | None = None,
) -> Completed:
    """Run a program to its end, with no standard input; it dies with us on Ctrl-C.

    seconds: after so many it is killed. Whenever it ends, all that it started and left in its
    session is killed then, too, and nothing else is waited for. Raises OSError where it cannot be
    started.
    """
    with subprocess.Popen(
        list(command),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=seconds is not None,
    ) as child:
        try:
            output, errors = child.communicate() if seconds is None else _within(seconds, child)
        except BaseException:
            child.terminate()  # docker and uv stop what they have started
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
            raise
    return Completed(exit_code=child.returncode, output=output, errors=errors)


def _within(seconds: float, child: subprocess.Popen[str]) -> tuple[str, str]:
    """Its output and errors; what it has left running may hold their pipes open."""
    end = time.monotonic() + seconds
    try:
        while child.poll() is None and time.monotonic() < end:
            with suppress(subprocess.TimeoutExpired):
                return child.communicate(timeout=min(LOOK, seconds))
    finally:
        _signal_all(child.pid, signal.SIGKILL)
    try:
        return child.communicate(timeout=REST)
    except subprocess.TimeoutExpired as error:  # somebody has left the session
        read = (error.output or b"", error.stderr or b"")  # bytes, unlike what is read to its end
        return read[0].decode(errors="replace"), read[1].decode(errors="replace")
