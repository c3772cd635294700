"""Loaded: the part of a shared object that is in memory while it is used.

Symbols for debuggers and the table of sections are in none of it. Where two files have equal parts,
a process cannot tell them apart, so what strip makes is held against what it was made of.

Source: System V ABI, chapters 4 and 5 (object files, program loading and dynamic linking).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC = b"\x7fELF\x02\x01\x01"
"""64 bits, little endian: all that runs on Lambda."""

MACHINES = {62: "x86_64", 183: "aarch64"}

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
SECTION = struct.Struct("<IIQQQQIIQQ")

SHARED = 3
"""ET_DYN."""

LOAD = 1
"""PT_LOAD."""

NO_BYTES = 8
"""SHT_NOBITS: a section that takes none of the file."""

PADDING = 16
"""Zeros at the end of a file that align it (patchelf) and are no data."""

PAGE = 4096
"""The least alignment of what is mapped."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What the header and the segments of a shared object say."""

    machine: str
    start: tuple[int, ...]
    """Of the header what counts when it is loaded: version, entry point, flags."""
    segments: tuple[tuple[int, ...], ...]
    """Each one's kind, flags, address, physical address, bytes in file and memory, alignment."""
    parts: tuple[tuple[int, int], ...]
    """First byte in the file, and the one after the last, of each that is loaded."""
    table: tuple[int, int]
    """The same of the table of segments, where offsets are."""
    is_whole: bool
    """Whether the file ends where its last section does: nothing was added to it."""


def read_loaded(content: bytes) -> Loaded | None:
    """What is loaded of a shared object; None of what is none, or is damaged."""
    try:
        return _read(content)
    except (struct.error, OverflowError):
        return None


def _read(content: bytes) -> Loaded | None:
    magic, kind, machine, version, entry, *rest = HEADER.unpack_from(content)
    first, sections, flags, _, size, count, width, many, _ = rest
    if not magic.startswith(MAGIC) or kind != SHARED:
        return None
    if (size, width) != (SEGMENT.size, SECTION.size):
        return None  # no table of sections, say: nothing to strip
    segments = [SEGMENT.unpack_from(content, first + at * size) for at in range(count)]
    parts = [(one[2], one[2] + one[5]) for one in segments if one[0] == LOAD]
    is_placed = all((one[2] - one[3]) % PAGE == 0 for one in segments if one[0] == LOAD)
    if not is_placed or any(end > len(content) for _, end in parts):
        return None
    ends = [sections + many * width]
    for at in range(many):
        section = SECTION.unpack_from(content, sections + at * width)
        ends += [section[4] + section[5]] if section[1] != NO_BYTES else []
    after = content[max(ends) :]
    return Loaded(
        machine=MACHINES.get(machine, ""),
        start=(version, entry, flags),
        segments=tuple((one[0], one[1], *one[3:]) for one in segments),
        parts=tuple(parts),
        table=(first, first + count * size),
        is_whole=len(after) <= PADDING and not after.strip(b"\0"),
    )


def load_alike(one: bytes, other: bytes) -> bool:
    """Whether two shared objects are the same once they are loaded, to the byte."""
    first, second = read_loaded(one), read_loaded(other)
    if first is None or second is None:
        return False
    same = (first.machine, first.start, first.segments) == (
        second.machine,
        second.start,
        second.segments,
    )
    return same and all(
        _visible(one, part, first.table) == _visible(other, its, second.table)
        for part, its in zip(first.parts, second.parts, strict=True)
    )


def _visible(content: bytes, part: tuple[int, int], table: tuple[int, int]) -> Sequence[bytes]:
    """A part without header and table of segments, which say where in the file things are."""
    start, end = part
    hidden = sorted([(0, HEADER.size), table])
    pieces = []
    for first, last in hidden:
        pieces.append(content[start : max(start, min(first, end))])
        start = max(start, min(last, end))
    return [*pieces, content[start:end]]
