"""Pieces: parts of deflate streams, those of earlier builds out of the cache.

Hashing takes a twentieth of the time of compressing, so a part is known by its content.
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

SMALLEST = 8 * 1024
"""Bytes below which it is quicker to compress than to look up."""

ENGINE = f"{zlib_ng.ZLIBNG_RUNTIME_VERSION} {LEVEL}".encode()
"""What else the result depends on."""

KIND = "pieces"


def deflate(contents: Sequence[bytes], *, is_last: bool, cache: Cache) -> list[bytes]:
    """A part of a raw deflate stream for each of the contents.

    Parts, joined, are a stream; is_last: they end theirs.
    """
    if sum(map(len, contents)) < SMALLEST:
        return [_deflate(content, is_last=is_last) for content in contents]
    key = _key(contents, is_last=is_last)
    known = cache.get(KIND, key)
    if known is not None:
        return _apart(known, len(contents))
    made = [_deflate(content, is_last=is_last) for content in contents]
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


def _key(contents: Sequence[bytes], *, is_last: bool) -> str:
    digest = hashlib.sha256(b"%s %d %d\0" % (ENGINE, is_last, len(contents)))
    for content in contents:
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.hexdigest()


def _deflate(content: bytes, *, is_last: bool) -> bytes:
    engine = zlib_ng.compressobj(LEVEL, zlib_ng.DEFLATED, -15)
    flush = zlib_ng.Z_FINISH if is_last else zlib_ng.Z_SYNC_FLUSH
    return engine.compress(content) + engine.flush(flush)
