"""Wheel: from the bytes of a wheel to files in a folder, while they come.

What a wheel holds is listed at its end. Where that end is known first, each file is inflated and
written as its bytes come, and nothing is kept twice. The list decides; of the headers in front of
each file only the length is read. The folder is new and gets files and folders only, so nothing
in it leads out of it; and it is of no use before the hash was compared (fetch.py).
"""

from __future__ import annotations

import os
import zlib
from hashlib import sha256
from io import UnsupportedOperation
from typing import TYPE_CHECKING, NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO

HEADER, SIGNATURE = 30, b"PK\x03\x04"
"""Bytes in front of each file, before its name and extra field (APPNOTE.TXT, 4.3.7)."""

LONGEST_LIST = 64 * 1024 * 1024
"""A list above this size is refused; that of 100,000 files has 12 MB."""


class Member(NamedTuple):
    """A file in a wheel."""

    path: str
    """In the folder; empty for what is not put there."""
    header: int
    """Where its header begins."""
    compressed: int
    size: int
    deflated: bool
    executable: bool


class End:
    """The end of a file, as a file: earlier bytes are got once they are read."""

    def __init__(self, total: int, data: bytes, earlier: Callable[[int, int], bytes]) -> None:
        self.data = data
        self._total = total
        self._earlier = earlier
        self._position = 0

    @property
    def start(self) -> int:
        """Where what is known begins."""
        return self._total - len(self.data)

    def seekable(self) -> bool:
        """As zipfile wants to know."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position; an OSError that is a ValueError for one before the beginning."""
        self._position = offset + (0, self._position, self._total)[whence]
        if self._position < 0:
            raise UnsupportedOperation("its list begins before it does")
        return self._position

    def read(self, count: int = -1) -> bytes:
        """The next bytes."""
        if self._position < self.start:
            if self.start - self._position > LONGEST_LIST:
                raise ValueError("its list is too long")
            self.data = self._earlier(self._position, self.start) + self.data
        at = self._position - self.start
        found = self.data[at : len(self.data) if count < 0 else at + count]
        self._position += len(found)
        return found


def members(file: End | IO[bytes]) -> list[Member]:
    """What a wheel holds, in the order of its bytes. ValueError, BadZipFile: it cannot be read."""
    with ZipFile(file) as archive:
        entries = [one for one in archive.infolist() if not one.is_dir()]
    infos = (one.filename.partition("/")[0] for one in entries)
    stem = next((one for one in infos if one.endswith(".dist-info")), "").removesuffix(".dist-info")
    for one in entries:
        if one.flag_bits & 1 or one.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise ValueError(f"{one.filename!r} is encrypted or not deflated")
    found = (
        Member(
            path=_place(one.filename, f"{stem}.data"),
            header=one.header_offset,
            compressed=one.compress_size,
            size=one.file_size,
            deflated=one.compress_type == ZIP_DEFLATED,
            executable=bool(one.external_attr >> 16 & 0o111),
        )
        for one in entries
    )
    return sorted(found, key=lambda one: one.header)


def _place(name: str, data: str) -> str:
    """Where a file goes: `*.data/purelib` and `platlib` are the folder itself (PEP 427).

    Scripts, headers and data go elsewhere in an environment, and so they are in no bundle.
    """
    parts = name.split("/")
    if {"", ".", ".."} & set(parts):
        raise ValueError(f"{name!r} leads out of it")
    if parts[0] != data:
        return name
    return "/".join(parts[2:]) if parts[1:2] in (["purelib"], ["platlib"]) else ""


def write(chunks: Iterable[bytes], listed: Iterable[Member], folder: str) -> str:
    """Write a wheel's files into a new folder; gives its sha256 in hexadecimal digits.

    chunks: all bytes of the wheel. ValueError, zlib.error: they are not what is listed.
    """
    stream, files = _Stream(chunks), _Files(folder)
    for one in listed:
        stream.skip(one.header - stream.position)
        header = stream.take(HEADER)
        if not header.startswith(SIGNATURE):
            raise ValueError(f"{one.path!r} has no header")
        name, extra = header[26:28], header[28:30]
        stream.skip(int.from_bytes(name, "little") + int.from_bytes(extra, "little"))
        contents = stream.parts(one.compressed)
        if one.path:
            files.write(one, _inflated(contents) if one.deflated else contents)
        else:
            stream.skip(one.compressed)
    return stream.finish()


def _inflated(parts: Iterable[memoryview]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for part in parts:
        yield inflater.decompress(part)
    if not inflater.eof:
        raise ValueError("a file ends too early")


class _Stream:
    """Chunks as one stream that is hashed as it is read; ValueError where it ends too early."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.position = 0
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")
        self._digest = sha256()

    def parts(self, count: int) -> Iterator[memoryview]:
        """The next bytes as they come."""
        while count > 0:
            if not self._rest:
                self._next()
            part = self._rest[:count]
            self._rest = self._rest[len(part) :]
            self.position += len(part)
            count -= len(part)
            yield part

    def take(self, count: int) -> bytes:
        """The next bytes together."""
        return b"".join(self.parts(count))

    def skip(self, count: int) -> None:
        """Leave out the next bytes."""
        if count < 0:
            raise ValueError("two of its files overlap")
        for _ in self.parts(count):
            pass

    def finish(self) -> str:
        """Read all that is left; gives the hash of everything."""
        for chunk in self._chunks:
            self._digest.update(chunk)
        return self._digest.hexdigest()

    def _next(self) -> None:
        chunk = next(self._chunks, None)
        if chunk is None:
            raise ValueError("it ends too early")
        self._digest.update(chunk)
        self._rest = memoryview(chunk)


class _Files:
    """Makes files in a folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._folders: set[str] = set()

    def write(self, member: Member, parts: Iterable[bytes | memoryview]) -> None:
        target = f"{self._folder}/{member.path}"
        parent = os.path.dirname(target)
        if parent not in self._folders:
            os.makedirs(parent, exist_ok=True)
            self._folders.add(parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(target, flags, 0o755 if member.executable else 0o644)
        try:
            missing = member.size
            for part in parts:
                missing -= len(part)
                if missing < 0:
                    break
                view = memoryview(part)
                while view:
                    view = view[os.write(descriptor, view) :]
        finally:
            os.close(descriptor)
        if missing:
            raise ValueError(f"{member.path!r} is not as long as it is listed")
