"""Tree: the regular files below a folder, with their sizes; links are never followed out of it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.errors import InputFault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A folder's files by relative POSIX path, in sorted order, and what was left out of it."""

    root: Path
    sizes: Mapping[str, int]
    executable: frozenset[str]
    """Those of the files that their owner may run."""
    links: tuple[str, ...]
    """Those of the files that are links to others in the tree."""
    left_out: tuple[str, ...]
    """What was skipped as asked."""
    skipped_links: tuple[str, ...]
    """Links to folders, to nothing, or out of the tree."""

    @property
    def size(self) -> int:
        """Sum of the files' bytes: what Lambda counts."""
        return sum(self.sizes.values())


def read_tree(root: Path, skip: Callable[[str, bool], bool]) -> Tree:
    """The files below `root`; `skip(path, is_folder)` leaves a file or a whole folder out.

    A link to a regular file inside the tree counts as that file, with its size.
    Raises InputFault `not-readable` for a folder that cannot be listed or a name that is no text.
    """
    walk = _Walk(os.path.realpath(root), skip)
    pending = [""]
    while pending:
        pending += walk.visit(pending.pop())
    _check_are_text([*walk.sizes, *walk.skipped_links])
    return Tree(
        root=Path(walk.top),
        sizes={path: walk.sizes[path] for path in sorted(walk.sizes)},
        executable=frozenset(walk.executable),
        links=tuple(sorted(walk.links)),
        left_out=tuple(sorted(walk.left_out)),
        skipped_links=tuple(sorted(walk.skipped_links)),
    )


class _Walk:
    """What was found so far; the fields are those of Tree."""

    def __init__(self, top: str, skip: Callable[[str, bool], bool]) -> None:
        self.top = top
        self._skip = skip
        self.sizes: dict[str, int] = {}
        self.executable: set[str] = set()
        self.links: list[str] = []
        self.left_out: list[str] = []
        self.skipped_links: list[str] = []

    def visit(self, folder: str) -> list[str]:
        """Take the files of a folder; gives the folders in it."""
        folders: list[str] = []
        for entry in self._entries(folder):
            path = folder + entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if self._skip(path, is_folder):
                self.left_out.append(path)
            elif is_folder:
                folders.append(f"{path}/")
            else:
                self._take(entry, path)
        return folders

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            return list(os.scandir(f"{self.top}/{folder}"))
        except OSError as error:
            raise InputFault(
                "not-readable",
                f"{folder or self.top}: cannot be listed: {error.strerror}",
                hint="give yourself the right to read it, or leave it out with --exclude",
            ) from error

    def _take(self, entry: os.DirEntry[str], path: str) -> None:
        if entry.is_symlink():
            if not _is_file_inside(entry.path, self.top):
                self.skipped_links.append(path)
                return
            self.links.append(path)
        status = entry.stat()
        if stat.S_ISREG(status.st_mode):  # sockets and pipes have no place in a zip
            self.sizes[path] = status.st_size
            if status.st_mode & stat.S_IXUSR:
                self.executable.add(path)


def _check_are_text(paths: list[str]) -> None:
    try:
        "/".join(paths).encode()
    except UnicodeEncodeError as error:
        named = next(path for path in paths if not path.isascii() and not _is_text(path))
        raise InputFault(
            "not-readable",
            f"{named!r}: the name is not UTF-8, which a zip needs",
            hint="rename it, or leave it out with --exclude",
        ) from error


def _is_text(path: str) -> bool:
    return path.encode(errors="replace").decode() == path


def _is_file_inside(link: str, top: str) -> bool:
    target = os.path.realpath(link)
    return target.startswith(top + os.sep) and Path(target).is_file()
