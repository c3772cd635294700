"""Measurement: what uv installed, distribution by distribution, to the byte.

RECORD says which files are a distribution's; the disk says which of them exist and how large
they are. What is on disk and in no RECORD is kept as well, as unowned.
"""

from __future__ import annotations

import contextlib
import csv
import os.path
from dataclasses import dataclass
from email.parser import HeaderParser
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from overflow.tree import Tree, read_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
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
    packages = {os.path.dirname(path) for path in tree.sizes if path.endswith("/__init__.py")}
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
    metadata = HeaderParser().parsestr(_text(tree, f"{info}/METADATA"))
    name = canonicalize_name(str(metadata.get("Name", "")))
    if not name:
        return None  # its files then count as unowned
    listed = _record(tree, info)
    files = tuple(path for path in listed if owners.setdefault(path, name) == name)
    wheel = HeaderParser().parsestr(_text(tree, f"{info}/WHEEL"))
    return Distribution(
        name=name,
        version=_normal_version(str(metadata.get("Version", ""))),
        files=files,
        size=sum(tree.sizes[path] for path in files),
        import_packages=_packages_of(listed, packages),
        tags=tuple(str(tag) for tag in wheel.get_all("Tag", [])),
        recorded=f"{info}/RECORD" in tree.sizes,
    )


def _record(tree: Tree, info: str) -> list[str]:
    """The paths of a RECORD that exist in site-packages, plus dist-info itself, sorted.

    Scripts and data files lie outside (`../../../bin/x`): they are not part of a bundle.
    """
    lines = _text(tree, f"{info}/RECORD").replace("\r\n", "\n").split("\n")
    listed: set[str] = set()
    # A damaged RECORD lists what could be read of it; the rest is then unowned, and stays.
    with contextlib.suppress(csv.Error):
        for row in csv.reader(lines):
            if row:
                listed.add(os.path.normpath(row[0]) if ".." in row[0] else row[0])
    return sorted(path for path in listed | {f"{info}/METADATA"} if path in tree.sizes)


def _packages_of(files: Iterable[str], packages: set[str]) -> frozenset[str]:
    found: set[str] = set()
    for folder in {os.path.dirname(path) for path in files}:
        while folder and folder not in found:
            if folder in packages:
                found.add(folder)
            folder = os.path.dirname(folder)  # noqa: PLW2901 - climbs to the top
    return frozenset(found)


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
