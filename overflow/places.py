"""Places: where a source has the name of a test suite, and what stands around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FAR = 4000
"""Bytes that the names after one `from ... import` take at most."""

NEAR = 200
"""The same of a dotted name or a path, and of the call that it is in."""

QUOTES = (b'"', b"'")
_PATH = (*QUOTES, b"/", b"\\")

_WORD = re.compile(rb"tests?(?!\w)")
_MODULE = re.compile(rb"\.(\w+)")
_NAME = re.compile(rb"\w+")
_PIECE = re.compile(rb"(\w+)\W*\Z")
_BELOW = re.compile(rb"[.:]\w")
_WORKED_OUT = re.compile(rb"""(?:(?:\}|%(?:\(\w+\))?[rs])[\w.]*|['"](?:\.[\w.]*)?)\Z""")
_JOINED = re.compile(rb"""['"]\.['"]\s*\.join\([^)]*\Z""")
_FROM_LIST = re.compile(rb"__import__\s*\(.*[\[(][^\])]*\Z", re.DOTALL)
_TAKEN_OUT = re.compile(rb"-=?\s*[\[({][^\])}]*\Z")
_ON_DEMAND = re.compile(rb"__all__|__getattr__|[Ll]azy|attach\(|initpkg")

_COMMENT = re.compile(rb"#[^\n]*")
_LISTED = re.compile(rb"[\w\s,(\\]*")
_FROM = re.compile(rb"\bfrom[\s\\]*([.\w%{}()]*)[\s\\]*\Z")
_IMPORT = (b"import ", b"import\t", b"import(", b"import\\")
_NO_CODE = (b"#", b">>>", b"...")


@dataclass(frozen=True)
class Source:
    """What is read."""

    content: bytes
    path: str
    """In site-packages, or in the project."""
    owner: str
    """Its distribution; empty for the project."""

    def places(self) -> Iterator[Place]:
        """Where it has the name of a suite that could be imported or read."""
        for word in _WORD.finditer(self.content):
            start, end = word.span()
            start -= self.content[start - 1 : start] == b"_"
            place = Place(self, start, end)
            if place.is_listed or (place.last in {b".", *_PATH} and not place.is_aside):
                yield place

    @cached_property
    def exports(self) -> bool:
        """Whether it is a package that gives modules on demand, or to `from package import *`."""
        is_package = f"/{self.path}".endswith("/__init__.py")
        return is_package and _ON_DEMAND.search(self.content) is not None


@dataclass(frozen=True)
class Place:
    """Where a source has the name of a suite."""

    source: Source
    start: int
    end: int

    @property
    def name(self) -> str:
        """The suite's, without its package."""
        return self.source.content[self.start : self.end].decode()

    @property
    def last(self) -> bytes:
        """The character before it."""
        return self.source.content[max(0, self.start - 1) : self.start]

    @property
    def before(self) -> bytes:
        """What stands before that one."""
        return self.source.content[max(0, self.start - 1 - NEAR) : max(0, self.start - 1)]

    @property
    def following(self) -> bytes:
        """The character after it."""
        return self.source.content[self.end : self.end + 1]

    @property
    def inside(self) -> str:
        """The module of the suite that is named, too."""
        module = _MODULE.match(self.source.content, self.end)
        return module.group(1).decode(errors="replace") if module else ""

    @property
    def words(self) -> set[str]:
        """What stands near: the suite's package may be named there."""
        near = self.source.content[max(0, self.start - NEAR) : self.end + NEAR]
        return {word.decode(errors="replace") for word in _NAME.findall(near)}

    @property
    def parent(self) -> str:
        """The word before: in a path, or in pieces of one, the folder above."""
        piece = _PIECE.search(self.before)
        return piece.group(1).decode(errors="replace") if piece else ""

    @property
    def is_listed(self) -> bool:
        """Whether it could be one of the names that a `from ... import` ends with."""
        return self.last.isspace() or self.last in {b",", b"("}

    @property
    def is_aside(self) -> bool:
        """Whether it is in a line that is a comment, or a doctest's."""
        line = self.source.content.rfind(b"\n", 0, self.start) + 1
        return self.source.content[line : self.start].lstrip().startswith(_NO_CODE)

    @property
    def is_piece(self) -> bool:
        """Whether it is a piece of a path."""
        return self.last in _PATH and self.following in (*_PATH, b"{")

    @property
    def is_alone(self) -> bool:
        """Whether it is all of a text."""
        return self.last in QUOTES and self.following == self.last

    @property
    def is_below(self) -> bool:
        """Whether a text starts with it and goes on with a module's or an object's name."""
        return self.last in QUOTES and _BELOW.match(self.source.content, self.end) is not None

    @property
    def is_worked_out(self) -> bool:
        """Whether it is in a dotted name that starts with what is put into a text, or relative."""
        if self.is_alone:
            return _JOINED.search(self.before) is not None
        return self.last == b"." and _WORKED_OUT.search(self.before) is not None

    @property
    def is_in_from_list(self) -> bool:
        """Whether it is in `__import__("package", fromlist=["tests"])`."""
        return self.is_alone and _FROM_LIST.search(self.before) is not None

    @property
    def is_exported(self) -> bool:
        """Whether it may be what its package gives: `numpy` lists what it does not, too."""
        if not (self.is_alone or self.is_below) or _TAKEN_OUT.search(self.before):
            return False
        return self.source.exports

    @property
    def imported_from(self) -> bytes | None:
        """The package in `from package import a, b, ` that ends here; None where none does."""
        head = self.source.content[max(0, self.start - FAR) : self.start]
        at = _last_import(head)
        package = _package(head, at)
        if package is None and head.rfind(b"#", head.rfind(b"\n", 0, max(0, at)) + 1, at) >= 0:
            head = _COMMENT.sub(b"", head)  # that `import` is in one, between the names
            package = _package(head, _last_import(head))
        return package


def _last_import(head: bytes) -> int:
    """Where the last `import` is; negative where there is none."""
    return max(head.rfind(word) for word in _IMPORT)


def _package(head: bytes, at: int) -> bytes | None:
    """The package whose names are imported by the `import` at a place, up to the end."""
    if at < 0:
        return None
    names = _COMMENT.sub(b"", head[at + len("import") :])
    if b"(" not in names and b"\n" in names.replace(b"\\\n", b""):
        return None
    if not _LISTED.fullmatch(names):
        return None
    package = _FROM.search(head[max(0, at - NEAR) : at])
    return package.group(1) if package else None
