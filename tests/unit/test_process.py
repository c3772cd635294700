"""Process and Pythons: what children may see, and which interpreter stands in."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from overflow import pythons
from overflow.errors import InputFault
from overflow.process import child_environment, run, watch
from overflow.pythons import find_python
from tests.unit.builders import target

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from overflow.uv import Uv

SECRETS = (
    "GITHUB_TOKEN ACTIONS_RUNTIME_TOKEN ACTIONS_ID_TOKEN_REQUEST_TOKEN AWS_SECRET_ACCESS_KEY"
    " AWS_SESSION_TOKEN DATABASE_URL NPM_TOKEN UV_PUBLISH_TOKEN UV_PUBLISH_PASSWORD"
    " CARGO_REGISTRY_TOKEN GITHUB_OUTPUT GITHUB_ENV GITHUB_STEP_SUMMARY VIRTUAL_ENV PYTHONPATH"
    " DOCKER_HOST INPUT_TOKEN OVERFLOW_OUTPUT"
).split()
STEERING = "UV_FROZEN UV_PYTHON UV_TARGET UV_PROJECT UV_SYSTEM_PYTHON UV_NO_DEV UV_GROUP".split()
NEEDED = (
    "PATH HOME LANG LC_ALL TMPDIR HTTPS_PROXY https_proxy NO_PROXY SSL_CERT_FILE NETRC"
    " UV_INDEX_URL UV_INDEX_INTERNAL_PASSWORD UV_CACHE_DIR GIT_SSH_COMMAND SSH_AUTH_SOCK"
    " XDG_CACHE_HOME CC CFLAGS CARGO_HOME SOURCE_DATE_EPOCH"
).split()


@pytest.mark.parametrize("name", [*SECRETS, *STEERING])
def test_children_do_not_see(name: str) -> None:
    assert child_environment({name: "x"}) == {}


@pytest.mark.parametrize("name", NEEDED)
def test_children_see(name: str) -> None:
    assert child_environment({name: "x"}) == {name: "x"}


class Child:
    """Stands in for subprocess.Popen."""

    made: Child
    interrupts = False
    stubborn = False

    def __init__(self, command: list[str], **options: Any) -> None:
        self.command, self.options, self.killed = command, options, False
        self.asked = False
        self.returncode, self.pid = 3, 4_000_000
        Child.made = self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def wait(self, timeout: float = 0) -> int:
        if timeout and Child.stubborn:
            raise subprocess.TimeoutExpired("a", timeout)
        if not timeout and Child.interrupts:
            raise KeyboardInterrupt
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        if Child.interrupts:
            raise KeyboardInterrupt
        return "out", "err"

    def kill(self) -> None:
        self.killed = True

    def terminate(self) -> None:
        self.asked = True


def test_run_hands_over_nothing_but_what_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", Child)
    done = run(("a", "b"), folder=tmp_path, environment={"X": "1"})
    assert (done.exit_code, done.output, done.errors) == (3, "out", "err")
    assert Child.made.command == ["a", "b"]
    assert Child.made.options["env"] == {"X": "1"}
    assert Child.made.options["cwd"] == tmp_path
    assert Child.made.options["stdin"] == subprocess.DEVNULL
    assert "shell" not in Child.made.options


@pytest.mark.parametrize("stubborn", [False, True])
def test_child_ends_with_us(
    stubborn: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked first: docker and uv stop what they have started."""
    monkeypatch.setattr(subprocess, "Popen", Child)
    monkeypatch.setattr(Child, "interrupts", True)
    monkeypatch.setattr(Child, "stubborn", stubborn)
    with pytest.raises(KeyboardInterrupt):
        run(["a"], folder=tmp_path, environment={})
    assert Child.made.asked
    assert Child.made.killed == stubborn


def test_watched_child_is_handed_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its output is ours; how it goes with a real one is tested in tests/integration."""
    monkeypatch.setattr(subprocess, "Popen", Child)
    assert watch(("a", "b"), folder=tmp_path, environment={"X": "1"}) == 3
    options = Child.made.options
    assert (options["env"], options["cwd"]) == ({"X": "1"}, tmp_path)
    assert options["stdin"] == subprocess.DEVNULL
    assert options["start_new_session"]
    assert options["stderr"] == subprocess.STDOUT
    assert not {"shell", "stdout"} & options.keys()


@pytest.mark.parametrize("stubborn", [False, True])
@pytest.mark.parametrize("gone", [None, ProcessLookupError, PermissionError])
def test_watched_child_ends_with_us(
    stubborn: bool, gone: type[OSError] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its whole group, and that it has ended by itself is not what we end with."""
    sent = []

    def killpg(group: int, number: int) -> None:
        sent.append((group, number))
        if gone:
            raise gone

    monkeypatch.setattr(os, "killpg", killpg)
    monkeypatch.setattr(subprocess, "Popen", Child)
    monkeypatch.setattr(Child, "interrupts", True)
    monkeypatch.setattr(Child, "stubborn", stubborn)
    with pytest.raises(KeyboardInterrupt):
        watch(["a"], folder=tmp_path, environment={})
    assert sent == [(Child.made.pid, number) for number in (signal.SIGTERM, signal.SIGKILL)]


class Finds:
    """Stands in for Uv."""

    def __init__(self, answer: str | None = None) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def find_python(self, version: str, folder: Path) -> str | None:
        self.asked.append(version)
        return self.answer


def find(version: str, environ: dict[str, str], finds: Finds | None = None) -> str:
    uv = cast("Uv", finds or Finds())
    return str(find_python(target(version), uv, environ))


def pyenv(root: Path, *versions: str, mode: int = 0o755) -> dict[str, str]:
    for version in versions:
        python = root / "versions" / version / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text("#!")
        python.chmod(mode)
    return {"PYENV_ROOT": str(root)}


def running(implementation: str) -> SimpleNamespace:
    return SimpleNamespace(
        version_info=(3, 10, 0),
        implementation=SimpleNamespace(name=implementation),
        executable="/running/python",
    )


@pytest.fixture(autouse=True)
def _running_3_10(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pythons, "sys", running("cpython"))


def test_our_own_is_taken_first(tmp_path: Path) -> None:
    assert find("3.10", pyenv(tmp_path, "3.10.9")) == "/running/python"


def test_our_own_is_not_taken_unless_cpython(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pythons, "sys", running("pypy"))
    assert find("3.10", pyenv(tmp_path, "3.10.9")).endswith("versions/3.10.9/bin/python")


def test_pyenvs_newest_patch(tmp_path: Path) -> None:
    environ = pyenv(tmp_path, "3.12.9", "3.12.10", "3.12.1", "pypy3.12-1", "3.13-dev")
    assert find("3.12", environ).endswith("versions/3.12.10/bin/python")


def test_pyenv_in_the_home(tmp_path: Path) -> None:
    pyenv(tmp_path / ".pyenv", "3.12.1")
    assert find("3.12", {"HOME": str(tmp_path)}).endswith("3.12.1/bin/python")


def test_uv_is_asked_last(tmp_path: Path) -> None:
    finds = Finds("/uv/python3.12")
    assert find("3.12", pyenv(tmp_path, "3.11.1"), finds) == "/uv/python3.12"
    assert finds.asked == ["3.12"]


def test_missing_names_those_that_are_here(tmp_path: Path) -> None:
    with pytest.raises(InputFault) as raised:
        find("3.12", pyenv(tmp_path, "3.11.1", "3.13.0"))
    assert raised.value.code == "python-missing"
    assert raised.value.hint.endswith("--python: 3.10, 3.11, 3.13")


def test_pyenv_without_an_executable(tmp_path: Path) -> None:
    with pytest.raises(InputFault):
        find("3.12", pyenv(tmp_path, "3.12.1", mode=0o644))


@pytest.mark.parametrize("name", ["UV_NO_INSTALL_LOCAL", "UV_NO_BINARY_PACKAGE", "UV_FROZEN"])
def test_settings_of_uv_that_would_change_the_build_are_not_passed_on(name: str) -> None:
    assert child_environment({name: "1", "UV_CACHE_DIR": "/cache"}) == {"UV_CACHE_DIR": "/cache"}


def test_a_runners_tool_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As GitHub's images and actions/setup-python lay it out; another machine's is passed over."""
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    for version, architecture in (("3.12.1", "arm64"), ("3.12.9", "arm64"), ("3.12.11", "x64")):
        python = tmp_path / "Python" / version / architecture / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text("#!")
        python.chmod(0o755)
    found = find("3.12", {"RUNNER_TOOL_CACHE": str(tmp_path)})
    assert found.endswith("Python/3.12.9/arm64/bin/python")
