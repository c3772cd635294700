"""Ready: have the overflow in /tmp, once per execution environment.

The race, in prose: Lambda may kill an init at any moment and start another one over the same
/tmp, and one environment may run several processes. So the folder at its final name counts only
with a marker that names this very build; the marker is written last, by rename; what is in the
folder appears by rename too; all work happens aside, under a lock that dies with its holder.
Whoever gets the lock second looks again before working. What a killed process left aside is
removed by the next one that holds the lock.

What fills the folder is install.py (from an index, by uv) or unpack.py (from the bundle). Groups
that are lazy come later, each under a lock of its own (lazy.py); they are no part of this.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from . import lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from .manifest import Manifest

MARKER = ".installed"

ROOM = 1.02
"""Free space asked for, per byte installed: what is kept beside the files is small."""


class InstallError(RuntimeError):
    """The overflow could not be put into place; the message says why and what to do."""


def ensure(manifest: Manifest, fill: Callable[[], None]) -> None:
    """Have the overflow at manifest.overflow_folder; fill: makes that folder and what is in it.

    Raises what `fill` does, an InstallError say; nothing is then taken for whole.
    """
    if is_ready(manifest):
        print("Using cached runtime dependencies", flush=True)
        return
    with lock.held(f"{manifest.overflow_folder}.lock"):
        if is_ready(manifest):
            print("Using cached runtime dependencies", flush=True)
            return
        print("Installing runtime dependencies...", flush=True)
        started = time.perf_counter()
        fill()
        write_marker(manifest.overflow_folder, manifest.build)
        seconds = time.perf_counter() - started
        print(f"Runtime dependencies installed in {seconds:.2f}s", flush=True)


def is_ready(manifest: Manifest) -> bool:
    """Whether the overflow of this very build is in place."""
    return is_marked(manifest.overflow_folder, manifest.build)


def is_marked(folder: str, text: str) -> bool:
    """Whether a folder's marker says just this."""
    try:
        with open(f"{folder}/{MARKER}", "rb") as marker:
            return marker.read() == text.encode()
    except OSError:
        return False


def write_marker(folder: str, text: str) -> None:
    """Mark a folder as whole."""
    aside = f"{folder}/{MARKER}.new"
    with open(aside, "w", encoding="utf-8") as marker:
        marker.write(text)
    os.rename(aside, f"{folder}/{MARKER}")


def remove(path: str) -> None:
    """Remove a file, a link or a folder with all that is in it; nothing there is fine."""
    if os.path.isdir(path) and not os.path.islink(path):
        import shutil  # noqa: PLC0415 - a clean cold start removes nothing, and a warm one neither

        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def check_room(folder: str, size: int) -> None:
    """Raise InstallError where the file system of `folder` has no room for so many bytes."""
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    needed = int(size * ROOM)
    if free < needed:
        raise InstallError(
            f"{folder} has {_mb(free)} free and the runtime dependencies need {_mb(needed)}:"
            " give the function more ephemeral storage (EphemeralStorage)"
        )


def _mb(size: int) -> str:
    return f"{size / (1024 * 1024):.0f} MB"
