"""The cache in real builds: the same bundle with it, without it, and with a damaged one."""

from __future__ import annotations

import subprocess
import sys
from shutil import rmtree
from typing import TYPE_CHECKING

import pytest

from tests.support.projects import ProjectFolder, make_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Built
    from tests.support.index import LocalIndex

KINDS = {"bytecode", "code", "excess", "pieces", "proofs", "recordings"}
IMPORTS = "import alpha\n\ndef handler(event, context): pass\n"


@pytest.fixture
def project(tmp_path: Path) -> ProjectFolder:
    project = make_project(tmp_path / "project", "alpha", "beta")
    project.write("app.py", IMPORTS)
    project.write("words.txt", " ".join(map(str, range(20_000))))
    return project


@pytest.fixture
def ours(offline: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Overflow's cache, an empty one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "overflow"


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def zipped(built: Built) -> bytes:
    return (built.folder / "function.zip").read_bytes()


def test_same_bytes_with_what_an_earlier_build_left(
    build: Callable[..., Built], project: ProjectFolder, ours: Path
) -> None:
    first = zipped(build(project))
    left = entries(ours)
    assert {path.relative_to(ours).parts[0] for path in left} == KINDS
    assert zipped(build(project)) == first
    assert entries(ours) == left, "nothing was made that was there"


def test_damaged_entries_are_made_again(
    build: Callable[..., Built], project: ProjectFolder, ours: Path
) -> None:
    first = zipped(build(project))
    whole = {path: path.read_bytes() for path in entries(ours)}
    for number, (path, content) in enumerate(whole.items()):
        path.write_bytes([content[:-1], b"", content[:8] + b"?" + content[9:]][number % 3])
    assert zipped(build(project)) == first
    pieces = {path: path.read_bytes() for path in entries(ours) if path.parent.name == "pieces"}
    assert pieces.items() <= whole.items()


def test_without_a_cache_it_takes_longer_and_that_is_all(
    build: Callable[..., Built],
    project: ProjectFolder,
    ours: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = zipped(build(project))
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert zipped(build(project)) == first
    assert entries(ours)


def test_builds_side_by_side(
    build: Callable[..., Built],
    project: ProjectFolder,
    ours: Path,
    index: LocalIndex,
    tmp_path: Path,
) -> None:
    first = zipped(build(project))
    rmtree(ours)
    options = ["--public-index", index.url, "--python", "3.12"]
    folders = [tmp_path / f"out{number}" for number in range(3)]
    command = [sys.executable, "-m", "overflow", "build", str(project.path), *options, "--output"]
    builds = [subprocess.Popen([*command, str(folder)]) for folder in folders]
    assert [one.wait(120) for one in builds] == [0, 0, 0]
    assert {(folder / "function.zip").read_bytes() for folder in folders} == {first}
    names = [path.name for path in entries(ours)]
    assert all(len(name) == 64 for name in names), "nothing half-made"
