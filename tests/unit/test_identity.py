"""Identity: what a recording, and what is trimmed, depend on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from overflow.identity import binary_of, identity
from overflow.measure import measure
from overflow.tree import read_tree
from tests.unit.builders import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INFO = "alpha-1.0.dist-info"


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """A project, an environment of one distribution and a file that is in no RECORD."""
    site = {
        "alpha.py": "x = 1",
        "stray.py": "y = 1",
        f"{INFO}/METADATA": "Name: alpha\nVersion: 1.0\n",
        f"{INFO}/RECORD": f"alpha.py,sha256=abc,5\n{INFO}/RECORD,,\n",
    }
    write(tmp_path / "site", site)
    write(tmp_path / "task", {"app.py": "import alpha"})
    write(tmp_path, {"python": "binary"})
    return tmp_path


def key(folders: Path, asked: object = "") -> str:
    project = read_tree(folders / "task", lambda *_: False)
    return identity(project, measure(folders / "site"), [asked, binary_of(folders / "python")])


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write(folder / "task", {"app.py": "import beta!"}),
        lambda folder: write(folder / "task", {"new.py": ""}),
        lambda folder: write(folder / "site", {"stray.py": "y = 2"}),
        lambda folder: write(folder / "site", {f"{INFO}/RECORD": "alpha.py,sha256=abd,5\n"}),
        lambda folder: write(folder / "site", {f"{INFO}/METADATA": "Name: alpha\nVersion: 1.1\n"}),
        lambda folder: os.utime(folder / "python", ns=(1, 1)),
    ],
    ids=["own file", "new file", "unowned file", "RECORD", "version", "python"],
)
def test_identity_is_of_all_that_matters(folders: Path, change: Callable[[Path], object]) -> None:
    before = key(folders)
    assert key(folders) == before
    change(folders)
    assert key(folders) != before


def test_identity_is_of_what_is_asked(folders: Path) -> None:
    assert key(folders, ["a"]) != key(folders, ["b"])
