"""Paths: user's code, overflow, _vendor, then what was there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from overflow.runtime.paths import extend

if TYPE_CHECKING:
    from pathlib import Path

REST = ["/var/runtime", "/var/lang/lib"]


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(REST))


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """A root, an overflow and a _vendor."""
    made = [tmp_path / name for name in ("task", "overflow", "vendor")]
    for folder in made:
        folder.mkdir()
    return [str(folder) for folder in made]


def test_order(folders: list[str]) -> None:
    root, *others = folders
    extend(root, others)
    assert sys.path == [*folders, *REST]


def test_root_that_is_there_keeps_its_place(folders: list[str]) -> None:
    root, *others = folders
    sys.path[:] = ["first", root, *REST]
    extend(root, others)
    assert sys.path == ["first", *folders, *REST]


def test_pth_files_are_honoured_behind_their_folder(folders: list[str], tmp_path: Path) -> None:
    root, overflow, vendor = folders
    for folder, name in ((overflow, "inner"), (vendor, "other")):
        (tmp_path / folder / name).mkdir()
        (tmp_path / folder / f"{name}.pth").write_text(f"{name}\n")
    extend(root, [overflow, vendor])
    assert sys.path == [root, overflow, f"{overflow}/inner", vendor, f"{vendor}/other", *REST]


def test_pth_file_with_code_runs(
    folders: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "_ran", type(sys)("_ran"))
    (tmp_path / "vendor" / "x.pth").write_text("import _ran; _ran.it = True\n")
    extend(folders[0], folders[1:])
    assert sys.modules["_ran"].it is True


@pytest.mark.parametrize("with_pth", [False, True])
def test_second_start_changes_nothing(folders: list[str], tmp_path: Path, with_pth: bool) -> None:
    root, *others = folders
    if with_pth:
        (tmp_path / "overflow" / "inner").mkdir()
        (tmp_path / "overflow" / "inner.pth").write_text("inner\n")
    extend(root, others)
    once = list(sys.path)
    extend(root, others)
    assert sys.path == once


def test_folder_that_is_missing_does_no_harm(folders: list[str], tmp_path: Path) -> None:
    extend(folders[0], [str(tmp_path / "gone"), folders[2]])
    assert [path for path in sys.path if not path.endswith("gone")] == [
        folders[0],
        folders[2],
        *REST,
    ]
