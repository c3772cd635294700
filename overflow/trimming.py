"""Trimming: takes out of site-packages what a bundle can do without, and keeps RECORD true.

Installed files are hard links to those in uv's cache: none is ever written to, only removed, or
replaced by a new one.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.excess import ARCHIVE, SOURCES, excess
from overflow.identity import identity
from overflow.rows import mended
from overflow.trim import Kind, Level, Trimmed, cuts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from overflow.cache import Cache
    from overflow.measure import Distribution, Measurement
    from overflow.tree import Tree

PROGRAMS = [Path(__file__).with_name(f"{n}.py") for n in ("excess", "mentions", "suites", "trim")]
"""What decides what can go: with other code it may be something else."""

KIND = "excess"
"""What the cache knows it as."""


def trim(
    measurement: Measurement, level: Level, *, project: Tree, own: str, cache: Cache
) -> tuple[Measurement, Trimmed]:
    """Trim what was measured, on disk; gives what is there then, and what went.

    project: its files, which stay, and may ask for others; own: its name; cache: knows what can go
    of an environment that was trimmed before.
    """
    if level is Level.NONE:
        return measurement, Trimmed(level=level)
    tree = measurement.tree
    found = _excess(measurement, project, own, cache)
    for path in _targets(tree):
        found.pop(path, None)
    cuts = cuts_of((name, kind, tree.sizes[path]) for path, (name, kind) in found.items())
    _remove(tree.root, found)
    sizes = {path: size for path, size in tree.sizes.items() if path not in found}
    sizes |= _mend_records(tree.root, sizes, found, {})
    return _measured(measurement, sizes), Trimmed(level=level, cuts=cuts)


def _excess(
    measurement: Measurement, project: Tree, own: str, cache: Cache
) -> dict[str, tuple[str, Kind]]:
    """excess(), which reads all sources, or what it gave for the same files and the same code."""
    programs = [path.read_text(encoding="utf-8") for path in PROGRAMS]
    key = identity(project, measurement, [programs, own])
    known = cache.get(KIND, key)
    if known is None:
        reader = _Files(site_packages=measurement.root, tree=project)
        found = excess(measurement.distributions, own=own, reader=reader)
        cache.put(KIND, key, json.dumps(found).encode())
        return found
    return {path: (name, Kind(kind)) for path, (name, kind) in json.loads(known).items()}


@dataclass(frozen=True, kw_only=True)
class _Files:
    """The Reader of excess.py."""

    site_packages: Path
    tree: Tree

    def installed(self, path: str) -> bytes:
        return (self.site_packages / path).read_bytes()

    def start(self, path: str) -> bytes:
        with (self.site_packages / path).open("rb") as stream:
            return stream.read(len(ARCHIVE))

    def project(self) -> Iterator[tuple[str, bytes]]:
        for path in self.tree.sizes:
            if path.endswith(SOURCES):
                yield path, (self.tree.root / path).read_bytes()


def _targets(tree: Tree) -> Iterator[str]:
    """What links stand for: they would stand for nothing."""
    top = os.path.realpath(tree.root)
    for link in tree.links:
        yield os.path.relpath(os.path.realpath(tree.root / link), top)


def _remove(root: Path, paths: Iterable[str]) -> None:
    folders: set[str] = set()
    for path in paths:
        (root / path).unlink()
        folders.add(path.rpartition("/")[0])
    while folders := {folder for folder in folders if folder and _is_removed(root / folder)}:
        folders = {folder.rpartition("/")[0] for folder in folders}


def _is_removed(folder: Path) -> bool:
    """Remove a folder where nothing is in it."""
    with suppress(OSError):
        folder.rmdir()
        return True
    return False


def _mend_records(
    root: Path, sizes: Mapping[str, int], gone: Mapping[str, object], changed: Mapping[str, str]
) -> dict[str, int]:
    """Have each RECORD list what is there; gives the sizes of those that were not so."""
    found: dict[str, int] = {}
    for path in sizes:
        if path.endswith(".dist-info/RECORD") and path.count("/") == 1:
            content = (root / path).read_bytes()
            better = mended(content, gone, changed)
            if better != content:
                (root / path).unlink()
                (root / path).write_bytes(better)
                found[path] = len(better)
    return found


def _measured(measurement: Measurement, sizes: Mapping[str, int]) -> Measurement:
    """What was measured, with the files and sizes that are left."""
    tree = measurement.tree
    return replace(
        measurement,
        tree=replace(
            tree,
            sizes=sizes,
            executable=tree.executable & sizes.keys(),
            links=tuple(path for path in tree.links if path in sizes),
        ),
        distributions=tuple(_left(one, sizes) for one in measurement.distributions),
    )


def _left(distribution: Distribution, sizes: Mapping[str, int]) -> Distribution:
    files = tuple(path for path in distribution.files if path in sizes)
    packages = (one for one in distribution.import_packages if f"{one}/__init__.py" in sizes)
    return replace(
        distribution,
        files=files,
        size=sum(sizes[path] for path in files),
        import_packages=frozenset(packages),
    )
