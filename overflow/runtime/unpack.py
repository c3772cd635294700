"""Unpack: fill /tmp, group by group, from what the bundle carries compressed.

A group is one archive, or wheels that fetch.py gets, and becomes one folder of its own below the
overflow folder, which then stands on sys.path. So a group appears by a single rename, whole and
with its marker inside; groups need not be merged, and a start that was killed goes on with those
that are missing. Groups that are lazy come one by one, when lazy.py asks for them.

An archive is one raw deflate stream: a line of JSON, `[[path, bytes, 1 if executable], ...]`,
then the contents in that order. Hashed and inflated in one pass, it takes 0.85 of the time that
zipfile.extractall takes without any hash (docs/performance.md).
"""

from __future__ import annotations

import json
import os
import zlib
from contextlib import nullcontext
from hashlib import sha256
from typing import TYPE_CHECKING

from . import ready
from .manifest import PACKED_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from .manifest import Group

CHUNK = 64 * 1024
"""Compressed bytes that are hashed and inflated at a time: what is made of them stays in cache."""

LONGEST_INDEX = 64 * 1024 * 1024
"""An index above this size is refused; that of 100,000 files has 8 MB."""


def fill(folder: str, groups: Sequence[Group], root: str) -> None:
    """Have each group that is not lazy in its folder below `folder`; root: the bundle's folder.

    Lazy ones of this build that are there stay; all else below `folder` goes.
    Raises InstallError for an archive that is damaged, for what cannot be fetched, and where /tmp
    is too small.
    """
    work = f"{folder}.work"
    ready.remove(work)
    _remove_stale(folder, groups)
    eager = [one for one in groups if one.provides is None]
    missing = [one for one in eager if not ready.is_marked(f"{folder}/{one.name}", one.sha256)]
    ready.check_room(os.path.dirname(folder), sum(one.size for one in missing))
    os.makedirs(folder, exist_ok=True)
    os.makedirs(work)
    try:
        with _fetching(missing, folder=folder, work=work):
            _each([one for one in missing if not one.wheels], folder=folder, work=work, root=root)
    finally:
        ready.remove(work)


def place(group: Group, folder: str, root: str) -> None:
    """Have one group at `folder`, whose parent is there; for a caller who holds its lock.

    What is there (another build's), and what a killed process left aside, goes first.
    Raises what `fill` does.
    """
    work = f"{folder}.work"
    ready.remove(folder)
    ready.remove(work)
    ready.check_room(os.path.dirname(folder), group.size)
    try:
        if group.wheels:
            os.mkdir(work)
            with _fetching([group], folder=os.path.dirname(folder), work=work):
                pass
        else:
            _put(group, root=root, work=work, folder=folder)
    finally:
        ready.remove(work)


def _fetching(groups: Sequence[Group], *, folder: str, work: str) -> AbstractContextManager[object]:
    """Those of the groups that are fetched come meanwhile, and are there at its end."""
    fetched = [one for one in groups if one.wheels]
    if not fetched:
        return nullcontext()
    from . import fetch  # noqa: PLC0415 - most bundles fetch nothing: that takes 60 ms to import

    return fetch.Fetching(fetched, folder=folder, work=work)


def _remove_stale(folder: str, groups: Sequence[Group]) -> None:
    """What is no whole group of this build goes first: it takes room."""
    if os.path.islink(folder) or not os.path.isdir(folder):
        ready.remove(folder)
        return
    wanted = {one.name: one.sha256 for one in groups}
    for name in os.listdir(folder):
        path = f"{folder}/{name}"
        whole = name in wanted and not os.path.islink(path)
        if not (whole and ready.is_marked(path, wanted[name])):
            ready.remove(path)


def _each(missing: Sequence[Group], *, folder: str, work: str, root: str) -> None:
    """Unpack the groups, the largest first, on all CPUs that this process may use."""
    waiting = sorted(missing, key=lambda one: one.size)
    failed: list[BaseException] = []

    def take() -> None:
        while waiting and not failed:
            try:
                one = waiting.pop()
            except IndexError:  # another thread was faster
                return
            try:
                _put(one, root=root, work=f"{work}/{one.name}", folder=f"{folder}/{one.name}")
            except BaseException as error:  # noqa: BLE001 - raised below, in the starting thread
                failed.append(error)

    count = min(len(os.sched_getaffinity(0)), len(missing))
    _in_threads(take, count)
    if failed:
        raise failed[0]


def _in_threads(work: Callable[[], None], count: int) -> None:
    """Do the work `count` times at once; once in this thread, which alone may do it all."""
    if count < 2:
        work()
        return
    import threading  # noqa: PLC0415 - not needed on one CPU, which most functions have

    threads = [threading.Thread(target=work) for _ in range(count - 1)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()


def _put(group: Group, *, root: str, work: str, folder: str) -> None:
    """Make the new folder `work` what the group is, mark it, and give it its final name."""
    _unpack(group, f"{root}/{PACKED_FOLDER}/{group.name}", work)
    ready.write_marker(work, group.sha256)
    os.rename(work, folder)


def _unpack(group: Group, archive: str, folder: str) -> None:
    """Inflate, hash and write in one pass into a new folder."""
    os.mkdir(folder)
    digest, inflater, files = sha256(), zlib.decompressobj(-15), _Files(folder)
    problem = ""
    try:
        with open(archive, "rb", buffering=0) as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                files.take(inflater.decompress(chunk))
        files.finish()
    except (zlib.error, ValueError) as error:
        problem = f" ({error})"
    except FileNotFoundError:
        problem = " (it is not there)"
    if problem or digest.hexdigest() != group.sha256:
        raise ready.InstallError(
            f"{archive} is not what was built{problem}: deploy function.zip again, as it is"
        )


class _Files:
    """Writes the files of an archive into a folder as its bytes come; ValueError if they can't be.

    The folder is new and gets files and folders only, so nothing in it leads out of it.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._index: bytes | None = b""
        self._coming: Iterator[tuple[str, int, int]] = iter(())
        self._folders: set[str] = set()
        self._descriptor = -1
        self._missing = 0

    def take(self, data: bytes) -> None:
        """The next bytes of the stream."""
        view = memoryview(data)
        if self._index is not None:
            view = self._read_index(view)
        while view:
            if self._missing == 0 and not self._open_next():
                raise ValueError("there are bytes after the last file")
            part = view[: self._missing]
            self._write(part)
            view = view[len(part) :]

    def finish(self) -> None:
        """Make the empty files at the end; there must be no others to come."""
        whole = self._index is None and self._missing == 0 and not self._open_next()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if not whole:
            raise ValueError("it ends too early")

    def _read_index(self, view: memoryview) -> memoryview:
        data = (self._index or b"") + bytes(view)
        end = data.find(b"\n")
        if end < 0:
            if len(data) > LONGEST_INDEX:
                raise ValueError("its index is too long")
            self._index = data
            return memoryview(b"")
        self._index = None
        self._coming = iter([_checked(entry) for entry in json.loads(data[:end])])
        return memoryview(data)[end + 1 :]

    def _open_next(self) -> bool:
        """Open the next file that has bytes, making the empty ones before it; False at the end."""
        for path, size, executable in self._coming:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            target = f"{self._folder}/{path}"
            parent = os.path.dirname(target)
            if parent not in self._folders:
                os.makedirs(parent, exist_ok=True)
                self._folders.add(parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(target, flags, 0o755 if executable else 0o644)
            self._missing = size
            if size:
                return True
        return False

    def _write(self, part: memoryview) -> None:
        while part:
            count = os.write(self._descriptor, part)
            self._missing -= count
            part = part[count:]


def _checked(entry: object) -> tuple[str, int, int]:
    match entry:
        case [str(path), int(size), int(executable)] if size >= 0 and _stays_inside(path):
            return path, size, executable
    raise ValueError(f"its index has {entry!r}")


def _stays_inside(path: str) -> bool:
    return "\0" not in path and not {"", ".", ".."} & set(path.split("/"))
