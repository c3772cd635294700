"""Box: a new folder for one run of the sandbox, gone with it.

What runs in one box leaves nothing to the next: no sources, no cache, no link where a copy goes.
Only `sources` and `inside` are mounted; who writes there cannot replace them, nor what lies beside.
"""

from __future__ import annotations

import secrets
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HOMES = {"HOME": "home", "TMPDIR": "tmp", "UV_CACHE_DIR": "cache"}
"""A container's own folders, by variable; all on one mount, since uv links files between them."""

_PREFIX = "box-"


@dataclass(frozen=True, kw_only=True)
class Box:
    """The folders of one run."""

    folder: Path

    @property
    def sources(self) -> Path:
        """Where the copy of the workspace goes; not there yet."""
        return self.folder / "sources"

    @property
    def inside(self) -> Path:
        """What a container may write to beside its sources."""
        return self.folder / "inside"

    @property
    def output(self) -> Path:
        """The build's output folder."""
        return self.inside / "output"


@contextmanager
def new_box(work: Path) -> Iterator[Box]:
    """A box below `work`, the action's folder on the runner; it is removed at the end."""
    for left in work.glob(f"{_PREFIX}*"):  # by a job that was killed
        remove(left)
    box = Box(folder=Path(tempfile.mkdtemp(prefix=_PREFIX, dir=work)))
    try:
        box.inside.mkdir()
        for name in ("output", *HOMES.values()):
            (box.inside / name).mkdir()
        yield box
    finally:
        remove(box.folder)


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, also one that denies its owner to look inside.

    What cannot be removed is left.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    with suppress(OSError):
        path.chmod(0o700)
    waiting = [path]
    while waiting:
        waiting += _taken_out(waiting.pop(), path)
    with suppress(OSError):
        path.rmdir()


def _taken_out(folder: Path, top: Path) -> list[Path]:
    """Remove a folder; the folders in it are moved to `top`, where they are given.

    They can be nested deeper than a path or Python's stack has room for.
    """
    moved = []
    with suppress(OSError):
        for inner in list(folder.iterdir()):
            with suppress(OSError):
                if inner.is_symlink() or not inner.is_dir():
                    inner.unlink()
                    continue
                inner.chmod(0o700)
                moved.append(inner.rename(top / secrets.token_hex(16)))
        if folder != top:
            folder.rmdir()
    return moved
