"""The cold start of examples/flask: to the first answer, under AWS's own runtime client.

On tmpfs, pinned to one CPU, in turns: the origin's algorithm (`defer`: uv installs everything from
the index), `pack`, and the floor, which is what no size limit would allow: everything unpacked in
the bundle, with its bytecode. `warm` is a new process that finds /tmp as the one before left it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.build import EXAMPLE, TARGET, ToolMissing
from benchmarks.table import Bound, Outcome, table
from overflow.process import run
from overflow.pythons import find_python
from overflow.runtime.manifest import MANIFEST_FILE
from overflow.uv import Uv
from tests.support.events import http_api_v2
from tests.support.lambda_api import install_ric, run_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

TMPFS = Path("/dev/shm")

RATIO = 1.6
"""`pack` to the first answer, of the floor's time."""

DEFER, PACK, FLOOR = "defer (origin's algorithm)", "pack", "floor (no size limit)"
OPTIONS = {
    DEFER: ("--strategy", "defer"),
    PACK: ("--strategy", "pack"),
    FLOOR: ("--strategy", "pack", "--threshold-mb", "1000", "--limit-mb", "1000"),
}

Seconds = dict[str, dict[str, list[float]]]


def benchmark(runs: int, say: Callable[[str], None]) -> Outcome:
    """Start each bundle in turns, cold and warm, after one turn that is not counted."""
    if not TMPFS.is_dir():
        raise ToolMissing(f"the start is measured on {TMPFS}, which is not on this machine")
    uv = Uv.bundled(os.environ)
    python = find_python(TARGET, uv, os.environ)
    with tempfile.TemporaryDirectory(prefix="overflow-benchmark-", dir=TMPFS) as name:
        top = Path(name)
        ric = install_ric(Path(uv.binary), python, top / "ric")
        bundles = {key: _bundle(top / str(at), OPTIONS[key]) for at, key in enumerate(OPTIONS)}
        seconds: Seconds = {key: {"cold": [], "warm": []} for key in bundles}
        with _one_cpu():
            for turn in range(runs + 1):
                for key, bundle in bundles.items():
                    found = _start(bundle, python, ric)
                    say(f"{turn or 'warm-up'}: {key}: {found}")
                    if turn:
                        for kind, value in found.items():
                            seconds[key][kind].append(value)
    return Outcome(text=_text(seconds), bounds=_bounds(seconds), numbers={**seconds})


@contextmanager
def _one_cpu() -> Iterator[None]:
    """This process, and those that it starts meanwhile, on the last CPU that it may use."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _bundle(folder: Path, options: tuple[str, ...]) -> Path:
    """function.zip as Lambda unpacks it, with an overflow folder of its own on tmpfs."""
    folder.mkdir()
    shutil.copytree(EXAMPLE, folder / "project")
    command = [sys.executable, "-m", "overflow", "build", str(folder / "project"), *options]
    done = run(
        [*command, "--output", str(folder / "out")],
        folder=Path(__file__).parents[1],
        environment=os.environ,
    )
    if done.exit_code != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.errors}")
    task = folder / "task"
    with zipfile.ZipFile(folder / "out" / "function.zip") as archive:
        for info in archive.infolist():
            archive.extract(info, task)
            (task / info.filename).chmod(info.external_attr >> 16 & 0o777)
    shutil.rmtree(folder / "out")
    path = task / MANIFEST_FILE
    manifest = {**json.loads(path.read_text("utf-8")), "overflow_folder": str(folder / "overflow")}
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return task


def _start(bundle: Path, python: Path, ric: Path) -> dict[str, float]:
    shutil.rmtree(bundle.parent / "overflow", ignore_errors=True)
    found: dict[str, float] = {}
    for kind in ("cold", "warm"):
        done = run_bundle(bundle, [http_api_v2("/api/deps-check")], python=python, ric=ric)
        if not done.responses or done.responses[0].get("statusCode") != 200:
            raise RuntimeError(f"no answer:\n{done.log}")
        found[kind] = round(done.seconds_to_first_response, 3)
    return found


def _medians(seconds: Seconds) -> Mapping[str, Mapping[str, float]]:
    return {
        key: {kind: median(all_) for kind, all_ in each.items()} for key, each in seconds.items()
    }


def _bounds(seconds: Seconds) -> tuple[Bound, ...]:
    ratio = _medians(seconds)[PACK]["cold"] / _medians(seconds)[FLOOR]["cold"]
    return (Bound(what="pack: first answer / floor", measured=ratio, at_most=RATIO),)


def _text(seconds: Seconds) -> str:
    floor = _medians(seconds)[FLOOR]["cold"]
    rows = [
        (
            key,
            *(f"{value:.2f} s" for value in (min(each["cold"]), median(each["cold"]))),
            f"{max(each['cold']):.2f} s",
            f"{median(each['cold']) / floor:.2f}",
            f"{median(each['warm']):.2f} s",
        )
        for key, each in seconds.items()
    ]
    return table(("first answer, cold", "min", "median", "max", "of floor", "warm"), rows)
