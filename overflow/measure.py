"""Measurement: what uv installed, distribution by distribution, to the byte.

RECORD says which files are a distribution's; the disk says which of them exist and how large
they are. What is on disk and in no RECORD is kept as well, as unowned.
"""

from __future__ import annotations

import contextlib
import csv
import os.path
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from overflow.tree import Tree, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

UNOWNED = "(in no RECORD)"
"""Stands for the files that no distribution lists. Not a valid name, so it can clash with none."""

VENV_FILES = frozenset({"_virtualenv.py", "_virtualenv.pth"})
"""Put into each environment by uv itself: they serve virtual environments, not Lambda."""


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """One installed distribution."""

    name: str
    """Normalised (PEP 503)."""
    version: str
    files: tuple[str, ...]
    """Relative to site-packages; each file has one owner, so that sums are true."""
    size: int
    """Bytes of those files."""
    import_packages: frozenset[str]
    """Folders with an `__init__.py` that it has files in, also where another owns the files."""
    tags: tuple[str, ...]
    """`Tag` lines of its WHEEL file."""
    recorded: bool
    """Whether it has a RECORD: without one, nobody knows which files are its own."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """An environment's site-packages as installed for the target."""

    tree: Tree
    distributions: tuple[Distribution, ...]
    """Sorted by name; the last may be UNOWNED."""

    @property
    def root(self) -> Path:
        """site-packages."""
        return self.tree.root

    @property
    def size(self) -> int:
        """Sum over all distributions, in bytes."""
        return sum(distribution.size for distribution in self.distributions)

    @cached_property
    def by_name(self) -> Mapping[str, Distribution]:
        """Each distribution under its name."""
        return {distribution.name: distribution for distribution in self.distributions}


def measure(site_packages: Path) -> Measurement:
    """Read the disk below `site_packages`, once."""
    tree = read_tree(site_packages, _skip)
    packages = {_folder(path) for path in tree.sizes if path.endswith("/__init__.py")}
    owners: dict[str, str] = {}
    found: list[Distribution] = []
    for info in _dist_infos(tree):
        distribution = _read(tree, info, owners, packages)
        if distribution is not None:
            found.append(distribution)
    unowned = [path for path in tree.sizes if path not in owners]
    if unowned:
        found.append(_unowned(tree, unowned, packages))
    return Measurement(tree=tree, distributions=tuple(found))


def _skip(path: str, is_folder: bool) -> bool:  # noqa: FBT001 - read_tree's signature
    if is_folder:
        return path.endswith("__pycache__")
    return path.endswith(".pyc") or path in VENV_FILES


def _dist_infos(tree: Tree) -> list[str]:
    return [
        path.removesuffix("/METADATA")
        for path in tree.sizes
        if path.endswith(".dist-info/METADATA") and path.count("/") == 1
    ]


def _read(tree: Tree, info: str, owners: dict[str, str], packages: set[str]) -> Distribution | None:
    metadata = _text(tree, f"{info}/METADATA")
    name = canonicalize_name(next(iter(_header(metadata, "Name")), ""))
    if not name:
        return None  # its files then count as unowned
    listed = _record(tree, info)
    files = tuple(path for path in listed if owners.setdefault(path, name) == name)
    return Distribution(
        name=name,
        version=_normal_version(next(iter(_header(metadata, "Version")), "")),
        files=files,
        size=sum(tree.sizes[path] for path in files),
        import_packages=_packages_of(listed, packages),
        tags=tuple(_header(_text(tree, f"{info}/WHEEL"), "Tag")),
        recorded=f"{info}/RECORD" in tree.sizes,
    )


def _header(text: str, name: str) -> list[str]:
    """The values of a header in METADATA or WHEEL. (The email package takes 30 ms to import.)"""
    head = text.replace("\r\n", "\n").partition("\n\n")[0]
    pairs = (line.partition(":") for line in head.split("\n"))
    return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]


def _record(tree: Tree, info: str) -> list[str]:
    """The paths of a RECORD that exist in site-packages, plus dist-info itself, sorted.

    Scripts and data files lie outside (`../../../bin/x`): they are not part of a bundle.
    """
    text = _text(tree, f"{info}/RECORD").replace("\r\n", "\n")
    listed = {os.path.normpath(path) if ".." in path else path for path in _first_column(text)}
    return sorted(path for path in listed | {f"{info}/METADATA"} if path in tree.sizes)


def _first_column(text: str) -> Iterator[str]:
    if '"' not in text:  # nearly always; csv takes three times as long
        yield from (line.partition(",")[0] for line in text.split("\n"))
        return
    # A damaged RECORD lists what could be read of it; the rest is then unowned, and stays.
    with contextlib.suppress(csv.Error):
        yield from (row[0] for row in csv.reader(text.split("\n")) if row)


def _packages_of(files: Iterable[str], packages: set[str]) -> frozenset[str]:
    found: set[str] = set()
    for folder in {_folder(path) for path in files}:
        while folder and folder not in found:
            if folder in packages:
                found.add(folder)
            folder = _folder(folder)  # noqa: PLW2901 - climbs to the top
    return frozenset(found)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _unowned(tree: Tree, files: list[str], packages: set[str]) -> Distribution:
    return Distribution(
        name=UNOWNED,
        version="",
        files=tuple(files),
        size=sum(tree.sizes[path] for path in files),
        import_packages=_packages_of(files, packages),
        tags=(),
        recorded=False,
    )


def _text(tree: Tree, path: str) -> str:
    if path not in tree.sizes:
        return ""
    return (tree.root / path).read_text(encoding="utf-8", errors="replace")


def _normal_version(text: str) -> str:
    try:
        return str(Version(text))
    except (InvalidVersion, ValueError):  # the second: more digits than int() takes
        return text
