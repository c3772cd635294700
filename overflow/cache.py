"""Cache: what earlier builds made, by a hash of all that it depends on.

It is never needed: what is missing, damaged or cannot be kept is made again. An entry is one file
that appears by a rename, so that builds side by side see all of it or nothing, and it begins with
a checksum, which finds damage. Malice it does not find: the folder is the user's own.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from zlib_ng import zlib_ng

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST = 1 << 30
"""Bytes of all entries; examples/flask has 130 MB of them."""

LONGEST = 30 * 24 * 3600
"""Seconds after which what nobody asks for goes."""

FRESH = 3600
"""Seconds for which a use is not written down again. What was used within twice that stays,
however much it is: builds that are under way may be about to read it."""

CHECKSUM = 4
"""Bytes of it."""


@dataclass(frozen=True, kw_only=True)
class Cache:
    """A folder of entries of several kinds; None: nothing is kept."""

    folder: Path | None
    _added: list[str] = field(default_factory=list)

    def get(self, kind: str, key: str) -> bytes | None:
        """What was put there; None where nothing was, or where it is damaged."""
        if self.folder is None:
            return None
        try:
            path = f"{self.folder}/{kind}/{key}"
            with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - a hot path
                checksum = stream.read(CHECKSUM)
                content = stream.read()
                _note_use(stream.fileno())
        except OSError:
            return None
        return content if checksum == _checksum(key, content) else None

    def put(self, kind: str, key: str, content: bytes) -> None:
        """Keep it, if that can be done."""
        place = self.place(kind)
        if place is None:
            return
        aside = place / f"{key}.{os.getpid()}-{threading.get_ident()}"
        with suppress(OSError):
            try:
                with aside.open("wb") as stream:
                    stream.write(_checksum(key, content))
                    stream.write(content)
                aside.replace(place / key)
            except BaseException:
                aside.unlink(missing_ok=True)  # the disk is full, or we are stopped
                raise
            self._added.append(key)

    def place(self, kind: str) -> Path | None:
        """The folder of a kind of entries, which is there then; None where it cannot be."""
        if self.folder is None:
            return None
        folder = self.folder / kind
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return None
        return folder if os.access(folder, os.W_OK) else None

    def prune(self) -> None:
        """Let go of what was not used for LONGEST, and beyond MOST of what was used longest ago.

        Looks only where something was added: what does not grow can stay as it is.
        """
        if self.folder is None or not self._added:
            return
        now, total = time.time(), 0
        for used, size, path in sorted(_entries(self.folder), reverse=True):
            total += size
            is_old = now - used > LONGEST or (total > MOST and now - used > 2 * FRESH)
            if is_old:
                with suppress(OSError):
                    os.unlink(path)  # noqa: PTH108 - the same


def open_cache(environ: Mapping[str, str]) -> Cache:
    """The user's: `$XDG_CACHE_HOME/overflow`, else `~/.cache/overflow`."""
    home = environ.get("XDG_CACHE_HOME") or f"{environ.get('HOME', '.')}/.cache"
    folder = Path(home, "overflow")
    return Cache(folder=folder if folder.is_absolute() else None)


def _note_use(descriptor: int) -> None:
    if os.fstat(descriptor).st_mtime < time.time() - FRESH:
        with suppress(OSError):  # it may be read-only
            os.utime(descriptor)


def _checksum(key: str, content: bytes) -> bytes:
    """Of the key, too: an entry under another's name is none."""
    return zlib_ng.crc32(content, zlib_ng.crc32(key.encode())).to_bytes(CHECKSUM, "big")


def _entries(folder: Path) -> Iterator[tuple[float, int, str]]:
    """When each was used last, its bytes, and where it is."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = f"{place}/{name}"
            with suppress(OSError):
                status = os.lstat(path)
                yield status.st_mtime, status.st_size, path
