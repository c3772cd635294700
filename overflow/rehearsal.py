"""Rehearsal: a handler is imported as a cold start does, by the target's Python, and recorded.

It runs the project's code, as building its packages did; in a process of its own, without
network, with few variables, a HOME of its own and a time limit (recorder.py). An app may import
its packages only when it is called: so what its code asks for beyond start-up is read from the
sources (reading.py), and imported after the handler. What cannot be run is read, too.

A short start is rehearsed again: the first one finds files that no cache holds yet, and a machine
that builds is busy. Both make a start longer, and nothing makes it shorter than it is; so the
shortest counts.
"""

from __future__ import annotations

import json
import platform
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overflow.identity import binary_of, identity
from overflow.process import LAMBDAS_OWN, PASSED_TO_APPS, run
from overflow.proof import for_people
from overflow.resources import runtime_files
from overflow.startup import FINDING, Recording, Seconds, read_start

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from overflow.cache import Cache
    from overflow.startup import Subject

PROGRAMS = tuple(map(Path(__file__).with_name, ("recorder.py", "watch.py", "isolation.py")))
"""What runs under the target's Python."""

SECONDS = 30
"""What a start may take: three times what Lambda gives an init (AWS Lambda: init phase)."""

PATIENCE = 10
"""Seconds more, after which it is killed: something keeps it from ending by itself."""

SHORT = 2.0
"""Seconds up to which a start is rehearsed again: what disturbs a longer one is little of it."""

AGAIN = 2
"""How often."""

LONGEST = 3600.0
"""No file takes so many seconds."""

LONGEST_PROBLEM = 300
"""Characters of the app's own words in a note."""

NOT_HERE = "what start-up imports was read and not run: this machine cannot run what is for {}"
NOT_KNOWN = "what start-up imports was read and not recorded: {}"
ENDED = "it ended with {}"
NOT_IMPORTED = "the handler could not be imported here, and what it imports was read, too: {}"

FIRST = "first"
"""The folder of the first rehearsal, whose words are the ones that are told."""

KIND = "recordings"
"""What the cache knows them as; beside them, the recorder keeps code that it has compiled."""


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
    wanted = _wanted(subject)
    passed = {name: value for name, value in environ.items() if name in PASSED_TO_APPS}
    programs = [path.read_text(encoding="utf-8") for path in PROGRAMS]
    asked = [programs, wanted, passed, binary_of(python)]
    key = identity(subject.project, subject.measurement, asked)
    known = _shortest(subject, cache.get(KIND, key) or b"")
    if known is not None:
        return known
    stage = _Stage(folder=work.resolve(), python=python, passed=passed)
    stage.prepare(subject, cache.place("code"))
    exit_code, said = stage.rehearse(FIRST, wanted)
    heard = _heard(subject, said)
    if heard is None:
        problem = ENDED.format(exit_code)
        note = NOT_KNOWN.format(for_people(problem))
        return replace(read_start(subject, note), problem=problem)
    if heard.problem:
        return heard
    if heard.seconds <= SHORT:
        again = [stage.rehearse(f"again-{n}", {**wanted, "modules": []}) for n in range(AGAIN)]
        said = b"\n".join([said, *(more for _, more in again)])
    cache.put(KIND, key, said)
    return _shortest(subject, said) or heard


def _wanted(subject: Subject) -> dict[str, object]:
    """What the recorder is to import, and within how many seconds."""
    return {
        "handler": subject.handler.name,
        "interface": subject.handler.interface,
        "modules": sorted(subject.library().demanded(subject.handler.module)),
        "seconds": SECONDS,
    }


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """Where a start is rehearsed."""

    folder: Path
    """A new one, by its real path."""
    python: Path
    passed: Mapping[str, str]
    """The environment variables that the app sees beside its own."""
    _shared: dict[str, str] = field(default_factory=dict)

    def prepare(self, subject: Subject, cache: Path | None) -> None:
        """Make what all rehearsals share; cache: for code that is compiled."""
        project, runtime = subject.project, self.folder / "runtime" / "_overflow"
        task = self.folder / "task"
        task.mkdir(parents=True)  # a project may have no files of its own
        for path in project.sizes:
            (task / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(project.root / path, task / path)
        runtime.mkdir(parents=True)
        for name, content in runtime_files().items():
            (runtime / name).write_bytes(content)
        own = self.folder / "code"
        own.mkdir()
        self._shared.update(
            root=str(task),
            site=str(subject.measurement.root),
            runtime=str(runtime.parent),
            cache=str(cache or own),
        )

    def rehearse(self, name: str, wanted: Mapping[str, object]) -> tuple[int, bytes]:
        """The recorder's exit code, and what it wrote. name: a new folder for this one."""
        place = self.folder / name
        for folder in (place / "home", place / "tmp"):
            folder.mkdir(parents=True)
        output, path = place / "imported.json", place / "wanted.json"
        path.write_text(json.dumps({**wanted, **self._shared, "output": str(output)}), "utf-8")
        command = [str(self.python), "-I", "-S", "-B", str(PROGRAMS[0]), str(path)]
        done = run(
            command,
            folder=self.folder / "task",
            environment=self._environment(place),
            seconds=SECONDS + PATIENCE,
        )
        return done.exit_code, output.read_bytes() if output.is_file() else b""

    def _environment(self, place: Path) -> dict[str, str]:
        own = {"HOME": str(place / "home"), "TMPDIR": str(place / "tmp")}
        task = {"LAMBDA_TASK_ROOT": str(self.folder / "task")}
        return {**self.passed, **LAMBDAS_OWN, **task, **own}


def _shortest(subject: Subject, said: bytes) -> Recording | None:
    """The shortest of the rehearsals, each a line; None where the first is damaged.

    Only the first has what is asked for later. What a start imports is what the first has found:
    the others are there for their seconds.
    """
    first, *others = (_heard(subject, line) for line in said.split(b"\n"))
    if first is None:
        return None
    whole = (one for one in others if one is not None and not one.problem)
    alike = [first, *(one for one in whole if one.start.keys() == first.start.keys())]
    least = min(alike, key=lambda one: one.seconds)
    return replace(
        first,
        start=least.start,
        overhead=least.overhead,
        interpreter=min(one.interpreter for one in alike),
    )


def _heard(subject: Subject, content: bytes) -> Recording | None:
    """What the recorder wrote; the app could write there too, so it is read as a stranger's.

    None where it is damaged. Where the handler could not be imported, the rest is read.
    """
    try:
        said: Any = json.loads(content)
        start, demand = (_seconds(said[key], subject.sizes) for key in ("start", "demand"))
        overhead, interpreter = (_positive(said[key]) for key in ("overhead", "interpreter"))
        problem = str(said["problem"])[:LONGEST_PROBLEM]
        unfinished, failed = (frozenset(map(str, said[key])) for key in ("unfinished", "failed"))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    found = Recording(
        start=start,
        demand=demand,
        overhead=overhead,
        interpreter=interpreter,
        recorded=frozenset({*start, *demand}),
        failed=failed,
        problem=problem,
    )
    return _filled(subject, found, unfinished) if problem else found


def _filled(subject: Subject, recording: Recording, unfinished: frozenset[str]) -> Recording:
    """With what the start would have gone on to import, by the sources.

    Some of that was imported after the start had failed: its seconds are measured ones.
    """
    library = subject.library()
    found = library.imported(subject.roots, recording.start.keys() - unfinished)
    further = subject.estimates(found)
    start = {**further, **recording.start}
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
