"""Peer: package-python-function, the nearest there is on PyPI, on the same locked environment.

It zips an environment; where that is above the limit it puts the zip into another one, whose
loader unpacks all of it to /tmp at a cold start. The function must be in a package that is named
as the project, so the app's modules are put into one, with the adapter that overflow uses.
"""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from benchmarks.origin import ADAPT, vendor_adapter
from benchmarks.scene import Scene, Task, unzip

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.app import App

PEER = "package-python-function"
VERSION = "1.0.0"

PROJECT = '[project]\nname = "function"\nversion = "1"\n'
ENTRY = "{adapt}\nfrom .{module} import {attribute} as target\nhandler = adapt(target)\n"

SYNC = "sync --frozen --no-dev --no-install-project --quiet"


def build(scene: Scene, folder: Path, app: App) -> Task:
    """The peer's bundle in a new `folder`, unpacked as Lambda would. Raises NoBundle."""
    shutil.copytree(app.folder, folder / "project")
    venv, uv = folder / "venv", scene.uv.binary
    command = [uv, *SYNC.split(), "--python", scene.python]
    scene.run(command, folder / "project", UV_PROJECT_ENVIRONMENT=str(venv))
    (packages,) = venv.glob("lib/python*/site-packages")
    vendor_adapter(scene, packages, app.interface)
    _entry_package(packages / "function", app)
    (folder / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    tool = [uv, "tool", "run", "--quiet", "--python", sys.executable]
    tool += ["--from", f"{PEER}=={VERSION}", PEER]
    scene.run([*tool, venv, "--output", folder / "peer.zip"], folder, TMPDIR=str(folder))
    task = Task(bundle=folder / "task", handler="function.entry.handler")
    unzip(folder / "peer.zip", task.bundle)
    shutil.rmtree(venv)
    (folder / "peer.zip").unlink()
    return task


def _entry_package(package: Path, app: App) -> None:
    package.mkdir()
    (package / "__init__.py").touch()
    for source in app.folder.glob("*.py"):
        shutil.copy(source, package)
    text = ENTRY.format(adapt=ADAPT[app.interface], module=app.module, attribute=app.attribute)
    (package / "entry.py").write_text(text, encoding="utf-8")
