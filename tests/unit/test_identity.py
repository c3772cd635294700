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
HASH = "a" * 43


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """A project, an environment of one distribution and a file that is in no RECORD."""
    site = {
        "alpha.py": "x = 1",
        "stray.py": "y = 1",
        f"{INFO}/METADATA": "Name: alpha\nVersion: 1.0\n",
        f"{INFO}/RECORD": f"alpha.py,sha256={HASH},5\n{INFO}/RECORD,,\n",
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
        lambda folder: write(folder / "site", {f"{INFO}/RECORD": "alpha.py,sha256={HASH},6\n"}),
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


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        (f"alpha.py,sha256={HASH},5", False),
        (f"alpha.py,sha256={HASH},5\r", False),
        (f"alpha.py,sha256={HASH},", False),
        ("alpha.py,,", True),
        ("alpha.py,,5", True),
        ("alpha.py", True),
        ("alpha.py,sha256=,5", True),
        ("alpha.py,md5=1B2M2Y8AsgTpgAmY7PhCfg,5", True),
        (f'"alpha.py",sha256={HASH},5', True),
    ],
)
def test_files_count_themselves_where_record_has_no_hash_of_them(
    folders: Path, row: str, counts: bool
) -> None:
    """As in wheels that were zipped by hand."""
    write(folders / "site", {f"{INFO}/RECORD": f"{row}\n{INFO}/RECORD,,\n"})
    before = key(folders)
    write(folders / "site", {"alpha.py": "x = 2"})
    assert (key(folders) != before) is counts


def test_record_of_another_distribution_inside_says_nothing(folders: Path) -> None:
    """As in setuptools/_vendor: its paths begin elsewhere."""
    inner = f"{INFO}/inner-1.dist-info/RECORD"
    rows = f"alpha.py,,\n{inner},sha256={HASH},1\n{INFO}/RECORD,,\n"
    write(folders / "site", {f"{INFO}/RECORD": rows, inner: f"alpha.py,sha256={HASH},5\n"})
    before = key(folders)
    write(folders / "site", {"alpha.py": "x = 2"})
    assert key(folders) != before


def test_record_counts_also_where_it_has_a_hash_of_itself(folders: Path) -> None:
    rows = f"alpha.py,sha256={{}},5\n{INFO}/RECORD,sha256={HASH},9\n"
    write(folders / "site", {f"{INFO}/RECORD": rows.format(HASH)})
    before = key(folders)
    write(folders / "site", {f"{INFO}/RECORD": rows.format("b" * 43)})
    assert key(folders) != before


def test_identity_is_of_what_is_asked(folders: Path) -> None:
    assert key(folders, ["a"]) != key(folders, ["b"])
