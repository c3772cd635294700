"""Pieces: deflate streams and parts of them, those of earlier builds out of the cache.

Hashing takes a twentieth of the time of compressing, so what is known is known by its content.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

from zlib_ng import zlib_ng

if TYPE_CHECKING:
    from collections.abc import Sequence

    from overflow.cache import Cache

LEVEL = 5
"""zlib-ng's; measured on the example against 4-7 and isal (docs/decisions.md)."""

PIECE = 2 * 1024 * 1024
"""Bytes. Small enough to share one large file among cores, large enough to cost no ratio."""

END = b"\x03\x00"
"""An empty last block (RFC 1951, 3.2.3 and 3.2.6): it ends a stream of parts."""

SMALLEST = 8 * 1024
"""Bytes below which it is quicker to compress than to look up."""

ENGINE = f"{zlib_ng.ZLIBNG_RUNTIME_VERSION} {LEVEL}"
"""What else the result depends on."""

KIND = "pieces"


def deflate(contents: Sequence[bytes], cache: Cache) -> list[bytes]:
    """A raw deflate stream for each of the contents; they are known all together or not at all."""
    return _known_or_made(contents, zlib_ng.Z_FINISH, cache)


def deflate_part(content: bytes, cache: Cache) -> bytes:
    """A part of a raw deflate stream: such parts, joined, and END are one.

    A file's parts are the same in function.zip and in a crate, so none is made twice.
    """
    (part,) = _known_or_made([content], zlib_ng.Z_SYNC_FLUSH, cache)
    return part


def _known_or_made(contents: Sequence[bytes], flush: int, cache: Cache) -> list[bytes]:
    if sum(map(len, contents)) < SMALLEST:
        return [_deflate(content, flush) for content in contents]
    key = _key(contents, flush)
    known = cache.get(KIND, key)
    if known is not None:
        return _apart(known, len(contents))
    made = [_deflate(content, flush) for content in contents]
    lengths = struct.pack(f"<{len(made)}I", *map(len, made))
    cache.put(KIND, key, b"".join((lengths, *made)))
    return made


def _apart(known: bytes, count: int) -> list[bytes]:
    start = 4 * count
    parts: list[bytes] = []
    for length in struct.unpack_from(f"<{count}I", known):
        parts.append(known[start : start + length])
        start += length
    return parts


def _key(contents: Sequence[bytes], flush: int) -> str:
    digest = hashlib.sha256(f"{ENGINE} {flush} {len(contents)}\0".encode())
    for content in contents:
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.hexdigest()


def _deflate(content: bytes, flush: int) -> bytes:
    engine = zlib_ng.compressobj(LEVEL, zlib_ng.DEFLATED, -15)
    return engine.compress(content) + engine.flush(flush)
