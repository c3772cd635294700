"""Shared objects for tests: a real one, with what strip takes away again."""

from __future__ import annotations

import random
import struct
from pathlib import Path

from zlib_ng import zlib_ng

REAL = Path(zlib_ng.__file__).read_bytes()
"""A manylinux extension module for the machine that the tests run on, stripped."""

SECTION = struct.Struct("<IIQQQQIIQQ")

SECTIONS_AT = 40
"""Where a header says where the table of sections is, in eight bytes."""

MACHINE_AT = 18
"""Where it says what machine it is for, in two."""

AARCH64 = (183).to_bytes(2, "little")


def fat(size: int = 50_000, *, seed: int = 1) -> bytes:
    """REAL with a section of so many bytes that only debuggers read."""
    (start,) = struct.unpack_from("<Q", REAL, SECTIONS_AT)
    width, count, names_at = struct.unpack_from("<HHH", REAL, 58)
    sections = [list(SECTION.unpack_from(REAL, start + at * width)) for at in range(count)]
    names = sections[names_at]
    text = REAL[names[4] : names[4] + names[5]]
    debug = random.Random(seed).randbytes(size)
    content = REAL + b"\0" * (-len(REAL) % 8)
    sections.append([len(text), 1, 0, 0, len(content), size, 0, 0, 1, 0])
    content += debug
    text += b".debug_fat\0"
    names[4:6] = [len(content), len(text)]
    content += text
    content += b"\0" * (-len(content) % 8)
    table = len(content)
    content += b"".join(SECTION.pack(*section) for section in sections)
    header = bytearray(content[:64])
    struct.pack_into("<Q", header, SECTIONS_AT, table)
    struct.pack_into("<H", header, 60, count + 1)
    return bytes(header) + content[64:]


def for_aarch64(content: bytes) -> bytes:
    """The same, for another machine by what it says of itself."""
    return content[:MACHINE_AT] + AARCH64 + content[MACHINE_AT + 2 :]
