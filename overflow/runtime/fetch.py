"""Fetch: groups whose wheels come from an index, by URL and hash, several at a time.

Each wheel is inflated while it comes and while others come, into a folder aside. Nothing of it
gets anywhere before its sha256 is the locked one. A group appears by one rename, as those do that
are unpacked (unpack.py), so that a start that was killed goes on with those that are missing.
"""

from __future__ import annotations

import os
import ssl
import threading
import zlib
from contextlib import closing
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from . import ready
from .connection import CHUNK, Connections, Unreachable
from .wheel import End, members, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType

    from .manifest import Group, Wheel

CONNECTIONS = 6
"""Wheels that are fetched at a time. One CPU inflates as fast as four bring (docs/performance.md);
what is more hides how long servers take to answer."""

SMALL = 256 * 1024
"""Wheels up to this size are fetched before they are read: that is one request less."""

SHORTEST_END, END_SHARE = 64 * 1024, 40
"""Bytes of a wheel's end that are asked for first, and at least this part of it: nearly all lists
are that short."""


class Fetching:
    """Groups on their way, from the beginning of a `with` to its end, which waits for them.

    folder: where they go; work: a folder for what is made on the way. The end raises InstallError
    for what cannot be had or is not what was locked, OSError where it cannot be written.
    """

    def __init__(self, groups: Sequence[Group], *, folder: str, work: str) -> None:
        self._folder, self._work = folder, work
        self._left = {one.name: len(one.wheels) for one in groups}
        every = [(group, at) for group in groups for at in range(len(group.wheels))]
        self._waiting = sorted(every, key=lambda one: one[0].wheels[one[1]].size)
        self._failed: list[BaseException] = []
        self._lock = threading.Lock()
        self._context = _context(wheel.url for group in groups for wheel in group.wheels)
        count = min(CONNECTIONS, len(every))
        self._threads = [threading.Thread(target=self._take_all) for _ in range(count)]

    def __enter__(self) -> None:
        for one in self._threads:
            one.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._failed.append(error)  # so that the threads end
        for one in self._threads:
            one.join()
        if error is None and self._failed:
            raise self._failed[0]

    def _take_all(self) -> None:
        """What each thread does: the largest of the wheels that wait, until there are none."""
        try:
            with closing(Connections(self._context)) as connections:
                while not self._failed:
                    with self._lock:
                        if not self._waiting:
                            return
                        group, at = self._waiting.pop()
                    self._fetch(connections, group.wheels[at], self._aside(group, at))
                    with self._lock:
                        self._left[group.name] -= 1
                        is_whole = self._left[group.name] == 0
                    if is_whole:
                        self._finish(group)
        except BaseException as error:  # noqa: BLE001 - raised at the end, in the starting thread
            self._failed.append(error)

    def _aside(self, group: Group, at: int) -> str:
        return f"{self._work}/{group.name}.{at}"

    def _finish(self, group: Group) -> None:
        """Make one folder of a group's wheels, mark it, and give it its final name.

        A file that several have is the first one's, as the build counted it (measure.py).
        """
        first = self._aside(group, 0)
        for at in range(1, len(group.wheels)):
            _merge(self._aside(group, at), first)
        ready.write_marker(first, group.sha256)
        os.rename(first, f"{self._folder}/{group.name}")

    def _fetch(self, connections: Connections, wheel: Wheel, folder: str) -> None:
        os.mkdir(folder)
        name = wheel.url.partition("?")[0].rpartition("/")[2]
        try:
            digest = self._write(connections, wheel, folder)
        except Unreachable as error:
            host = wheel.url.partition("://")[2].partition("/")[0].rpartition("@")[2]
            why = f"{name} could not be fetched from {host}: {error}"
            raise ready.InstallError(why) from error
        except (ValueError, zlib.error, BadZipFile, NotImplementedError) as error:
            raise ready.InstallError(f"{name} is not the locked one ({error})") from error
        except (FileExistsError, NotADirectoryError) as error:
            raise ready.InstallError(f"{name} has a file twice: {error.filename}") from error
        if digest != wheel.sha256:
            raise ready.InstallError(f"{name} is not the locked one (its sha256 is {digest})")

    def _write(self, connections: Connections, wheel: Wheel, folder: str) -> str:
        """Fetch one wheel and write what it holds; gives its hash."""
        end, size = None, wheel.size
        if size > SMALL:
            count = max(SHORTEST_END, size // END_SHARE)
            end = connections.end(wheel.url, max(0, size - count), size)
        if end is None:
            with open(f"{folder}.whl", "w+b") as file:
                os.unlink(file.name)
                coming = connections.pieces(wheel.url, size=size)
                for chunk in self._checked(coming, size):
                    file.write(chunk)
                listed = members(file)
                file.seek(0)
                return write(iter(partial(file.read, CHUNK), b""), listed, folder)

        def earlier(first: int, last: int) -> bytes:
            return b"".join(connections.pieces(wheel.url, first, last))

        known = End(size, end, earlier)
        listed = members(known)
        coming = connections.pieces(wheel.url, 0, known.start) if known.start else iter(())
        return write(self._checked(chain(coming, [known.data]), size), listed, folder)

    def _checked(self, chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
        """The chunks, unless another thread has failed, or they are more than was locked."""
        count = 0
        for chunk in chunks:
            count += len(chunk)
            if size and count > size:
                raise ValueError(f"it has more than {size} bytes")
            if self._failed:
                raise self._failed[0]
            yield chunk


def _context(urls: Iterable[str]) -> ssl.SSLContext | None:
    """For all connections: reading the certificates that this machine trusts takes 30 ms."""
    if not any(one.startswith("https:") for one in urls):
        return None
    return ssl.create_default_context()


def _merge(source: str, target: str) -> None:
    """Move into the folder `target` what it does not have."""
    for entry in os.scandir(source):
        place = f"{target}/{entry.name}"
        if not os.path.lexists(place):
            os.rename(entry.path, place)
        elif entry.is_dir() and os.path.isdir(place):
            _merge(entry.path, place)
