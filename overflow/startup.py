"""Startup: which files a cold start imports and for how long, found out by importing the handler.

It runs the project's code, as building its packages did; in a process of its own, without
network, with few variables, a HOME of its own and a time limit (recorder.py). An app may import
its packages only when it is called: so what its code asks for beyond start-up is read from the
sources (reading.py), and imported after the handler. What cannot be run is read, too.
"""

from __future__ import annotations

import json
import platform
import shutil
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overflow.identity import binary_of, identity
from overflow.process import LAMBDAS_OWN, PASSED_TO_APPS, Completed, run
from overflow.reading import Library, is_own
from overflow.resources import runtime_files
from overflow.runtime.manifest import VENDOR_FOLDER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from overflow.cache import Cache
    from overflow.handler import Handler
    from overflow.measure import Measurement
    from overflow.tree import Tree

PROGRAMS = tuple(map(Path(__file__).with_name, ("recorder.py", "watch.py", "isolation.py")))
"""What runs under the target's Python."""

SECONDS = 30
"""What a start may take: three times what Lambda gives an init (AWS Lambda: init phase)."""

PATIENCE = 10
"""Seconds more, after which it is killed: something keeps it from ending by itself."""

LONGEST = 3600.0
"""No file takes so many seconds."""

READING = 5.0
"""Seconds after which no more sources are read: the rest is taken not to be imported."""

EXECUTING, COMPILING, LINKING = 30e-9, 112e-9, 0.8e-9
"""Estimates of seconds for each byte: of a source, to execute and compile it, and of a shared
object. examples/flask took 18, 112 and 0.7 ns with all that it asks for, boto3 22 and 113,
FastAPI with SQLAlchemy 42, 121 and 0.3, scikit-learn 37, 100 and 1.0: all on one machine."""

FINDING = 0.25e-3
"""The same of the overhead for each file: 0.2 ms with scikit-learn, 0.6 with boto3."""

LONGEST_PROBLEM = 300
"""Characters of the app's own words in a note."""

NOT_HERE = "what start-up imports was read and not run: this machine cannot run what is for {}"
NOT_WANTED = "what start-up imports was read and not run, as asked"
NOT_KNOWN = "what start-up imports was read and not recorded: {}"
ENDED = "it ended with {}"
NOT_IMPORTED = "the handler could not be imported here, and what it imports was read, too: {}"

KIND = "recordings"
"""What the cache knows them as; beside them, the recorder keeps code that it has compiled."""


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
    failed: frozenset[str] = frozenset()
    """Those of both whose execution came to no good end."""
    problem: str = ""
    """Why the handler could not be imported, in the app's own words."""
    note: str = ""
    """For people, where not all was recorded."""

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
        """Its modules, for as long as there is time to read them."""
        end = time.monotonic() + READING
        sizes = self.sizes

        def read(path: str) -> bytes | None:
            place = self.place(path)
            return place.read_bytes() if path in sizes and time.monotonic() < end else None

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


def record(
    work: Path,
    *,
    subject: Subject,
    python: Path,
    machine: str,
    environ: Mapping[str, str],
    cache: Cache,
) -> Recording:
    """Import the handler, then what else is asked for, in a copy below the new folder `work`.

    python: one of the function's version; machine: what its packages are for (`x86_64`).
    Where the same was recorded before (identity() says what that is), nothing is run.
    """
    if machine != platform.machine():
        return read_start(subject, NOT_HERE.format(machine))
    folder = work.resolve()
    wanted = {
        "handler": subject.handler.name,
        "interface": subject.handler.interface,
        "modules": sorted(subject.library().demanded(subject.handler.module)),
        "seconds": SECONDS,
    }
    passed = {name: value for name, value in environ.items() if name in PASSED_TO_APPS}
    programs = [path.read_text(encoding="utf-8") for path in PROGRAMS]
    asked = [programs, wanted, passed, binary_of(python)]
    key = identity(subject.project, subject.measurement, asked)
    known = _heard(subject, cache.get(KIND, key) or b"")
    if known is not None:
        return known
    wanted |= _prepare(folder, subject, cache.place("code") or folder / "code")
    done = _run_recorder(python, wanted, folder, passed)
    said = output.read_bytes() if (output := folder / "imported.json").is_file() else b""
    heard = _heard(subject, said)
    if heard is None:
        problem = ENDED.format(done.exit_code)
        return replace(read_start(subject, NOT_KNOWN.format(problem)), problem=problem)
    if not heard.problem:
        cache.put(KIND, key, said)
    return heard


def _prepare(work: Path, subject: Subject, cache: Path) -> dict[str, str]:
    """Make what the recorder needs; gives where it is."""
    _copy(subject.project, work / "task")
    _write_runtime(work / "runtime" / "_overflow")
    for folder in (work / "home", work / "tmp", cache):
        folder.mkdir(parents=True, exist_ok=True)
    return {
        "root": str(work / "task"),
        "site": str(subject.measurement.root),
        "runtime": str(work / "runtime"),
        "cache": str(cache),
        "output": str(work / "imported.json"),
    }


def _run_recorder(
    python: Path, wanted: Mapping[str, object], work: Path, passed: Mapping[str, str]
) -> Completed:
    path = work / "wanted.json"
    path.write_text(json.dumps(wanted), encoding="utf-8")
    command = [str(python), "-I", "-S", "-B", str(PROGRAMS[0]), str(path)]
    environment = _environment(passed, work)
    return run(command, folder=work / "task", environment=environment, seconds=SECONDS + PATIENCE)


def _copy(project: Tree, folder: Path) -> None:
    folder.mkdir(parents=True)
    for path in project.sizes:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project.root / path, folder / path)


def _write_runtime(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, content in runtime_files().items():
        (folder / name).write_bytes(content)


def _environment(passed: Mapping[str, str], work: Path) -> dict[str, str]:
    own = {"HOME": str(work / "home"), "TMPDIR": str(work / "tmp")}
    return {**passed, **LAMBDAS_OWN, "LAMBDA_TASK_ROOT": str(work / "task"), **own}


def _heard(subject: Subject, content: bytes) -> Recording | None:
    """What the recorder wrote; the app could write there too, so it is read as a stranger's.

    None where it is damaged. Where the handler could not be imported, the rest is read.
    """
    try:
        said: Any = json.loads(content)
        start, demand = (_seconds(said[key], subject.sizes) for key in ("start", "demand"))
        overhead = _positive(said["overhead"])
        problem = str(said["problem"])[:LONGEST_PROBLEM]
        unfinished, failed = (frozenset(map(str, said[key])) for key in ("unfinished", "failed"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    found = Recording(start=start, demand=demand, overhead=overhead, failed=failed, problem=problem)
    return _filled(subject, found, unfinished) if problem else found


def _filled(subject: Subject, recording: Recording, unfinished: frozenset[str]) -> Recording:
    """With what the start would have gone on to import, by the sources.

    Some of that was imported after the start had failed: its seconds are measured ones.
    """
    library = subject.library()
    further = set(library.imported(subject.roots, recording.start.keys() - unfinished))
    start = {**subject.estimates(further), **recording.start}
    start |= {path: one for path, one in recording.demand.items() if path in further}
    demanded = library.demanded(subject.handler.module)
    demand = library.imported(sorted(demanded), start.keys() | recording.demand.keys())
    rest = {path: one for path, one in recording.demand.items() if path not in start}
    return replace(
        recording,
        start=start,
        demand={**subject.estimates(demand), **rest},
        overhead=recording.overhead + len(start.keys() - recording.start.keys()) * FINDING,
        note=NOT_IMPORTED.format(recording.problem),
    )


def _seconds(said: Any, known: Collection[str]) -> dict[str, Seconds]:
    pairs = {path: pair for path, pair in said.items() if path in known}
    return {
        path: Seconds(execute=_positive(execute), compile=_positive(compiling))
        for path, (execute, compiling) in pairs.items()
    }


def _positive(seconds: Any) -> float:
    number = float(seconds)
    if not 0 <= number < LONGEST:
        raise ValueError(number)
    return number
