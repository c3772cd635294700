"""Archive: function.zip, the same bytes for the same bundle, compressed on all cores.

Each file is cut into pieces of one size, whatever the number of cores. Pieces are deflated on
their own (zlib-ng lets go of the interpreter while it works) and joined: a piece but the last
ends with a sync flush, so that together they are one valid deflate stream.
"""

from __future__ import annotations

import os
import zipfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from zlib_ng import zlib_ng

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path

LEVEL = 5
"""zlib-ng's; measured on the example against 4-7 and isal (docs/decisions.md)."""

PIECE = 2 * 1024 * 1024
"""Bytes. Small enough to share one large file among cores, large enough to cost no ratio."""

EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first date that a zip can hold."""

READ_AHEAD = 96
"""Pieces under way at once: bounds memory at about 200 MB."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file on its way into the archive."""

    name: str
    path: Path
    executable: bool


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A deflated part of a member."""

    member: Member
    data: bytes
    size: int
    crc: int
    """Running over the member so far."""
    is_last: bool


def write_zip(
    target: Path,
    members: Iterable[Member],
    *,
    environ: Mapping[str, str],
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Write the members, in the order given, to `target`; progress is told bytes as they are done.

    Dates are 1980-01-01 or SOURCE_DATE_EPOCH (reproducible-builds.org), modes 0755 or 0644.
    """
    date = _date(environ.get("SOURCE_DATE_EPOCH", ""))
    with (
        zipfile.ZipFile(target, "w", allowZip64=True) as archive,
        ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool,
    ):
        collected: list[bytes] = []
        size = 0
        for piece in _in_order(pool, _pieces(members)):
            collected.append(piece.data)
            size += piece.size
            progress(piece.size)
            if piece.is_last:
                _append(archive, _header(piece, date, size, sum(map(len, collected))), collected)
                collected, size = [], 0


def _date(epoch: str) -> tuple[int, int, int, int, int, int]:
    if not epoch.isdigit():
        return EARLIEST
    moment = datetime.fromtimestamp(int(epoch), timezone.utc)
    date = moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second
    return max(date, EARLIEST)


def _pieces(members: Iterable[Member]) -> Iterator[tuple[Member, bytes, int, bool]]:
    for member in members:
        crc = 0
        with member.path.open("rb") as stream:
            left = os.fstat(stream.fileno()).st_size
            while True:
                data = stream.read(PIECE)
                crc = zlib_ng.crc32(data, crc)
                left -= len(data)
                yield member, data, crc, left <= 0
                if left <= 0:
                    break


def _in_order(
    pool: ThreadPoolExecutor, raw: Iterator[tuple[Member, bytes, int, bool]]
) -> Iterator[Piece]:
    waiting: deque[Future[Piece]] = deque()
    for item in raw:
        waiting.append(pool.submit(_deflate, *item))
        if len(waiting) > READ_AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _deflate(member: Member, data: bytes, crc: int, is_last: bool) -> Piece:  # noqa: FBT001
    engine = zlib_ng.compressobj(LEVEL, zlib_ng.DEFLATED, -15)
    flush = zlib_ng.Z_FINISH if is_last else zlib_ng.Z_SYNC_FLUSH
    deflated = engine.compress(data) + engine.flush(flush)
    return Piece(member=member, data=deflated, size=len(data), crc=crc, is_last=is_last)


def _header(
    last: Piece, date: tuple[int, int, int, int, int, int], size: int, compressed: int
) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(last.member.name, date)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # Unix: without it the modes below mean nothing
    info.external_attr = (0o100755 if last.member.executable else 0o100644) << 16
    info.file_size = size
    info.compress_size = compressed
    info.CRC = last.crc
    return info


def _append(archive: zipfile.ZipFile, info: zipfile.ZipInfo, data: list[bytes]) -> None:
    """Add a member that is compressed already, which zipfile has no public way for.

    zipfile still writes the local header and the central directory, zip64 included.
    """
    stream = archive.fp
    if stream is None:
        raise ValueError("the archive is closed")
    info.header_offset = stream.tell()
    stream.write(info.FileHeader())
    for part in data:
        stream.write(part)
    archive.filelist.append(info)
    archive.NameToInfo[info.filename] = info
    archive.start_dir = stream.tell()
    archive._didModify = True  # type: ignore[attr-defined]  # noqa: SLF001 - see the docstring


def zip_sizes(path: Path) -> Mapping[str, int]:
    """Each member of a zip and its unpacked bytes: what Lambda will count."""
    with zipfile.ZipFile(path) as archive:
        return {info.filename: info.file_size for info in archive.infolist()}
