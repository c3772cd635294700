"""Sample: about how large files would be, compressed, by compressing an eighth of them quickly.

Whoever weighs many groups need not compress those that are not chosen: an eighth at zlib-ng's level
1 takes a twentieth of the time of all at level 5. That is still a tenth of a second for what was
looked at by the build before, so the cache has the answers.
"""

from __future__ import annotations

import hashlib
import json
import struct
from concurrent.futures import ThreadPoolExecutor
from os import sched_getaffinity
from typing import TYPE_CHECKING

from zlib_ng import zlib_ng

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from overflow.cache import Cache

    Files = Sequence[tuple[str, int]]
    """Where they are, and their bytes."""

BLOCK = 64 * 1024
EVERY = 8
"""Of so many blocks one is looked at."""

WHOLE = 4 * 1024 * 1024
"""Bytes up to which all blocks are."""

NATIVE, OTHER = 0.735, 0.65
"""Bytes in a crate for each that a block takes at level 1, of shared objects and of other files:
the means over the distributions of examples/flask and examples/large above 0.3 MB. So estimated,
these 40 are between 0.93 and 1.10 of what they are (standard deviation 0.04)."""


KIND = "samples"
"""What the cache knows them as."""

RULES = [zlib_ng.ZLIBNG_RUNTIME_VERSION, BLOCK, EVERY, WHOLE, NATIVE, OTHER]
"""What else an estimate depends on."""


def estimates(groups: Sequence[Files], known_as: object, cache: Cache) -> list[int]:
    """Bytes that the files of each group would take in a crate; the same for the same files.

    known_as: what those files are known by (JSON), all together.
    """
    layout, said = struct.Struct(f">{len(groups)}Q"), json.dumps([RULES, known_as])
    key = hashlib.sha256(said.encode()).hexdigest()
    content = cache.get(KIND, key) or b""
    if len(content) == layout.size:
        return list(layout.unpack(content))
    with ThreadPoolExecutor(len(sched_getaffinity(0))) as pool:
        made = list(pool.map(_estimate, groups))
    cache.put(KIND, key, layout.pack(*made))
    return made


def _estimate(files: Files) -> int:
    native = [file for file in files if is_native(file[0])]
    other = [file for file in files if not is_native(file[0])]
    return int(NATIVE * _level_one(native) + OTHER * _level_one(other))


def is_native(path: str) -> bool:
    """Whether a file is a shared object, by its name; its folder may be called anything."""
    name = path.rpartition("/")[2]
    return name.endswith(".so") or ".so." in name


def _level_one(files: Files) -> float:
    size = sum(size for _, size in files)
    read = made = 0
    for block in _blocks(files, EVERY if size > WHOLE else 1):
        engine = zlib_ng.compressobj(1, zlib_ng.DEFLATED, -15)
        made += len(engine.compress(block)) + len(engine.flush())
        read += len(block)
    return made * size / read if read else 0.0


def _blocks(files: Files, every: int) -> Iterator[bytes]:
    """Every so many blocks one, of all contents one after the other."""
    start, before, block = every // 2 * BLOCK, 0, b""
    for path, size in files:
        if start + len(block) < before + size:
            with open(path, "rb") as stream:  # noqa: PTH123 - a hot path
                while start + len(block) < before + size:
                    stream.seek(start + len(block) - before)
                    data = stream.read(BLOCK - len(block))
                    if not data:
                        return  # it is shorter than it was: whoever makes the crate will say so
                    block += data
                    if len(block) == BLOCK:
                        yield block
                        start, block = start + every * BLOCK, b""
        before += size
    if block:
        yield block
