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
    top = os.path.realpath(root)
    sizes: dict[str, int] = {}
    executable: set[str] = set()
    links: list[str] = []
    left_out: list[str] = []
    skipped: list[str] = []
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            entries = list(os.scandir(f"{top}/{folder}"))
        except OSError as error:
            raise InputFault(
                "not-readable",
                f"{folder or root}: cannot be listed: {error.strerror}",
                hint="give yourself the right to read it, or leave it out with --exclude",
            ) from error
        for entry in entries:
            path = folder + entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if skip(path, is_folder):
                left_out.append(path)
            elif is_folder:
                pending.append(f"{path}/")
            elif entry.is_symlink() and not _is_file_inside(entry.path, top):
                skipped.append(path)
            else:
                if entry.is_symlink():
                    links.append(path)
                status = entry.stat()
                if stat.S_ISREG(status.st_mode):  # sockets and pipes have no place in a zip
                    sizes[path] = status.st_size
                    if status.st_mode & stat.S_IXUSR:
                        executable.add(path)
    _check_are_text([*sizes, *skipped])
    return Tree(
        root=Path(top),
        sizes={path: sizes[path] for path in sorted(sizes)},
        executable=frozenset(executable),
        links=tuple(sorted(links)),
        left_out=tuple(sorted(left_out)),
        skipped_links=tuple(sorted(skipped)),
    )


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
