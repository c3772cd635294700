"""Excess: which files of an environment a bundle can do without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from overflow.mentions import imports_beside, named_files, reads_stubs
from overflow.suites import find_suites, suite_of
from overflow.trim import BRING_COMPILERS, FOR_COMPILERS, Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from overflow.measure import Distribution
    from overflow.mentions import Suites

SOURCES = (".py", ".pyx", "/entry_points.txt")
"""Endings of files that may name others: modules, those of compiled ones, and entry points."""

NOT_ASKED = ("/setup.py", "/conftest.py")
"""Endings of sources that only building and testing a distribution read."""

PYTHON = (".py", ".pyi", ".pyx", ".so")
"""Endings of modules."""

ARCHIVE = b"!<arch>\n"
"""A static library's first bytes. Circuit simulators' data is called `.a` and `.lib`, too."""


class Reader(Protocol):
    """Reads files."""

    def installed(self, path: str) -> bytes:
        """A file of site-packages."""

    def start(self, path: str) -> bytes:
        """The first bytes of one."""

    def project(self) -> Iterable[tuple[str, bytes]]:
        """The project's own sources, by path."""


def excess(
    distributions: Sequence[Distribution], *, own: str, reader: Reader
) -> dict[str, tuple[str, Kind]]:
    """The files that can go: whose each is, and what.

    own: the project's name. Its files stay, and so do those that no RECORD lists.
    """
    trimmable = {one.name for one in distributions if one.recorded and one.name != own}
    suites = find_suites(distributions, trimmable)
    kinds = {
        path: (one.name, kind)
        for one in distributions
        if one.name in trimmable
        for path in one.files
        if (kind := kind_of(path)) is not None
    }
    if not kinds and not suites.owners:
        return {}
    asked = _Asked(suites, {_name(path) for path in kinds})
    asked.read(distributions, reader)
    gone = {
        path: found for path, found in kinds.items() if asked.can_go(path, *found, reader=reader)
    }
    tests = {
        path: (one.name, Kind.TESTS)
        for one in distributions
        for path in one.files
        if asked.is_unused(path)
    }
    return {**gone, **tests}


class _Asked:
    """What sources ask for, of what could go."""

    def __init__(self, suites: Suites, names: Collection[str]) -> None:
        self._suites = suites
        self._names = names
        self._unused = set(suites.owners)
        """Suites that nobody imports."""
        self._read_from: set[str] = set()
        """Suites whose data is read."""
        self._within: dict[str, list[tuple[str, str]]] = {suite: [] for suite in suites.owners}
        """The sources of each."""
        self._seen: set[tuple[str, str]] = set()
        self._files: set[str] = set()
        self._stubs: set[str] = set()

    def read(self, distributions: Sequence[Distribution], reader: Reader) -> None:
        """Read each source that is in no suite, then those of suites that are imported.

        Last the stubs of those that read them to know what they import.
        """
        pending: list[tuple[str, str]] = []
        stubs: list[tuple[str, str]] = []
        for one in distributions:
            for path in one.files:
                if f"/{path}".endswith(SOURCES) and not f"/{path}".endswith(NOT_ASKED):
                    self._within.get(suite_of(path) or "", pending).append((path, one.name))
                elif path.endswith("/__init__.pyi") and suite_of(path) is None:
                    stubs.append((path, one.name))
        for path, source in reader.project():
            pending += self._take(source, path, "")
        self._follow(pending, reader)
        self._follow([one for one in stubs if one[1] in self._stubs], reader)

    def _follow(self, pending: list[tuple[str, str]], reader: Reader) -> None:
        """Read these sources, and those of suites that they import."""
        while pending:
            path, owner = pending.pop()
            pending += self._take(reader.installed(path), path, owner)

    def _take(self, source: bytes, path: str, owner: str) -> list[tuple[str, str]]:
        """Note what one source asks for; gives the sources of suites that it is the first to."""
        self._files |= named_files(source, self._names)
        if reads_stubs(source):
            self._stubs.add(owner)
        wanted = self._suites.wanted(source, path, owner)
        self._read_from |= wanted.data
        modules = set(wanted.modules)
        home = suite_of(path) or ""
        if home in self._within and imports_beside(source):
            modules.add((home, ""))
        self._unused -= {suite for suite, _ in modules}
        return [one for suite, inside in sorted(modules) for one in self._reached(suite, inside)]

    def _reached(self, suite: str, inside: str) -> Iterator[tuple[str, str]]:
        """The sources that importing a module of a suite takes, once each."""
        mine = ("__init__.py", f"{inside}.py", f"{inside}.pyx")
        for one in self._within[suite]:
            rest = one[0].removeprefix(f"{suite}/")
            is_meant = not inside or rest in mine or rest.startswith(f"{inside}/")
            if is_meant and one not in self._seen:
                self._seen.add(one)
                yield one

    def is_unused(self, path: str) -> bool:
        """Whether a file is of a suite that nobody imports, and no data that is read."""
        suite = suite_of(path) or ""
        if suite not in self._unused:
            return False
        return path.endswith(PYTHON) or suite not in self._read_from

    def can_go(self, path: str, owner: str, kind: Kind, *, reader: Reader) -> bool:
        """Whether a file that could go is asked for by nothing."""
        if kind is Kind.STUBS:
            return owner not in self._stubs
        if kind is Kind.LIBRARIES and reader.start(path) != ARCHIVE:
            return False
        if kind in FOR_COMPILERS and owner in BRING_COMPILERS:
            return False
        return kind is Kind.CACHES or _name(path) not in self._files


def _name(path: str) -> str:
    return path.rpartition("/")[2]
