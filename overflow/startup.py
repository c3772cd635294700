"""Startup: which files a cold start imports, found out by importing the handler once.

It runs the project's code, as building its packages did; in a process of its own, without
network, with few variables, a HOME of its own and a time limit (recorder.py). An app may import
its packages only when it is called: so what the project's direct dependencies import is recorded
too, apart from it.
"""

from __future__ import annotations

import json
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overflow.process import Completed, run
from overflow.resources import runtime_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from overflow.handler import Handler
    from overflow.installation import Installed
    from overflow.measure import Distribution
    from overflow.tree import Tree

RECORDER = Path(__file__).with_name("recorder.py")

SECONDS = 30
"""What a start may take: three times what Lambda gives an init (AWS Lambda: init phase)."""

PATIENCE = 10
"""Seconds more, after which it is killed: something keeps it from ending by itself."""

LONGEST_PROBLEM = 300
"""Characters of the app's own words in a note."""

NOT_HERE = "what start-up imports is not known: this machine cannot run what is for {}"

PASSED_ON = frozenset("PATH LANG LC_ALL TZ LD_LIBRARY_PATH".split())
"""What the app sees of our environment: no token, no index's password."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Files by their paths in a bundle where everything is vendored: `app.py`, `_vendor/x.py`."""

    start: frozenset[str] = frozenset()
    """Imported with the handler."""
    demand: frozenset[str] = frozenset()
    """Imported by the project's direct dependencies beside those."""
    note: str = ""
    """For people, where the handler could not be imported."""

    @property
    def all(self) -> frozenset[str]:
        """Both."""
        return self.start | self.demand


def record(
    work: Path,
    *,
    installed: Installed,
    handler: Handler,
    modules: Collection[str],
    environ: Mapping[str, str],
) -> Recording:
    """Import the handler, then `modules`, in a copy of the project below the new folder `work`."""
    if installed.target.machine != platform.machine():
        return Recording(note=NOT_HERE.format(installed.target.machine))
    task, output = work.resolve() / "task", work.resolve() / "imported.json"
    _copy(installed.files.tree, task)
    _write_runtime(work / "runtime" / "_overflow")
    for name in ("home", "tmp"):
        (work / name).mkdir()
    wanted = {
        "root": str(task),
        "site": str(installed.site_packages.resolve()),
        "runtime": str(work.resolve() / "runtime"),
        "handler": handler.name,
        "interface": handler.interface,
        "modules": sorted(modules),
        "seconds": SECONDS,
        "output": str(output),
    }
    environment = _environment(environ, work.resolve(), task)
    done = _run_recorder(installed.python, wanted, folder=task, environment=environment)
    if not output.is_file():
        return Recording(note=f"what start-up imports is not known: it ended with {done.exit_code}")
    return _recording(output.read_bytes())


def _run_recorder(
    python: Path, wanted: Mapping[str, object], *, folder: Path, environment: Mapping[str, str]
) -> Completed:
    path = folder.parent / "wanted.json"
    path.write_text(json.dumps(wanted), encoding="utf-8")
    command = [str(python), "-I", "-S", "-B", str(RECORDER), str(path)]
    return run(command, folder=folder, environment=environment, seconds=SECONDS + PATIENCE)


def top_modules(distributions: Iterable[Distribution]) -> frozenset[str]:
    """What is imported of these, at the top level: the module of that name, or all there are."""
    return frozenset(name for one in distributions for name in _modules_of(one))


def _modules_of(distribution: Distribution) -> set[str]:
    found = {package for package in distribution.import_packages if "/" not in package}
    files = (path for path in distribution.files if path.endswith(".py") and "/" not in path)
    found |= {path.removesuffix(".py") for path in files}
    same = {name for name in found if name.lower() == distribution.name.replace("-", "_")}
    return same or {name for name in found if name.isidentifier() and not name.startswith("_")}


def _copy(project: Tree, folder: Path) -> None:
    folder.mkdir(parents=True)
    for path in project.sizes:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project.root / path, target)


def _write_runtime(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, content in runtime_files().items():
        (folder / name).write_bytes(content)


def _environment(environ: Mapping[str, str], work: Path, task: Path) -> dict[str, str]:
    passed = {name: value for name, value in environ.items() if name in PASSED_ON}
    # What every function finds set, and some libraries ask for when they are imported.
    lambdas = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    lambdas |= {"LAMBDA_TASK_ROOT": str(task), "AWS_LAMBDA_FUNCTION_NAME": "overflow"}
    return {**passed, **lambdas, "HOME": str(work / "home"), "TMPDIR": str(work / "tmp")}


def _recording(content: bytes) -> Recording:
    """What the recorder wrote; the app could write there too, so it is read as a stranger's."""
    try:
        said: Any = json.loads(content)
        start, both = (frozenset(map(str, said[key])) for key in ("start", "demand"))
        problem = str(said["problem"])[:LONGEST_PROBLEM]
    except (ValueError, KeyError, TypeError):
        return Recording(note="what start-up imports is not known: the record is damaged")
    note = f"the handler could not be imported here: {problem}" if problem else ""
    return Recording(start=start, demand=both - start, note=note)
