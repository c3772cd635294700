"""Trim: what a bundle can do without, as rules and values.

`safe` takes what no running function reads: what type checkers and compilers do, and tests that
nothing outside of them asks for. `aggressive` also takes symbols out of shared objects.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


class Level(str, Enum):
    """How much goes."""

    NONE = "none"
    SAFE = "safe"
    AGGRESSIVE = "aggressive"


class Kind(str, Enum):
    """What it is that goes, as people read it."""

    TESTS = "tests"
    STUBS = "type stubs"
    HEADERS = "C headers"
    SOURCES = "native sources"
    LIBRARIES = "static libraries"
    BUILD = "build files"
    CACHES = "caches"
    SYMBOLS = "symbols"


FOR_COMPILERS = frozenset({Kind.HEADERS, Kind.SOURCES, Kind.BUILD})
"""Kinds that only a compiler has a use for, which Lambda's Pythons have none of."""

BRING_COMPILERS = frozenset(
    "clang cppyy cppyy-backend cppyy-cling cpycppyy pocl-binary-distribution pyopencl tinycc"
    " warp-lang ziglang".split()
)
"""Distributions that compile at run time with what they carry: headers are their data."""

ENDINGS = {
    Kind.STUBS: "pyi",
    Kind.HEADERS: "h hh hpp hxx cuh pxd pxi",
    Kind.SOURCES: "c cc cpp cxx cu f f90 pyx",
    Kind.LIBRARIES: "a",
    Kind.BUILD: "cmake pc",
}
KIND_BY_ENDING = {ending: kind for kind, text in ENDINGS.items() for ending in text.split()}

BUILD_NAMES = frozenset({"CMakeLists.txt", "meson.build"})

CACHES = frozenset(
    {
        "__pycache__",
        ".hypothesis",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
    }
)
"""Folders that tools leave behind, and wheels carry by mistake."""


def kind_of(path: str) -> Kind | None:
    """What a distribution's file is by its path; None for what stays. Tests: see suites.py."""
    *folders, name = path.split("/")
    if any(folder.endswith(".dist-info") for folder in folders[:1]):
        return None
    if not CACHES.isdisjoint(folders) or name == ".DS_Store":
        return Kind.CACHES
    if name in BUILD_NAMES:
        return Kind.BUILD
    stem, _, ending = name.rpartition(".")
    kind = KIND_BY_ENDING.get(ending) if stem else None
    # Elsewhere `.pc` is anything; `.a` is looked into before it goes.
    return None if ending == "pc" and "pkgconfig" not in folders else kind


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What went of one distribution, of one kind."""

    name: str
    kind: str
    """A Kind's value."""
    files: int
    size: int
    """Bytes that the bundle is spared."""


@dataclass(frozen=True, kw_only=True)
class Trimmed:
    """All that went."""

    level: Level
    cuts: tuple[Cut, ...] = ()
    """The largest first."""

    @property
    def size(self) -> int:
        """Bytes, of all."""
        return sum(cut.size for cut in self.cuts)

    @property
    def files(self) -> int:
        """How many files went, or became smaller."""
        return sum(cut.files for cut in self.cuts)

    def without(self, names: Collection[str]) -> Trimmed:
        """What went of others than these distributions."""
        return replace(self, cuts=tuple(cut for cut in self.cuts if cut.name not in names))


NOTHING = Trimmed(level=Level.NONE)


def cuts_of(parts: Iterable[tuple[str, Kind, int]]) -> tuple[Cut, ...]:
    """Sums of single files: the distribution, what the file is, and the bytes that went."""
    sums: dict[tuple[str, Kind], list[int]] = defaultdict(list)
    for name, kind, size in parts:
        sums[name, kind].append(size)
    cuts = (
        Cut(name=name, kind=kind.value, files=len(sizes), size=sum(sizes))
        for (name, kind), sizes in sums.items()
    )
    return tuple(sorted(cuts, key=lambda cut: (-cut.size, cut.name, cut.kind)))
