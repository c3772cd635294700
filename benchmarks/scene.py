"""Scene: a folder on tmpfs in which bundles are built and started as Lambda starts them."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.build import TARGET, ToolMissing
from overflow.process import run
from overflow.pythons import find_python
from overflow.runtime.manifest import MANIFEST_FILE
from overflow.uv import Uv
from tests.support.events import http_api_v2
from tests.support.lambda_api import install_ric, run_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.app import App

TMPFS = Path("/dev/shm")
ROOT = Path(__file__).parents[1]

COMMON = ("--tmp-mb", "10240")
"""Options of every build: what /tmp may hold is no part of the comparison."""

PATIENCE = 180.0
"""Seconds after which a start is given up."""


class NoBundle(Exception):
    """A contender that gave no bundle, or one that does not answer; says why in one line."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What all builds and starts share."""

    top: Path
    uv: Uv
    python: Path
    ric: Path

    def run(self, command: Sequence[object], folder: Path, **more: str) -> str:
        """A program's standard output, with `more` in its environment. Raises NoBundle.

        command: each part as str() gives it, so paths and numbers as they are.
        """
        done = run(
            [str(part) for part in command], folder=folder, environment={**os.environ, **more}
        )
        if done.exit_code != 0:
            raise NoBundle(_reason(done.errors, done.output))
        return done.output


@dataclass(frozen=True, kw_only=True)
class Task:
    """A bundle as Lambda has unpacked it, in a folder of its own."""

    bundle: Path
    handler: str = "overflow_trampoline.handler"
    report: Mapping[str, Any] = field(default_factory=dict)
    """report.json, where overflow made it."""

    @property
    def tmp(self) -> Path:
        """The folder that stands in for /tmp."""
        return self.bundle.parent / "tmp"


@contextmanager
def scene() -> Iterator[Scene]:
    """A scene, which is removed at the end. Raises ToolMissing."""
    if not TMPFS.is_dir():
        raise ToolMissing(f"starts are measured on {TMPFS}, which is not on this machine")
    uv = Uv.bundled(os.environ)
    python = find_python(TARGET, uv, os.environ)
    with tempfile.TemporaryDirectory(prefix="overflow-benchmark-", dir=TMPFS) as name:
        ric = install_ric(Path(uv.binary), python, Path(name) / "ric")
        yield Scene(top=Path(name), uv=uv, python=python, ric=ric)


@contextmanager
def one_cpu() -> Iterator[None]:
    """This process, and those that it starts meanwhile, on the last CPU that it may use."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def build(scene: Scene, folder: Path, app: App, options: Sequence[str]) -> Task:
    """What overflow makes of an app in a new `folder`. Raises NoBundle."""
    folder.mkdir(parents=True)
    shutil.copytree(app.folder, folder / "project")
    command = [sys.executable, "-m", "overflow", "build", folder / "project", *COMMON, *options]
    out = folder / "out"
    scene.run([*command, "--handler", app.handler, "--output", out], ROOT)
    report = json.loads((out / "report.json").read_bytes())
    task = Task(bundle=folder / "task", report=report)
    unzip(out / "function.zip", task.bundle)
    shutil.rmtree(out)
    change_manifest(task, overflow_folder=str(task.tmp / "overflow"))
    return task


def unzip(archive: Path, folder: Path) -> None:
    """A zip as Lambda unpacks it, with its modes."""
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            opened.extract(info, folder)
            (folder / info.filename).chmod(info.external_attr >> 16 & 0o777)


def change_manifest(task: Task, **fields: str) -> None:
    """Set fields of a bundle's manifest."""
    path = task.bundle / MANIFEST_FILE
    content = {**json.loads(path.read_text("utf-8")), **fields}
    path.write_text(json.dumps(content), encoding="utf-8")


def empty_tmp(task: Task) -> None:
    """What a new execution environment has in /tmp."""
    shutil.rmtree(task.tmp, ignore_errors=True)
    task.tmp.mkdir()


def start(scene: Scene, task: Task, path: str) -> float:
    """Seconds from the start of the runtime client to the answer, 200. Raises NoBundle.

    /tmp is as the last start left it: `empty_tmp` makes the next one a cold start.
    """
    done = run_bundle(
        task.bundle,
        [http_api_v2(path)],
        python=scene.python,
        ric=scene.ric,
        handler=task.handler,
        env={"TMPDIR": str(task.tmp)},
        timeout=PATIENCE,
    )
    if not done.responses or done.responses[0].get("statusCode") != 200:
        raise NoBundle(_reason(done.log, str((done.init_error, done.errors, done.responses))))
    return round(done.seconds_to_first_response, 3)


def _reason(*texts: str) -> str:
    """The line that says most: an error's, else the last one."""
    lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
    errors = [
        line for line in lines if line.startswith(("error", "Too large")) or "Error: " in line
    ]
    return (errors or lines or ["it said nothing"])[-1][:300]
