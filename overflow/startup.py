"""Startup: which files a cold start imports, and for how long.

That is found out by importing the handler (rehearsal.py), or read from the sources.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from overflow.costs import INTERPRETER
from overflow.reading import Library, is_own
from overflow.runtime.manifest import VENDOR_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from overflow.handler import Handler
    from overflow.measure import Measurement
    from overflow.tree import Tree

READING = 64 * 1024 * 1024
"""Bytes of sources that are read in all; what is larger than the rest of them is taken to import
nothing. examples/large takes 42 MB and four seconds. It is no time, which differs with the load of
a machine: what is read decides what goes where."""

LARGEST = 1024 * 1024
"""Bytes of a source above which it is not read: those are tables, and import little."""

EXECUTING, COMPILING, LINKING = 30e-9, 112e-9, 0.8e-9
"""Estimates of seconds for each byte: of a source, to execute and compile it, and of a shared
object. examples/flask took 18, 112 and 0.7 ns with all that it asks for, boto3 22 and 113,
FastAPI with SQLAlchemy 42, 121 and 0.3, scikit-learn 37, 100 and 1.0: all on one machine."""

FINDING = 0.25e-3
"""The same of the overhead for each file: 0.2 ms with scikit-learn, 0.6 with boto3."""

NOT_WANTED = "what start-up imports was read and not run, as asked"


@dataclass(frozen=True, kw_only=True)
class Seconds:
    """What importing one file takes, without what it imports in turn."""

    execute: float
    """With its bytecode in place, or its shared object's linking."""
    compile: float
    """More, where there is no bytecode."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Files by their paths in a bundle where everything is vendored: `app.py`, `_vendor/x.py`."""

    start: Mapping[str, Seconds] = field(default_factory=dict)
    """Imported with the handler."""
    demand: Mapping[str, Seconds] = field(default_factory=dict)
    """Imported beside those by what the project's code asks for, when it is called maybe."""
    overhead: float = 0.0
    """Seconds of the start that are no file's: finding and reading, and the standard library."""
    interpreter: float = INTERPRETER
    """Seconds of CPU for Python and what Lambda's client imports: how fast that machine was."""
    recorded: frozenset[str] = frozenset()
    """Those of both that were imported here, if only in part; all others were read."""
    failed: frozenset[str] = frozenset()
    """Those of both whose execution came to no good end."""
    problem: str = ""
    """Why the handler could not be imported, in the app's own words."""
    note: str = ""
    """For people, where not all was recorded."""

    @property
    def seconds(self) -> float:
        """What the handler's import took, with bytecode in place."""
        return self.overhead + sum(one.execute for one in self.start.values())

    @cached_property
    def all(self) -> Mapping[str, Seconds]:
        """Both."""
        return {**self.start, **self.demand}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Whose start it is."""

    project: Tree
    measurement: Measurement
    handler: Handler

    @property
    def roots(self) -> list[str]:
        """The modules that a start imports by itself."""
        return [self.handler.module, *(n.replace("-", "_") for n in self.handler.adapters)]

    def library(self) -> Library:
        """Its modules, of whose sources READING bytes can be read."""
        sizes, left = self.sizes, READING

        def read(path: str) -> bytes | None:
            nonlocal left
            if sizes[path] > min(left, LARGEST):
                return None
            left -= sizes[path]
            return self.place(path).read_bytes()

        return Library(paths=sizes, read=read)

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Bytes of all files, by their paths in a bundle where everything is vendored."""
        installed = self.measurement.tree.sizes.items()
        return {**self.project.sizes, **{f"{VENDOR_FOLDER}/{path}": n for path, n in installed}}

    def place(self, path: str) -> Path:
        """Where such a file is now."""
        if is_own(path):
            return self.project.root / path
        return self.measurement.root / path.removeprefix(f"{VENDOR_FOLDER}/")

    def estimates(self, paths: Iterable[str]) -> dict[str, Seconds]:
        """What importing these files will take, by their sizes."""
        sizes = {path: self.sizes[path] for path in paths}
        return {
            path: Seconds(execute=size * EXECUTING, compile=size * COMPILING)
            if path.endswith(".py")
            else Seconds(execute=size * LINKING, compile=0.0)
            for path, size in sizes.items()
        }


def read_start(subject: Subject, why: str = NOT_WANTED) -> Recording:
    """What a start imports by its sources alone; `why` is the note."""
    library = subject.library()
    start = library.imported(subject.roots)
    demand = library.imported(sorted(library.demanded(subject.handler.module)), start)
    return Recording(
        start=subject.estimates(start),
        demand=subject.estimates(demand),
        overhead=len(start) * FINDING,
        note=why,
    )
