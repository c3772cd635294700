"""Rpath: where a shared object looks for others, relative to itself.

A build asks this of every shared object. pyelftools takes 5 ms for each, for it knows all of ELF
(elf.py asks it for more, of few files); what is read here is a header and one table, in 0.1 ms.

Source: System V ABI, chapters 4 and 5 (object files, program loading and dynamic linking).
"""

from __future__ import annotations

import mmap
import posixpath
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    Segment = tuple[int, int, int, int, int, int]
    """Type, flags, offset in the file, address, physical address, bytes in the file."""

MAGIC = b"\x7fELF\x02\x01"
"""64 bits, little endian: all that runs on Lambda."""

HEADERS = struct.Struct("<Q")
"""e_phoff, at 32."""

COUNT = struct.Struct("<HH")
"""e_phentsize and e_phnum, at 54."""

SEGMENT = struct.Struct("<IIQQQQ")
TAG = struct.Struct("<QQ")

PT_LOAD, PT_DYNAMIC = 1, 2
DT_NULL, DT_STRTAB, DT_RPATH, DT_RUNPATH = 0, 5, 15, 29

AT_MOST = 10_000
"""Tags that are read: a damaged file can claim billions."""


def search_folders(root: Path, path: str) -> frozenset[str]:
    """RPATH and RUNPATH entries below $ORIGIN of root/path, relative to `root`.

    None of a file that is damaged, or no shared object: whoever imports it will say so.
    """
    try:
        with (
            (root / path).open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            texts = _search_paths(content) if content[: len(MAGIC)] == MAGIC else []
    except (OSError, ValueError, OverflowError, struct.error):
        return frozenset()
    origin = posixpath.dirname(path)
    return frozenset(folder for text in texts for folder in _below_origin(text, origin))


def _search_paths(content: mmap.mmap) -> list[str]:
    (start,) = HEADERS.unpack_from(content, 32)
    size, count = COUNT.unpack_from(content, 54)
    segments = [SEGMENT.unpack_from(content, start + at * size) for at in range(count)]
    tags = _tags(content, segments)
    if DT_STRTAB not in tags:
        return []
    names = _offset(segments, tags[DT_STRTAB])
    starts = [names + tags[tag] for tag in (DT_RPATH, DT_RUNPATH) if tag in tags]
    return [content[at : content.find(b"\0", at)].decode() for at in starts]


def _tags(content: mmap.mmap, segments: Sequence[Segment]) -> dict[int, int]:
    """The dynamic section."""
    found: dict[int, int] = {}
    tables = (segment for segment in segments if segment[0] == PT_DYNAMIC)
    _, _, start, _, _, size = next(tables, (0, 0, 0, 0, 0, 0))
    for at in range(start, start + min(size, AT_MOST * TAG.size), TAG.size):
        tag, value = TAG.unpack_from(content, at)
        if tag == DT_NULL:
            break
        found[tag] = value
    return found


def _offset(segments: Sequence[Segment], address: int) -> int:
    """Where in the file is what will be at an address."""
    for kind, _, offset, start, _, size in segments:
        if kind == PT_LOAD and start <= address < start + size:
            return offset + address - start
    raise ValueError(address)


def _below_origin(text: str, origin: str) -> Iterator[str]:
    for entry in text.replace("${ORIGIN}", "$ORIGIN").split(":"):
        if entry.startswith("$ORIGIN"):
            below = entry[len("$ORIGIN") :].lstrip("/")
            yield posixpath.normpath(posixpath.join(origin, below))
