"""Archive: function.zip, the same bytes for the same bundle, compressed on all cores.

Large files are cut into pieces of one size, whatever the number of cores. Pieces are deflated on
their own (zlib-ng lets go of the interpreter while it works) and joined: each ends with a sync
flush, so that together they are one valid deflate stream. Small files go together in batches, which
are what the cache knows them by.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial, reduce
from typing import TYPE_CHECKING, TypeVar

from zlib_ng import zlib_ng

from overflow.pieces import END, PIECE, deflate, deflate_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path
    from typing import IO

    from _typeshed import ReadableBuffer

    from overflow.cache import Cache

BATCH = 1024 * 1024
"""Bytes of small files that one thread takes at a time: handing over costs as much as they do."""

BUFFER = 1024 * 1024
"""Bytes that are hashed and written at a time: six pieces for each file would be small ones."""

READ_AHEAD = 96
"""Pieces or batches under way at once: bounds memory at about 200 MB."""

EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first date that a zip can hold."""

LATEST = 4_354_819_198
"""The last one, in seconds: the end of 2107."""

Date = tuple[int, int, int, int, int, int]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file on its way into the archive."""

    name: str
    path: str
    size: int
    """Bytes, as measured."""
    executable: bool
    stored: bool = False
    """Whether it is compressed already, so that deflating it would only cost time."""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A written archive."""

    size: int
    sha256: str
    """In hexadecimal digits."""


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """A deflated part of a member, or all of it."""

    member: Member
    data: bytes
    size: int
    crc: int
    is_last: bool


def write_zip(
    target: Path, members: Iterable[Member], *, environ: Mapping[str, str], cache: Cache
) -> Archive:
    """Write the members, in the order given, to `target`; what the cache has is not deflated again.

    Dates are 1980-01-01 or SOURCE_DATE_EPOCH (reproducible-builds.org), modes 0755 or 0644.
    """
    date = _date(environ.get("SOURCE_DATE_EPOCH", ""))
    with target.open("wb") as stream:
        hashed = _Hashed(stream)
        with (
            io.BufferedWriter(hashed, BUFFER) as buffer,
            zipfile.ZipFile(buffer, "w", allowZip64=True) as archive,
            ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool,
        ):
            pieces: list[_Piece] = []
            for piece in in_order(pool, _jobs(members, cache)):
                pieces.append(piece)
                if piece.is_last:
                    _append(archive, pieces, date)
                    pieces = []
        return Archive(size=stream.tell(), sha256=hashed.digest.hexdigest())


class _Hashed(io.RawIOBase):
    """A stream that is hashed as it is written; it cannot seek, so zipfile never goes back."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        self.digest.update(data)
        return self._stream.write(data)


def _date(epoch: str) -> Date:
    if not (epoch.isascii() and epoch.isdigit()):
        return EARLIEST
    moment = datetime.fromtimestamp(min(int(epoch[:15]), LATEST), timezone.utc)
    date = moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second
    return max(date, EARLIEST)


def _jobs(members: Iterable[Member], cache: Cache) -> Iterator[Callable[[], list[_Piece]]]:
    batch: list[Member] = []
    size = 0
    for member in members:
        is_large = member.size >= PIECE
        if batch and (is_large or size >= BATCH or _kin(member) != _kin(batch[-1])):
            yield partial(_deflate_batch, batch, cache)
            batch, size = [], 0
        if is_large:
            yield from _large(member, cache)
        else:
            batch.append(member)
            size += member.size
    if batch:
        yield partial(_deflate_batch, batch, cache)


def _kin(member: Member) -> tuple[bool, list[str]]:
    """Members of a batch have this in common: what changes in one folder leaves others alone."""
    return member.stored, member.name.split("/")[:-1][:2]


def _large(member: Member, cache: Cache) -> Iterator[Callable[[], list[_Piece]]]:
    """Jobs for the pieces of a large file."""
    for start in range(0, member.size, PIECE):
        is_last = start + PIECE >= member.size
        yield partial(_deflate_part, member, start, is_last=is_last, cache=cache)


def _deflate_batch(batch: list[Member], cache: Cache) -> list[_Piece]:
    contents = []
    for member in batch:
        with open(member.path, "rb", buffering=0) as stream:
            contents.append(stream.read())
    done = contents if batch[0].stored else deflate(contents, cache)
    return [
        _Piece(
            member=member,
            data=data,
            size=len(content),
            crc=zlib_ng.crc32(content),
            is_last=True,
        )
        for member, content, data in zip(batch, contents, done, strict=True)
    ]


def _deflate_part(member: Member, start: int, *, is_last: bool, cache: Cache) -> list[_Piece]:
    """The last one goes to the end of the file, wherever that is."""
    with open(member.path, "rb") as stream:
        stream.seek(start)
        content = stream.read(-1 if is_last else PIECE)
    data = content if member.stored else deflate_part(content, cache) + (END if is_last else b"")
    crc = zlib_ng.crc32(content)
    return [_Piece(member=member, data=data, size=len(content), crc=crc, is_last=is_last)]


def in_order(pool: ThreadPoolExecutor, jobs: Iterable[Callable[[], list[T]]]) -> Iterator[T]:
    """What the jobs give, in their order; at most READ_AHEAD of them are under way."""
    waiting: deque[Future[list[T]]] = deque()
    for job in jobs:
        waiting.append(pool.submit(job))
        if len(waiting) > READ_AHEAD:
            yield from waiting.popleft().result()
    while waiting:
        yield from waiting.popleft().result()


def _append(archive: zipfile.ZipFile, pieces: list[_Piece], date: Date) -> None:
    """Add a member that is compressed already, which zipfile has no public way for.

    zipfile still writes the local header and the central directory, zip64 included.
    """
    stream = archive.fp
    if stream is None:
        raise ValueError("the archive is closed")
    info = _header(pieces, date)
    info.header_offset = stream.tell()
    stream.write(b"".join([info.FileHeader(), *(piece.data for piece in pieces)]))
    archive.filelist.append(info)
    archive.NameToInfo[info.filename] = info
    archive.start_dir = stream.tell()
    archive._didModify = True  # type: ignore[attr-defined]  # noqa: SLF001 - see the docstring


def _header(pieces: list[_Piece], date: Date) -> zipfile.ZipInfo:
    last = pieces[-1]
    info = zipfile.ZipInfo(last.member.name, date)
    info.compress_type = zipfile.ZIP_STORED if last.member.stored else zipfile.ZIP_DEFLATED
    info.create_system = 3  # Unix: without it the modes below mean nothing
    info.external_attr = (0o100755 if last.member.executable else 0o100644) << 16
    info.file_size = sum(piece.size for piece in pieces)
    info.compress_size = sum(len(piece.data) for piece in pieces)
    info.CRC = reduce(lambda crc, one: zlib_ng.crc32_combine(crc, one.crc, one.size), pieces, 0)
    return info
