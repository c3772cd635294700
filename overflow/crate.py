"""Crate: the archive of a group that is packed, as overflow/runtime/unpack.py reads it.

One raw deflate stream: a line of JSON that lists the files, then their contents one after the
other. Made of pieces on all cores like function.zip, so the bytes do not depend on the machine.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from overflow.archive import PIECE, in_order
from overflow.pieces import deflate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import IO

    from overflow.cache import Cache


@dataclass(frozen=True, kw_only=True)
class Item:
    """A file on its way into a crate."""

    path: str
    """In the folder that the crate becomes."""
    source: str | bytes
    """Where it is, or its content."""
    size: int
    """Bytes, as measured."""
    executable: bool


@dataclass(frozen=True, kw_only=True)
class Crate:
    """A written crate."""

    path: Path
    size: int
    sha256: str
    """In hexadecimal digits."""
    parts: Mapping[str, int]
    """Bytes of it by distribution; the index counts for the first of them."""
    unpacked: int
    """Bytes of its files."""


def write_crate(target: Path, parts: Mapping[str, Sequence[Item]], cache: Cache) -> Crate:
    """Write the files of each distribution to `target`, in this order.

    Raises ValueError for a file that has not the size that was measured.
    """
    sizes = dict.fromkeys(parts, 0)
    digest = hashlib.sha256()
    with target.open("wb") as stream, ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for name, data in in_order(pool, _jobs(parts, cache)):
            stream.write(data)
            digest.update(data)
            sizes[name] += len(data)
    return Crate(
        path=target,
        size=sum(sizes.values()),
        sha256=digest.hexdigest(),
        parts=sizes,
        unpacked=sum(item.size for items in parts.values() for item in items),
    )


def _jobs(
    parts: Mapping[str, Sequence[Item]], cache: Cache
) -> Iterator[partial[list[tuple[str, bytes]]]]:
    items = [item for each in parts.values() for item in each]
    index = [[item.path, item.size, int(item.executable)] for item in items]
    first, last = next(iter(parts)), list(parts)[-1]
    line = json.dumps(index, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    yield partial(_deflated, first, line, is_last=False, cache=cache)
    for name, each in parts.items():
        for data in _pieces(each):
            yield partial(_deflated, name, data, is_last=False, cache=cache)
    yield partial(_deflated, last, b"", is_last=True, cache=cache)


def _deflated(name: str, data: bytes, *, is_last: bool, cache: Cache) -> list[tuple[str, bytes]]:
    (deflated,) = deflate([data], is_last=is_last, cache=cache)
    return [(name, deflated)]


def _pieces(items: Iterable[Item]) -> Iterator[bytes]:
    """The contents one after the other, cut into pieces of one size."""
    piece = bytearray()
    for item in items:
        read = 0
        with _open(item.source) as stream:
            while data := stream.read(PIECE - len(piece)):
                read += len(data)
                piece += data
                if len(piece) == PIECE:
                    yield bytes(piece)
                    piece.clear()
        if read != item.size:
            raise ValueError(f"{item.path} has {read} bytes, not the {item.size} measured")
    if piece:
        yield bytes(piece)


def _open(source: str | bytes) -> IO[bytes]:
    return io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")  # noqa: PTH123 - a hot path
