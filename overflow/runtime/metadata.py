"""Metadata: what importlib.metadata sees of lazy groups that are not in place yet.

Their dist-info lies in the bundle, in a folder for each group that is not on sys.path: versions
and entry points are read there, and nothing is put into place. Once a group is, Python finds the
dist-info in its folder by itself. So each distribution is there once, before and after.
"""

from __future__ import annotations

import csv
import os
import re
from importlib.metadata import FileHash, PackagePath, PathDistribution
from pathlib import Path
from typing import TYPE_CHECKING

from .manifest import INFO_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import DistributionFinder

    from .lazy import Place


def find(
    context: DistributionFinder.Context, places: Iterable[Place]
) -> Iterator[PathDistribution]:
    """The distributions of these groups that are asked for, unless their group is in place."""
    wanted = None if context.name is None else _normal(context.name)
    path = list(context.path)
    waiting = [
        one
        for one in places
        if one.folder in path and folder(one) not in path and not one.is_there()
    ]
    # The finders after this one get the same context: who puts a group into place between two of
    # its answers would be told of it twice.
    gone = {one.folder for one in waiting}
    vars(context)["path"] = [one for one in path if one not in gone]
    for place in waiting:
        where = folder(place)
        for name in sorted(os.listdir(where)) if os.path.isdir(where) else ():
            if wanted in (None, _normal(name.partition("-")[0])):
                yield WaitingDistribution(Path(where, name), place)


def folder(place: Place) -> str:
    """Where the dist-info folders of a group are that is not in place."""
    return f"{place.root}/{INFO_FOLDER}/{place.name}"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()


class WaitingDistribution(PathDistribution):
    """A distribution that is put into place once one of its files is located."""

    def __init__(self, path: Path, place: Place) -> None:
        super().__init__(path)
        self._place = place

    @property
    def files(self) -> list[PackagePath] | None:
        """By RECORD alone: Python 3.12 and later locate each, which would put it into place."""
        record = self.read_text("RECORD")
        if record is None:
            return None
        return [self._file(*row) for row in csv.reader(record.splitlines()) if row]

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        """Where it is, now."""
        self._place.ensure()
        return Path(self._place.folder, path)

    def _file(self, name: str, digest: str = "", size: str = "") -> PackagePath:
        file = PackagePath(name)
        file.hash = FileHash(digest) if digest else None
        file.size = int(size) if size else None
        file.dist = self
        return file
