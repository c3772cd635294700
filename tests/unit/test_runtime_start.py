"""Start: manifest, Python, install, paths, handler, in this order."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from overflow.runtime import install, unpack
from overflow.runtime.manifest import Deferred, Group, Manifest, to_json
from overflow.runtime.start import start
from tests.unit.builders import write

if TYPE_CHECKING:
    from pathlib import Path

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))


def bundle(
    root: Path,
    *,
    python: str = RUNNING,
    deferred: Deferred | None = None,
    groups: tuple[Group, ...] = (),
) -> str:
    manifest = Manifest(
        build="b",
        python=python,
        handler="started_app:handler",
        interface="function",
        overflow_folder=str(root / "overflow"),
        deferred=deferred,
        groups=groups,
    )
    write(
        root,
        {
            "_overflow/manifest.json": to_json(manifest),
            "started_app.py": "import started_dep\ndef handler(event, context):\n"
            "    return started_dep.where\n",
            "_vendor/started_dep.py": "where = 'vendored'\n",
        },
    )
    return str(root)


def test_nothing_deferred(tmp_path: Path) -> None:
    root = bundle(tmp_path)
    assert start(root)({}, None) == "vendored"
    assert f"{root}/overflow" not in sys.path


def test_overflow_is_installed_first_and_stands_before_vendor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deferred = Deferred(size=1, indexes=())
    asked: list[tuple[str, Deferred, str]] = []

    def fill(folder: str, deferred: Deferred, root: str) -> None:
        asked.append((folder, deferred, root))
        write(tmp_path, {"overflow/started_dep.py": "where = 'deferred'\n"})

    monkeypatch.setattr(install, "fill", fill)
    root = bundle(tmp_path, deferred=deferred)
    assert start(root)({}, None) == "deferred"
    assert asked == [(f"{root}/overflow", deferred, root)]


def test_other_python_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    before = list(sys.path)
    said = f"is for python3.99 and the function runs python{RUNNING}"
    with pytest.raises(RuntimeError, match=said):
        start(bundle(tmp_path, python="3.99"))
    assert sys.path == before
    assert "started_app" not in sys.modules


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        start(str(tmp_path))


def test_packed_groups_stand_before_vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And unpack.py is what puts them there."""
    groups = tuple(Group(name=name, size=1, sha256="0" * 64) for name in ("0-a", "1-b"))

    def fill(folder: str, packed: tuple[Group, ...], root: str) -> None:
        assert (folder, packed, root) == (f"{tmp_path}/overflow", groups, str(tmp_path))
        write(tmp_path, {"overflow/1-b/started_dep.py": "where = 'packed'\n"})
        write(tmp_path, {"overflow/0-a/other.py": ""})

    monkeypatch.setattr(unpack, "fill", fill)
    assert start(bundle(tmp_path, groups=groups))({}, None) == "packed"
    placed = [path.removeprefix(f"{tmp_path}/") for path in sys.path if str(tmp_path) in path]
    assert placed == [str(tmp_path), "overflow/0-a", "overflow/1-b", "_vendor"]


def test_with_lazy_groups_only_nothing_is_done_or_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "path_hooks", list(sys.path_hooks))
    groups = tuple(
        Group(name=name, size=1, sha256="0" * 64, provides={"elsewhere": "module"})
        for name in ("0-a", "1-b")
    )
    assert start(bundle(tmp_path, groups=groups))({}, None) == "vendored"
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "overflow").exists()
    placed = [path.removeprefix(f"{tmp_path}/") for path in sys.path if str(tmp_path) in path]
    assert placed == [str(tmp_path), "overflow/0-a", "overflow/1-b", "_vendor"]
