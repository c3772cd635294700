"""Trimming: takes out of site-packages what a bundle can do without, and keeps RECORD true.

Installed files are hard links to those in uv's cache: none is ever written to, only removed, or
replaced by a new one.
"""

from __future__ import annotations

import json
import os
import stat
from base64 import urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.excess import ARCHIVE, SOURCES, excess
from overflow.identity import identity
from overflow.rows import mended
from overflow.stripping import is_shared_object, unsigned
from overflow.trim import Kind, Level, Trimmed, cuts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from overflow.cache import Cache
    from overflow.measure import Distribution, Measurement
    from overflow.stripping import Stripper
    from overflow.tree import Tree

PROGRAMS = [
    Path(__file__).with_name(f"{name}.py")
    for name in ("excess", "mentions", "places", "suites", "trim")
]
"""What decides what can go: with other code it may be something else."""

KIND = "excess"
"""What the cache knows it as."""


def trim(
    measurement: Measurement,
    *,
    project: Tree,
    own: str,
    cache: Cache,
    stripper: Callable[[], Stripper] | None = None,
) -> tuple[Measurement, Trimmed]:
    """Trim what was measured, on disk; gives what is there then, and what went.

    project: its files, which stay, and may ask for others; own: its name; cache: knows what can go
    of an environment that was trimmed before; stripper: asked for where shared objects are
    stripped, too, and there are any.
    """
    tree = measurement.tree
    found = _excess(measurement, project, own, cache)
    linked = {*tree.links, *_targets(tree)}
    for path in linked:
        found.pop(path, None)
    parts = [(name, kind, tree.sizes[path]) for path, (name, kind) in found.items()]
    _remove(tree.root, found)
    sizes = {path: size for path, size in tree.sizes.items() if path not in found}
    rows: dict[str, str] = {}
    if stripper is not None:
        owners = {path: name for path, name in _shared_objects(measurement, own) if path in sizes}
        paths = [path for path in unsigned(owners, tree.sizes) if path not in linked]
        rows = _strip(tree.root, paths, stripper) if paths else {}
        for path, row in rows.items():
            sizes[path] = int(row.rpartition(",")[2])
            parts.append((owners[path], Kind.SYMBOLS, tree.sizes[path] - sizes[path]))
    sizes |= _mend_records(tree.root, sizes, found, rows)
    level = Level.SAFE if stripper is None else Level.AGGRESSIVE
    return _measured(measurement, sizes), Trimmed(level=level, cuts=cuts_of(parts))


def _shared_objects(measurement: Measurement, own: str) -> Iterator[tuple[str, str]]:
    """Those that may be changed, with their distributions."""
    for one in measurement.distributions:
        if one.recorded and one.name != own:
            yield from ((path, one.name) for path in one.files if is_shared_object(path))


def _strip(root: Path, paths: Sequence[str], stripper: Callable[[], Stripper]) -> dict[str, str]:
    """Strip files; gives by path what RECORD is to say of those that became smaller."""
    rows: dict[str, str] = {}
    for path, content in stripper().strip([root / path for path in paths]):
        mode = stat.S_IMODE(path.stat().st_mode)
        path.unlink()
        path.write_bytes(content)
        path.chmod(mode)
        digest = urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()
        rows[path.relative_to(root).as_posix()] = f"sha256={digest},{len(content)}"
    return rows


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
    top = str(root)  # a Path for each of some thousand files takes longer than their removal
    folders: set[str] = set()
    for path in paths:
        os.unlink(f"{top}/{path}")
        folders.add(path.rpartition("/")[0])
    while folders := {one for one in folders if one and _is_removed(f"{top}/{one}")}:
        folders = {folder.rpartition("/")[0] for folder in folders}


def _is_removed(folder: str) -> bool:
    """Remove a folder where nothing is in it."""
    with suppress(OSError):
        os.rmdir(folder)
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
