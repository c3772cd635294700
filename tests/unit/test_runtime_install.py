"""Ready and install: whatever happens, only a whole overflow of this very build counts."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from overflow.runtime import install, ready
from overflow.runtime.manifest import Deferred, Manifest
from overflow.runtime.ready import InstallError, is_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEFERRED = Deferred(size=4, indexes=())


def ensure(manifest: Manifest, deferred: Deferred, root: str) -> None:
    """As start.py has it."""
    ready.ensure(manifest, lambda: install.fill(manifest.overflow_folder, deferred, root))


class Uv:
    """Stands in for uv: makes the tree it is asked for, and remembers how it was called."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.environments: list[dict[str, str]] = []
        self.fails: BaseException | None = None
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self, command: list[str], environment: dict[str, str]) -> None:
        self.commands.append(command)
        self.environments.append(environment)
        tree = Path(command[command.index("--target") + 1])
        tree.mkdir(parents=True)
        (tree / "alpha.py").write_text("x = 1")
        self.meanwhile()
        if self.fails is not None:
            raise self.fails


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch) -> Uv:
    fake = Uv()
    monkeypatch.setattr(install, "_run_uv", fake)
    return fake


@pytest.fixture
def manifest(tmp_path: Path) -> Iterator[Manifest]:
    yield Manifest(
        build="build-1",
        python="3.12",
        handler="app:handler",
        interface="function",
        overflow_folder=str(tmp_path / "_vc_deps_overflow"),
        deferred=DEFERRED,
    )
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"_vc_deps_overflow", "_vc_deps_overflow.lock"}


def listing(manifest: Manifest) -> list[str]:
    return sorted(path.name for path in Path(manifest.overflow_folder).iterdir())


def test_cold_start(uv: Uv, manifest: Manifest, capsys: pytest.CaptureFixture[str]) -> None:
    ensure(manifest, DEFERRED, "/var/task")
    assert listing(manifest) == [".installed", "alpha.py"]
    assert is_ready(manifest)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "Installing runtime dependencies..."
    assert second.startswith("Runtime dependencies installed in ")
    assert second.endswith("s")


def test_warm_start(uv: Uv, manifest: Manifest, capsys: pytest.CaptureFixture[str]) -> None:
    ensure(manifest, DEFERRED, "/var/task")
    capsys.readouterr()
    ensure(manifest, DEFERRED, "/var/task")
    assert capsys.readouterr().out == "Using cached runtime dependencies\n"
    assert len(uv.commands) == 1


@pytest.mark.parametrize("failure", [InstallError("no"), KeyboardInterrupt(), OSError("disk")])
def test_failed_install_counts_for_nothing_and_is_repaired(
    uv: Uv, manifest: Manifest, failure: BaseException
) -> None:
    uv.fails = failure
    with pytest.raises(type(failure)):
        ensure(manifest, DEFERRED, "/var/task")
    assert not is_ready(manifest)
    assert not Path(manifest.overflow_folder).exists()
    uv.fails = None
    ensure(manifest, DEFERRED, "/var/task")
    assert is_ready(manifest)


def test_killed_before_the_marker_is_repaired(
    uv: Uv, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: str, build: str) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(ready, "write_marker", killed)
        with pytest.raises(SystemExit):
            ensure(manifest, DEFERRED, "/var/task")
    assert listing(manifest) == ["alpha.py"]
    assert not is_ready(manifest)
    ensure(manifest, DEFERRED, "/var/task")
    assert listing(manifest) == [".installed", "alpha.py"]


def test_work_of_a_killed_process_is_removed(uv: Uv, manifest: Manifest) -> None:
    Path(f"{manifest.overflow_folder}.work/tree/half").mkdir(parents=True)
    ensure(manifest, DEFERRED, "/var/task")
    assert listing(manifest) == [".installed", "alpha.py"]


@pytest.mark.parametrize(
    "marker",
    [None, b"", b"build-0", b"build-1\n", b"build-", b"\xff\xfe"],
    ids=["none", "empty", "other build", "more", "less", "no text"],
)
def test_folder_that_is_not_this_build_is_replaced(
    uv: Uv, manifest: Manifest, marker: bytes | None
) -> None:
    Path(manifest.overflow_folder).mkdir()
    files = {"stale.py": b"old", **({".installed": marker} if marker is not None else {})}
    for name, content in files.items():
        Path(manifest.overflow_folder, name).write_bytes(content)
    ensure(manifest, DEFERRED, "/var/task")
    assert listing(manifest) == [".installed", "alpha.py"]


def test_lock_that_is_had_second_looks_again(
    uv: Uv, manifest: Manifest, capsys: pytest.CaptureFixture[str]
) -> None:
    begun, other = threading.Event(), []

    def second() -> None:
        assert begun.wait(30)
        ensure(manifest, DEFERRED, "/var/task")

    thread = threading.Thread(target=second)
    thread.start()

    def meanwhile() -> None:
        begun.set()
        other.append(is_ready(manifest))
        thread.join(0.05)  # it now waits for the lock

    uv.meanwhile = meanwhile
    ensure(manifest, DEFERRED, "/var/task")
    thread.join(30)
    assert other == [False]
    assert len(uv.commands) == 1
    assert "Using cached runtime dependencies" in capsys.readouterr().out


def test_no_room(uv: Uv, manifest: Manifest) -> None:
    huge = Deferred(size=1 << 62, indexes=())
    with pytest.raises(
        InstallError, match=r"free and the runtime dependencies need .* ephemeral storage"
    ):
        ensure(manifest, huge, "/var/task")
    assert uv.commands == []
    assert not is_ready(manifest)


def test_room_of_a_stale_overflow_is_free_again(
    uv: Uv, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older build's overflow fills /tmp: it must go before the room is looked at."""
    Path(manifest.overflow_folder).mkdir()

    class Status:
        f_frsize = 1
        f_bavail = 0

    def statvfs(path: str) -> Any:
        Status.f_bavail = 0 if Path(manifest.overflow_folder).exists() else 1000
        return Status

    monkeypatch.setattr(os, "statvfs", statvfs)
    ensure(manifest, DEFERRED, "/var/task")
    assert is_ready(manifest)


def test_command_is_offline_of_all_but_the_pins(uv: Uv, manifest: Manifest) -> None:
    ensure(manifest, DEFERRED, "/var/task")
    (command,) = uv.commands
    assert command[:3] == ["/var/task/_uv/uv", "pip", "install"]
    assert {"--no-config", "--no-deps", "--require-hashes"} <= set(command)
    assert command[command.index("--only-binary") + 1] == ":all:"
    assert command[command.index("--python") + 1] == sys.executable
    assert command[-2:] == ["--requirements", "/var/task/_uv/_runtime_requirements.txt"]
    assert "--index" not in command


def test_extra_indexes_are_arguments_of_their_own(uv: Uv, manifest: Manifest) -> None:
    indexes = ("https://one.example/simple", "https://two.example/ --no-index")
    ensure(manifest, Deferred(size=4, indexes=indexes), "/var/task")
    (command,) = uv.commands
    given = [command[i + 1] for i, word in enumerate(command) if word == "--index"]
    assert given == list(indexes)
    assert command[command.index("--index-strategy") + 1] == "unsafe-best-match"


SECRET = "hunter2"
HIDDEN = (
    "AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_ACCESS_KEY_ID DATABASE_URL GITHUB_TOKEN"
    " UV_PUBLISH_TOKEN UV_PUBLISH_PASSWORD PYTHONPATH LD_PRELOAD PIP_INDEX_URL"
    " UV_CONFIG_FILE UV_TARGET MY_PATH PATHS"
).split()
KEPT = (
    "LD_LIBRARY_PATH "
    "PATH HTTPS_PROXY https_proxy no_proxy SSL_CERT_FILE UV_DEFAULT_INDEX UV_INDEX UV_INDEX_URL"
    " UV_EXTRA_INDEX_URL UV_INDEX_INTERNAL_PASSWORD UV_HTTP_TIMEOUT UV_CONCURRENT_DOWNLOADS"
).split()


def test_uv_sees_proxies_and_indexes_and_no_secret(
    uv: Uv, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [*HIDDEN, *KEPT]:
        monkeypatch.setenv(name, SECRET)
    ensure(manifest, DEFERRED, "/var/task")
    (environment,) = uv.environments
    assert sorted(name for name in KEPT if environment.get(name) != SECRET) == []
    assert sorted(name for name in HIDDEN if name in environment) == []
    work = f"{manifest.overflow_folder}.work"
    assert environment["HOME"] == environment["TMPDIR"] == f"{work}/home"


class Ended:
    def __init__(self, returncode: int) -> None:
        self.returncode = returncode
        self.stdout = "error: no network\n"


def test_uv_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: Ended(2))
    with pytest.raises(InstallError, match=r"\(exit code 2\):\nerror: no network$"):
        install._run_uv(["uv"], {})


def test_uv_that_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: Ended(0))
    install._run_uv(["uv"], {})


def test_uv_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(subprocess, "run", refused)
    with pytest.raises(InstallError, match=r"/uv does not start \(Permission denied\).*executable"):
        install._run_uv(["/var/task/_uv/uv"], {})
