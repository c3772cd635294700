"""Box: a new folder for one run of the sandbox, and its removal whatever was left in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from overflow.box import HOMES, Box, new_box, remove

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEPTH = 2200
"""Folders in folders: more than Python's stack has room for (1,000), or a path (4,096 bytes)."""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The action's folder, with another step's folder in it."""
    folder = tmp_path / "overflow"
    (folder / "0123").mkdir(parents=True)
    (folder / "0123" / "kept").write_text("x")
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file; neither is touched by what a test does."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_text("x")
    folder.chmod(0o751)
    (folder / "file").chmod(0o604)
    yield folder
    assert (folder / "file").read_text() == "x"
    modes = [path.stat().st_mode & 0o777 for path in (folder, folder / "file")]
    assert modes == [0o751, 0o604]


def nest(folder: Path, depth: int) -> None:
    """Make folders in folders, from within: no path is that long."""
    folder.mkdir()
    at = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("a", dir_fd=at)
        inner = os.open("a", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)


def test_box_is_empty_and_its_owners_alone(work: Path) -> None:
    with new_box(work) as box:
        assert box.folder.parent == work
        assert box.folder.stat().st_mode & 0o777 == 0o700
        assert [path.name for path in box.folder.iterdir()] == ["inside"]
        assert not box.sources.exists()
        inner = {path.name: list(path.iterdir()) for path in box.inside.iterdir()}
        assert inner == {name: [] for name in ("output", *HOMES.values())}
        assert box.output == box.inside / "output"


def test_what_is_mounted_lies_apart(work: Path) -> None:
    """Who writes in one mount can replace neither of the two, nor reach the other by its name."""
    box = Box(folder=work)
    assert box.sources.parent == box.inside.parent == box.folder
    assert box.output.is_relative_to(box.inside)


def test_each_box_is_another_one(work: Path) -> None:
    """What runs in the first cannot know where the second will be."""
    folders = set()
    for _ in range(5):
        with new_box(work) as box:
            folders.add(box.folder)
            (box.inside / "cache" / "poison").write_text("x")
            box.sources.mkdir()
    assert len(folders) == 5


def test_box_is_gone_afterwards(work: Path) -> None:
    with new_box(work) as box:
        (box.output / "function.zip").write_text("x")
    assert [path.name for path in work.iterdir()] == ["0123"]
    with pytest.raises(KeyboardInterrupt), new_box(work) as box:
        raise KeyboardInterrupt
    assert [path.name for path in work.iterdir()] == ["0123"]
    assert (work / "0123" / "kept").read_text() == "x"


def test_leftovers_of_a_killed_job_are_removed(work: Path, outside: Path) -> None:
    """Whatever they are; what a link names is not theirs."""
    (work / "box-folder" / "inside").mkdir(parents=True)
    (work / "box-folder" / "inside" / "link").symlink_to(outside)
    (work / "box-file").write_text("x")
    (work / "box-link").symlink_to(outside)
    (work / "box-broken").symlink_to("gone")
    os.mkfifo(work / "box-pipe")
    with new_box(work) as box:
        assert {path.name for path in work.iterdir()} == {"0123", box.folder.name}
    assert (work / "0123" / "kept").read_text() == "x"


def test_box_replaced_by_a_link_is_removed_as_one(work: Path, outside: Path) -> None:
    with new_box(work) as box:
        remove(box.folder)
        box.folder.symlink_to(outside)
    assert not box.folder.is_symlink()


def test_links_are_not_followed(tmp_path: Path, outside: Path) -> None:
    """Nor is the mode of what they name changed: `outside` looks."""
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    for name in ("a", "inner/b"):
        (folder / name).symlink_to(outside)
        (folder / f"{name}-file").symlink_to(outside / "file")
        (folder / f"{name}-up").symlink_to("..")
    (folder / "hard").hardlink_to(outside / "file")
    remove(folder)
    assert not folder.exists()


@pytest.mark.parametrize("mode", [0o000, 0o100, 0o400, 0o500])
def test_folder_that_denies_its_owner(tmp_path: Path, mode: int) -> None:
    """For root no mode counts: there, see test_each_folder_is_opened_before_it_is_read."""
    folder = tmp_path / "folder"
    for name in ("a/b/c", "a/b/d", "e"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").write_text("x")
    for name in ("a/b/c", "a/b", "a", "e", "."):
        (folder / name).chmod(mode)
    remove(folder)
    assert not folder.exists()


def test_each_folder_is_opened_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Holds the calls to what the kernel asks of any user but root."""
    folder = tmp_path / "folder"
    (folder / "a" / "b").mkdir(parents=True)
    for name in ("a/b", "a", "."):
        (folder / name).chmod(0)
    read: list[int] = []
    original = type(folder).iterdir

    def iterdir(self: Path) -> Iterator[Path]:
        read.append(self.stat().st_mode & 0o777)
        return original(self)

    monkeypatch.setattr(type(folder), "iterdir", iterdir)
    remove(folder)
    assert read == [0o700] * 3
    assert not folder.exists()


def test_folders_deeper_than_any_path(work: Path) -> None:
    """They would stop this build, and every later one on a runner that keeps its folders."""
    nest(work / "box-deep", DEPTH)
    with new_box(work) as box:
        nest(box.inside / "deep", DEPTH)
        assert not (work / "box-deep").exists()
    assert [path.name for path in work.iterdir()] == ["0123"]


def test_what_cannot_be_removed_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a file that somebody else owns: all else goes."""
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    for name in ("theirs", "ours", "inner/ours"):
        (folder / name).write_text("x")
    original = type(folder).unlink

    def unlink(self: Path, missing_ok: bool = False) -> None:
        if self.name == "theirs":
            raise PermissionError(self)
        original(self, missing_ok)

    monkeypatch.setattr(type(folder), "unlink", unlink)
    remove(folder)
    assert [path.name for path in folder.rglob("*")] == ["theirs"]


def test_nothing_there(tmp_path: Path) -> None:
    remove(tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []
