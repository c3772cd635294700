"""uv: what it is asked, and its failures in our words."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from overflow import uv as uv_module
from overflow.errors import Fault, InputFault, UvFault
from overflow.installer import X86_64
from overflow.process import Completed
from overflow.uv import SAID_AT_MOST, Uv
from tests.unit.builders import target, write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Ran:
    """Stands in for process.run."""

    def __init__(self) -> None:
        self.exit_code = 0
        self.output = self.errors = ""
        self.commands: list[list[str]] = []
        self.environments: list[Mapping[str, str]] = []
        self.does: Callable[[Path], None] = lambda _: None

    def __call__(
        self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str]
    ) -> Completed:
        self.commands.append(list(command))
        self.environments.append(environment)
        self.does(folder)
        return Completed(exit_code=self.exit_code, output=self.output, errors=self.errors)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    stand = Ran()
    monkeypatch.setattr(uv_module, "run", stand)
    return stand


@pytest.fixture
def uv(tmp_path: Path) -> Uv:
    write(tmp_path, {"own-uv": "own"})
    return Uv(binary=str(tmp_path / "own-uv"), environment={"PATH": "/bin"})


def test_bundled_one_downloads_no_python_and_gets_no_secret() -> None:
    found = Uv.bundled({"PATH": "/bin", "GITHUB_TOKEN": "x", "UV_PYTHON_DOWNLOADS": "automatic"})
    assert found.environment == {
        "PATH": "/bin",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
    }


def test_find_python(uv: Uv, ran: Ran, tmp_path: Path) -> None:
    ran.output = "/opt/python3.12\n"
    assert uv.find_python("3.12", tmp_path) == "/opt/python3.12"
    assert ran.commands[0][1:] == ["python", "find", "--no-project", "cpython@3.12"]
    ran.exit_code = 2
    assert uv.find_python("3.12", tmp_path) is None


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ("error: The lockfile at `uv.lock` needs to be updated", InputFault, "lock-stale"),
        ("error: Failed to parse `uv.lock`", InputFault, "lock-invalid"),
        ("error: Failed to fetch https://pypi.org", UvFault, "lock-failed"),
    ],
)
def test_check_lock(
    uv: Uv, ran: Ran, tmp_path: Path, said: str, kind: type[Fault], code: str
) -> None:
    uv.check_lock(tmp_path, tmp_path / "python")
    assert ran.commands[0][1:3] == ["lock", "--check"]
    ran.exit_code, ran.errors = 1, said
    with pytest.raises(kind) as raised:
        uv.check_lock(tmp_path, tmp_path / "python")
    assert (raised.value.code, raised.value.details) == (code, said)


def sync(
    uv: Uv, folder: Path, *, groups: tuple[str, ...] = (), local: tuple[str, ...] = ()
) -> None:
    uv.sync(
        folder,
        folder / "environment",
        python=folder / "python",
        target=target("3.12", "arm64"),
        extras=("fast",),
        groups=groups,
        local=local,
    )


def test_sync_takes_the_lock_as_it_is_for_the_target(uv: Uv, ran: Ran, tmp_path: Path) -> None:
    sync(uv, tmp_path, groups=("docs",), local=("app",))
    (command,) = ran.commands
    assert {"--frozen", "--no-default-groups", "--no-editable", "--no-dev"} <= set(command)
    assert {"--extra=fast", "--group=docs", "--refresh-package=app"} <= set(command)
    assert command[command.index("--python-platform") + 1] == "aarch64-manylinux_2_34"
    (environment,) = ran.environments
    assert environment["UV_PROJECT_ENVIRONMENT"] == str(tmp_path / "environment")
    assert environment["PATH"] == "/bin"


def test_sync_with_the_dev_group(uv: Uv, ran: Ran, tmp_path: Path) -> None:
    sync(uv, tmp_path, groups=("dev",))
    assert "--no-dev" not in ran.commands[0]


def test_failures_name_what_was_tried(uv: Uv, ran: Ran, tmp_path: Path) -> None:
    ran.exit_code, ran.errors = 2, "x" * SAID_AT_MOST + "the reason\n"
    with pytest.raises(UvFault) as raised:
        sync(uv, tmp_path)
    assert raised.value.code == "install-failed"
    assert "for python3.12 on arm64 (exit code 2)" in raised.value.message
    assert raised.value.details.startswith("[...]")
    assert raised.value.details.endswith("the reason")
    assert len(raised.value.details) == SAID_AT_MOST + len("[...]")


@pytest.mark.parametrize("what", ["lock", "add"])
def test_locking(uv: Uv, ran: Ran, tmp_path: Path, what: str) -> None:
    def attempt() -> None:
        if what == "lock":
            uv.lock(tmp_path, tmp_path / "python")
        else:
            uv.add_requirements(tmp_path, tmp_path / "requirements.txt", tmp_path / "python")

    attempt()
    assert ran.commands[0][1] == what
    ran.exit_code, ran.output = 1, "only on standard output"
    with pytest.raises(UvFault) as raised:
        attempt()
    assert (raised.value.code, raised.value.details) == ("lock-failed", "only on standard output")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_own_uv_is_bundled_where_it_is_the_pinned_one(
    uv: Uv, ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uv_module, "_recorded_sha256", lambda _: digest("own"))
    pinned = replace(X86_64, binary_sha256=digest("own"))
    assert uv.installer(pinned, tmp_path / "i", tmp_path / "python") == tmp_path / "own-uv"
    assert ran.commands == []


def test_recorded_hash_is_that_of_the_file_and_of_no_other(tmp_path: Path) -> None:
    own = Uv.bundled({}).binary
    expected = hashlib.sha256(Path(own).read_bytes()).hexdigest()
    assert uv_module._recorded_sha256(own) == expected
    write(tmp_path, {"uv": "other"})
    assert uv_module._recorded_sha256(str(tmp_path / "uv")) is None


def test_other_uv_is_fetched_by_hash(uv: Uv, ran: Ran, tmp_path: Path) -> None:
    ran.does = lambda folder: write(folder, {"bin/uv": "fetched"})
    pinned = replace(X86_64, binary_sha256=digest("fetched"))
    found = uv.installer(pinned, tmp_path / "i", tmp_path / "python")
    assert found == tmp_path / "i" / "bin" / "uv"
    assert "--require-hashes" in ran.commands[0]
    assert pinned.wheel_sha256 in (tmp_path / "i" / "uv.txt").read_text()


def test_fetched_uv_that_is_another_is_refused(uv: Uv, ran: Ran, tmp_path: Path) -> None:
    ran.does = lambda folder: write(folder, {"bin/uv": "evil"})
    with pytest.raises(UvFault) as raised:
        uv.installer(X86_64, tmp_path / "i", tmp_path / "python")
    assert raised.value.code == "installer-unavailable"
    assert "not the one that is pinned" in raised.value.message


def test_uv_that_cannot_be_fetched(uv: Uv, ran: Ran, tmp_path: Path) -> None:
    ran.exit_code, ran.errors = 1, "no network"
    with pytest.raises(UvFault) as raised:
        uv.installer(X86_64, tmp_path / "i", tmp_path / "python")
    assert (raised.value.code, raised.value.details) == ("installer-unavailable", "no network")
