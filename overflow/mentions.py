"""Mentions: which test suites, and which files for compilers, a source asks for.

Read from its bytes: parsing each source of an environment would take a minute. It sees imports of
every form, dotted names at the start of a text, and paths, in pieces too; what it takes for one and
is none keeps what could go. Comments, doctests and names within sentences do not count. Who names
a suite as a module may import it; who names its path may read its data, and imports nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from overflow.trim import KIND_BY_ENDING, Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

SUITE_NAMES = frozenset({"test", "tests", "_test", "_tests"})
"""Folders that may be test suites."""

FAR = 4000
"""Bytes that the names after one `from ... import` take at most."""

NEAR = 200
"""The same of a dotted name or a path."""

_WORD = re.compile(rb"tests?(?!\w)")
_MODULE = re.compile(rb"\.(\w+)")
_RELATIVE = re.compile(rb"\bfrom\s*\.|import_module|__import__")
_IMPORTING = re.compile(rb"(?:\b(?:from|import)|[=,:])\s*\Z")
_DOTTED = re.compile(rb"[\w.]*\Z")
_PIECE = re.compile(rb"(\w+)\W*\Z")
_COMMENT = re.compile(rb"#[^\n]*")
_LISTED = re.compile(rb"[\w\s,(\\]*")
_FROM = re.compile(rb"\bfrom\s*([.\w]*)\s*\Z")
_IMPORT = (b"import ", b"import\t", b"import(", b"import\\")
_QUOTES = (b'"', b"'")
_PATH = (*_QUOTES, b"/", b"\\")
_NO_CODE = (b"#", b">>>", b"...")

_NAMED = "|".join(sorted(one for one, kind in KIND_BY_ENDING.items() if kind is not Kind.STUBS))
_ENDING = re.compile(rf"\.(?:{_NAMED})(?!\w)".encode())
_NOT_A_NAME = re.compile(rb"[^\w.+-]")


def named_files(source: bytes, known: Collection[str]) -> set[str]:
    """Which of these names of C headers and the like a source has."""
    found = set()
    for ending in _ENDING.finditer(source):
        text = source[max(0, ending.start() - NEAR) : ending.end()]
        found.add(_NOT_A_NAME.split(text)[-1].decode(errors="replace"))
    return found.intersection(known)


def reads_stubs(source: bytes) -> bool:
    """Whether a source may read type stubs; lazy_loader's attach_stub() does on import."""
    return b".pyi" in source or b"attach_stub" in source


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a source wants of suites."""

    modules: frozenset[tuple[str, str]]
    """Suites that it may import, and the module in each; empty where that could be any."""
    data: frozenset[str]
    """Suites that it may read from."""


@dataclass(frozen=True, kw_only=True)
class Suites:
    """Test suites, by their folders in site-packages: `numpy/linalg/tests`."""

    owners: Mapping[str, str]
    """The distribution of each."""

    def wanted(self, source: bytes, path: str, owner: str) -> Wanted:
        """What a source may import or read.

        path: of the source in site-packages; owner: its distribution, empty for the project.
        """
        modules: set[tuple[str, str]] = set()
        data: set[str] = set()
        for word in _WORD.finditer(source) if self.owners else ():
            start, end = word.span()
            start -= source[start - 1 : start] == b"_"
            name = source[start:end].decode()
            last = source[max(0, start - 1) : start]
            if last.isspace() or last in {b",", b"("}:
                package = _imported_from(source, start)
                if package is not None:
                    modules.add((_folder(package, path) + name, ""))
            elif last == b"." and not _is_aside(source, start):
                module = _MODULE.match(source, end)
                inside = module.group(1).decode(errors="replace") if module else ""
                suites = self._dotted(_before(source, start), name, path, owner)
                modules.update((suite, inside) for suite in suites)
            elif _is_piece(last, source[end : end + 1]) and not _is_aside(source, start):
                data.update(self._near(_before(source, start), name, path))
        return Wanted(
            modules=frozenset(one for one in modules if one[0] in self.owners),
            data=frozenset(data & self.owners.keys()),
        )

    def _dotted(self, before: bytes, name: str, path: str, owner: str) -> Iterator[str]:
        """`a.b.tests`, `..tests`, or the end of a text such as f"{package}.tests"."""
        match = _DOTTED.search(before)
        package = match.group() if match else b""
        rest = before[: len(before) - len(package)]
        earlier = rest[-1:]
        if earlier not in {b"}", *_QUOTES} and not _IMPORTING.search(rest):
            return  # in a sentence
        if earlier == b"}" or (earlier in _QUOTES and package[:1] in {b"", b"."}):
            yield from (suite for suite in self._all(name) if self.owners[suite] == owner)
        elif package[:1] in {b"", b"."}:
            # The dot before `name` is not in `package`.
            yield _folder(package + b"." if not package.strip(b".") else package, path) + name
        else:
            suite = _folder(package, path) + name
            yield suite
            if suite not in self.owners and earlier in _QUOTES:
                yield from self._beside(package.rpartition(b".")[2].decode(errors="replace"), name)

    def _near(self, before: bytes, name: str, path: str) -> Iterator[str]:
        """A path or a piece of one: from a folder above the source, or of the one just named."""
        folders = path.split("/")[:-1]
        yield from ("/".join([*folders[:count], name]) for count in range(1, len(folders) + 1))
        piece = _PIECE.search(before)
        if piece is not None:
            yield from self._beside(piece.group(1).decode(errors="replace"), name)

    def _beside(self, parent: str, name: str) -> Iterator[str]:
        ending = f"/{parent}/{name}"
        yield from (suite for suite in self._all(name) if f"/{suite}".endswith(ending))

    def _all(self, name: str) -> Iterator[str]:
        yield from (suite for suite in self.owners if suite.endswith(f"/{name}"))


def imports_beside(source: bytes) -> bool:
    """Whether a source imports from its own package, or works out what it imports."""
    return _RELATIVE.search(source) is not None


def _is_piece(last: bytes, following: bytes) -> bool:
    """Whether a word between these is a piece of a path."""
    return last in _PATH and following in (*_PATH, b"{")


def _before(source: bytes, start: int) -> bytes:
    """What stands before the character before a place."""
    return source[max(0, start - 1 - NEAR) : max(0, start - 1)]


def _is_aside(source: bytes, at: int) -> bool:
    """Whether a place is in a line that is a comment, or a doctest's."""
    return source[source.rfind(b"\n", 0, at) + 1 : at].lstrip().startswith(_NO_CODE)


def _imported_from(source: bytes, at: int) -> bytes | None:
    """The package in `from package import a, b, ` that ends at a place; None where none does."""
    head = source[max(0, at - FAR) : at]
    start = max(head.rfind(word) for word in _IMPORT)
    if start < 0:
        return None
    names = _COMMENT.sub(b"", head[start + len("import") :])
    if b"(" not in names and b"\n" in names.replace(b"\\\n", b""):
        return None
    if not _LISTED.fullmatch(names):
        return None
    package = _FROM.search(head[max(0, start - NEAR) : start])
    return package.group(1) if package else None


def _folder(package: bytes, path: str) -> str:
    """The folder of a package with a `/` after it; relative ones are seen from a source."""
    text = package.decode(errors="replace")
    name = text.lstrip(".")
    level = len(text) - len(name)
    folders = path.split("/")[:-1] if level else []
    climbed = folders[: max(0, len(folders) - level + 1)]
    return "".join(f"{part}/" for part in [*climbed, *filter(None, name.split("."))])
