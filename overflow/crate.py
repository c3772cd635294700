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

from overflow.archive import in_order
from overflow.pieces import END, PIECE, deflate_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
) -> Iterator[Callable[[], list[tuple[str, bytes]]]]:
    items = [item for each in parts.values() for item in each]
    index = [[item.path, item.size, int(item.executable)] for item in items]
    first, last = next(iter(parts)), list(parts)[-1]
    line = json.dumps(index, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    yield partial(_deflated, first, line, cache)
    for name, each in parts.items():
        for data in _pieces(each):
            yield partial(_deflated, name, data, cache)
    yield lambda: [(last, END)]


def _deflated(name: str, data: bytes, cache: Cache) -> list[tuple[str, bytes]]:
    return [(name, deflate_part(data, cache))]


def _pieces(items: Iterable[Item]) -> Iterator[bytes]:
    """The contents one after the other: large files cut, small ones joined, up to one size.

    A file begins a piece where it is large, as it does in function.zip.
    """
    joined: list[bytes] = []
    size = 0
    for item in items:
        if joined and size + item.size > PIECE:
            yield b"".join(joined)
            joined, size = [], 0
        contents = _contents(item)
        if item.size >= PIECE:
            yield from contents
        else:
            joined += contents
            size += item.size
    if joined:
        yield b"".join(joined)


def _contents(item: Item) -> Iterator[bytes]:
    read = 0
    with _open(item.source) as stream:
        while data := stream.read(PIECE):
            read += len(data)
            yield data
    if read != item.size:
        raise ValueError(f"{item.path} has {read} bytes, not the {item.size} measured")


def _open(source: str | bytes) -> IO[bytes]:
    return io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")  # noqa: PTH123 - a hot path
