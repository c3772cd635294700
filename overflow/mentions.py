"""Mentions: which test suites, and which files for compilers, a source asks for.

Read from its bytes: parsing each source of an environment would take a minute. It sees imports of
every form, dotted names at the start of a text, and paths, in pieces too; what it takes for one and
is none keeps what could go. Comments, doctests and names within sentences do not count. Who names
a suite as a module may import it; who names its path may read its data, and imports nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from overflow.places import NEAR, QUOTES, Source
from overflow.trim import KIND_BY_ENDING, Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from overflow.places import Place

SUITE_NAMES = frozenset({"test", "tests", "_test", "_tests"})
"""Folders that may be test suites."""

_RELATIVE = re.compile(rb"\bfrom\s*\.|import_module|__import__")
_IMPORTING = re.compile(rb"""(?:\b(?:from|import)|[=,:]|['"][^'"\n]*-m)[\s\\]*\Z""")
_DOTTED = re.compile(rb"[\w.]*\Z")

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


def imports_beside(source: bytes) -> bool:
    """Whether a source imports from its own package, or works out what it imports."""
    return _RELATIVE.search(source) is not None


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
    members: Mapping[str, frozenset[str]]
    """Names of what is directly in each, up to the first dot."""

    def wanted(self, source: bytes, path: str, owner: str) -> Wanted:
        """What a source may import or read.

        path: of the source in site-packages; owner: its distribution, empty for the project.
        """
        modules: set[tuple[str, str]] = set()
        data: set[str] = set()
        for place in Source(source, path, owner).places() if self.owners else ():
            modules.update(self._imported(place))
            if place.is_piece:
                data.update(self._read(place))
        return Wanted(
            modules=frozenset(one for one in modules if one[0] in self.owners),
            data=frozenset(data & self.owners.keys()),
        )

    def _imported(self, place: Place) -> Iterator[tuple[str, str]]:
        if place.is_listed:
            yield from ((suite, "") for suite in self._from(place))
        elif place.is_worked_out:
            yield from ((suite, place.inside) for suite in self._worked_out(place))
        elif place.last == b".":
            yield from ((suite, place.inside) for suite in self._dotted(place))
        elif place.is_in_from_list:
            yield from ((suite, "") for suite in self._read(place))
        elif place.is_exported:
            yield place.source.path.removesuffix("__init__.py") + place.name, ""
        if place.is_below:
            yield from ((suite, place.inside) for suite in self._below(place))

    def _from(self, place: Place) -> Iterator[str]:
        """`from package import tests`; in a text that is run, `from {package} import tests`."""
        package = place.imported_from
        if package is not None and _DOTTED.fullmatch(package):
            yield _folder(package, place.source.path) + place.name
        elif package is not None:
            yield from self._worked_out(place)

    def _dotted(self, place: Place) -> Iterator[str]:
        """`a.b.tests` or `..tests`."""
        match = _DOTTED.search(place.before)
        package = match.group() if match else b""
        rest = place.before[: len(place.before) - len(package)]
        is_text = rest[-1:] in QUOTES
        if not is_text and not _IMPORTING.search(rest):
            return  # in a sentence
        if not package.strip(b"."):
            package += b"."  # the one before the name
        suite = _folder(package, place.source.path) + place.name
        yield suite
        if is_text and suite not in self.owners:
            parent = package.rpartition(b".")[2].decode(errors="replace")
            yield from self._beside(parent, place.name)

    def _below(self, place: Place) -> Iterator[str]:
        """`tests.common` in a text: packages that import on demand have such names."""
        for suite in self._named(place.name):
            is_own = self.owners[suite] == place.source.owner
            if is_own and place.inside in self.members[suite]:
                yield suite

    def _read(self, place: Place) -> Iterator[str]:
        """A path or a piece of one: from a folder above the source, or of one that is named."""
        folders = place.source.path.split("/")[:-1]
        yield from ("/".join([*folders[:n], place.name]) for n in range(1, len(folders) + 1))
        yield from self._beside(place.parent, place.name)
        yield from self._named_near(place)

    def _worked_out(self, place: Place) -> Iterator[str]:
        """Below any package of the source's distribution; of all, where that is the project."""
        suites = self._named(place.name)
        yield from (one for one in suites if place.source.owner in {"", self.owners[one]})
        yield from self._named_near(place)

    def _named_near(self, place: Place) -> Iterator[str]:
        """Below a package that stands near in full: `import_module(".tests", "a.b")`."""
        words = place.words
        for parent in words:
            for suite in self._beside(parent, place.name):
                if words.issuperset(suite.split("/")):
                    yield suite

    def _beside(self, parent: str, name: str) -> Sequence[str]:
        return self._by_ending.get(f"{parent}/{name}", ())

    def _named(self, name: str) -> Sequence[str]:
        return self._by_ending.get(name, ())

    @cached_property
    def _by_ending(self) -> Mapping[str, Sequence[str]]:
        """The suites by name, and by parent and name: there may be hundreds."""
        found: dict[str, list[str]] = defaultdict(list)
        for suite in self.owners:
            *_, parent, name = suite.split("/")
            found[name].append(suite)
            found[f"{parent}/{name}"].append(suite)
        return found


def _folder(package: bytes, path: str) -> str:
    """The folder of a package with a `/` after it; relative ones are seen from a source."""
    text = package.decode(errors="replace")
    name = text.lstrip(".")
    level = len(text) - len(name)
    folders = path.split("/")[:-1] if level else []
    climbed = folders[: max(0, len(folders) - level + 1)]
    return "".join(f"{part}/" for part in [*climbed, *filter(None, name.split("."))])
