"""The build of examples/flask: overflow against the recipe of uv's own guide to AWS Lambda.

https://docs.astral.sh/uv/guides/integration/aws-lambda/ is the recipe, with the same uv and a
warm cache. Told to vendor everything, overflow does the same: that compares like with like, and
nothing is known of earlier builds. With `defer` its zip is small. `auto` is what it does by
default: the first time with nothing in its own cache, then again with all that a build left there.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.table import Bound, Outcome, table
from overflow.limits import MIB
from overflow.process import run
from overflow.pythons import find_python
from overflow.target import Target
from overflow.uv import Uv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TIME, ZIP, OWN = 0.4, 1.05, 0.5
"""Bounds: of the recipe's time, of the recipe's zip, and seconds of our own."""

EXAMPLE = Path(__file__).parents[1] / "examples" / "flask"
SOURCES = ("app.py",)
"""What of the example the recipe adds to the zip, beside the packages."""

TARGET = Target(python=(3, 12), architecture="x86_64")
RECIPE, VENDORED = "recipe of uv's guide", "overflow, all vendored"
DEFER, FIRST, AGAIN = "overflow, defer", "overflow, auto, first", "overflow, auto, again"
DEFERRED = ("--strategy", "defer")
VENDOR_ALL = (*DEFERRED, "--trim", "none", "--threshold-mb", "400", "--limit-mb", "400")
AUTO = ("--strategy", "auto")

RATIO, SECONDS = 2.0, 3.0
"""Bounds of `auto` again: of the time of `defer`, and in seconds."""

NOT_OURS = ("lock", "install", "archive", "proof")
"""Steps of report.json whose time is uv's, the compression's, or the app's that is started."""

OWN_EXPLAINED = """\
own steps: all of report.json's but lock, install, archive and proof
own: wall time less these four, so with the interpreter's start, reports and clean-up"""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One build."""

    seconds: float
    """Wall time, from the start of the (first) process to the end of the last."""
    zip_bytes: int
    parts: Mapping[str, float]
    """Seconds of each command (recipe) or step (overflow)."""

    @property
    def own_steps(self) -> float:
        """Seconds in overflow's steps that are neither uv, nor compression, nor the app."""
        return sum(value for key, value in self.parts.items() if key not in NOT_OURS)

    @property
    def own(self) -> float:
        """Those and all that no step counts: start-up, reports, moving into place, clean-up."""
        return self.seconds - sum(self.parts.get(key, 0.0) for key in NOT_OURS)


class ToolMissing(Exception):
    """A program that the benchmark needs is not on this machine."""


def benchmark(runs: int, say: Callable[[str], None]) -> Outcome:
    """Build in turns, `runs` times each, after one round that warms the caches."""
    contenders = _contenders(Uv.bundled(os.environ))
    done: dict[str, list[Run]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory(prefix="overflow-benchmark-") as top:
        for turn in range(runs + 1):
            for name, build in contenders.items():
                one = _fresh(build, Path(top))
                counted = f"{turn} of {runs}" if turn else "warm-up"
                say(f"{counted}: {name}: {one.seconds:.2f} s, {one.zip_bytes / MIB:.1f} MB")
                if turn:
                    done[name].append(one)
    return Outcome(
        text=_text(done),
        bounds=_bounds(done),
        numbers={name: [asdict(one) for one in each] for name, each in done.items()},
    )


def _contenders(uv: Uv) -> dict[str, Callable[[Path], Run]]:
    python = find_python(TARGET, uv, os.environ)
    archiver = shutil.which("zip")
    if archiver is None:
        raise ToolMissing("the recipe needs Info-ZIP's zip: `apt-get install zip` on Debian")
    return {
        RECIPE: lambda folder: _recipe(folder, uv, python, archiver),
        VENDORED: lambda folder: _ours(folder, uv, VENDOR_ALL, cache=folder / "cache"),
        DEFER: lambda folder: _ours(folder, uv, DEFERRED, cache=folder.parent / "defer"),
        FIRST: lambda folder: _ours(folder, uv, AUTO, cache=folder / "cache"),
        AGAIN: lambda folder: _ours(folder, uv, AUTO, cache=folder.parent / "auto"),
    }


def _fresh(build: Callable[[Path], Run], top: Path) -> Run:
    folder = Path(tempfile.mkdtemp(dir=top))
    shutil.copytree(EXAMPLE, folder / "project")
    # What an earlier build left to be written is not to slow this one. Nor is what was removed of
    # it: before a new file gets its place ext4 looks at all that went lately, half a millisecond
    # for each, which no build in a runner waits for. So folders stay till the end.
    os.sync()
    return build(folder)


def _recipe(folder: Path, uv: Uv, python: Path, archiver: str) -> Run:
    project, packages = folder / "project", folder / "project" / "packages"
    export = "export --frozen --no-dev --no-editable -o requirements.txt"
    install = "pip install --no-installer-metadata --no-compile-bytecode --only-binary :all:"
    install += " --python-platform x86_64-manylinux_2_28 --target packages -r requirements.txt"
    parts = {
        "export": _timed([uv.binary, *export.split()], project, uv.environment),
        "uv pip install": _timed(
            [uv.binary, *install.split(), "--python", str(python)], project, uv.environment
        ),
        "zip": _timed([archiver, "-qr", "../package.zip", "."], packages, uv.environment),
        "zip app": _timed([archiver, "-qr", "package.zip", *SOURCES], project, uv.environment),
    }
    size = (project / "package.zip").stat().st_size
    return Run(seconds=sum(parts.values()), zip_bytes=size, parts=parts)


def _ours(folder: Path, uv: Uv, options: Sequence[str], *, cache: Path) -> Run:
    """cache: overflow's own; uv's is where it always is."""
    command = [sys.executable, "-m", "overflow", "build", "project", "--output", "out"]
    uvs = run([uv.binary, "cache", "dir"], folder=folder, environment=uv.environment).output
    environment = _environment(folder.parent / "bytecode")
    environment |= {"XDG_CACHE_HOME": str(cache), "UV_CACHE_DIR": uvs.strip()}
    seconds = _timed([*command, *options], folder, environment)
    report = json.loads((folder / "out" / "report.json").read_bytes())
    size = (folder / "out" / "function.zip").stat().st_size
    return Run(seconds=seconds, zip_bytes=size, parts=report["seconds"])


def _environment(bytecode: Path) -> dict[str, str]:
    """Ours, without settings of overflow; its bytecode is kept from run to run.

    Machines that are told not to write any would compile every import at each start.
    """
    settings = ("OVERFLOW_", "VERCEL_", "MAXIMISE_", "PYTHON")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(settings)}
    return {**kept, "PYTHONPYCACHEPREFIX": str(bytecode)}


def _timed(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> float:
    started = time.perf_counter()
    completed = run(command, folder=folder, environment=environment)
    seconds = time.perf_counter() - started
    if completed.exit_code != 0:
        raise RuntimeError(f"{' '.join(command)}: {completed.errors}")
    return seconds


def _bounds(done: Mapping[str, Sequence[Run]]) -> tuple[Bound, ...]:
    seconds = {name: median(one.seconds for one in each) for name, each in done.items()}
    sizes = {name: median(one.zip_bytes for one in each) for name, each in done.items()}
    found: list[Bound] = []
    for name in (VENDORED, DEFER):
        time_ratio, zip_ratio = seconds[name] / seconds[RECIPE], sizes[name] / sizes[RECIPE]
        own = median(one.own for one in done[name])
        found.append(Bound(what=f"{name}: time / recipe", measured=time_ratio, at_most=TIME))
        found.append(Bound(what=f"{name}: zip / recipe", measured=zip_ratio, at_most=ZIP))
        found.append(Bound(what=f"{name}: own share", measured=own, at_most=OWN, unit=" s"))
    ratio = seconds[AGAIN] / seconds[DEFER]
    return (
        *found,
        Bound(what=f"{AGAIN}: time / defer", measured=ratio, at_most=RATIO),
        Bound(what=AGAIN, measured=seconds[AGAIN], at_most=SECONDS, unit=" s"),
    )


def _text(done: Mapping[str, Sequence[Run]]) -> str:
    header = ("build of examples/flask", "min", "median", "max", "ratio", "zip bytes", "ratio")
    return "\n\n".join(
        (
            table(header, [_row(name, each, done[RECIPE]) for name, each in done.items()]),
            table(("median seconds", "own steps", "own", "of"), _shares(done)),
            OWN_EXPLAINED,
        )
    )


def _row(name: str, each: Sequence[Run], recipe: Sequence[Run]) -> tuple[str, ...]:
    seconds = [one.seconds for one in each]
    size = median(one.zip_bytes for one in each)
    return (
        name,
        *(f"{value:.2f} s" for value in (min(seconds), median(seconds), max(seconds))),
        f"{median(seconds) / median(one.seconds for one in recipe):.3f}",
        f"{size:,.0f}",
        f"{size / median(one.zip_bytes for one in recipe):.3f}",
    )


def _shares(done: Mapping[str, Sequence[Run]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, each in done.items():
        parts = {key: median(one.parts[key] for one in each) for key in each[0].parts}
        listed = ", ".join(f"{key} {value:.2f}" for key, value in parts.items())
        own = [median(one.own_steps for one in each), median(one.own for one in each)]
        shares = ("", "") if name == RECIPE else (f"{own[0]:.2f}", f"{own[1]:.2f}")
        rows.append((name, *shares, listed))
    return rows
