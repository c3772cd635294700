"""Origin: the algorithm that overflow's `defer` began as, in its first form, for reference.

Every public distribution leaves the bundle by name and version; at a cold start uv resolves and
installs them without a cache, no hash is asked for and no bytecode is there. `_vendor` holds what
is private and the support for the handler. One folder and one marker, which is written last.
"""

from __future__ import annotations

import shutil
from importlib.metadata import version
from typing import TYPE_CHECKING

from benchmarks.scene import Scene, Task

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.app import App

ADAPTERS = {"wsgi": "apig-wsgi", "asgi": "mangum"}
"""What makes a Lambda function of an app, by interface: the same ones that overflow uses."""

ADAPT = {
    "wsgi": "from apig_wsgi import make_lambda_handler as adapt",
    "asgi": "from mangum import Mangum as adapt",
    "function": "adapt = lambda function: function",
}

TRAMPOLINE = """\
import os, subprocess, sys, time

here, overflow = os.path.dirname(os.path.abspath(__file__)), {overflow!r}
if os.path.exists(overflow + "/.installed"):
    print("Using cached runtime dependencies")
else:
    print("Installing runtime dependencies...")
    began = time.time()
    command = [here + "/_uv/uv", "pip", "install", "--no-cache", "--no-config"]
    command += ["--only-binary=:all:", "--python", sys.executable, "--target", overflow]
    subprocess.run([*command, "-r", here + "/_uv/_runtime_requirements.txt"], check=True)
    print("Runtime dependencies installed in %.2fs" % (time.time() - began))
    open(overflow + "/.installed", "w").close()
sys.path[:0] = [overflow, here + "/_vendor"]

{adapt}
from {module} import {attribute} as target

handler = adapt(target)
"""

EXPORT = "export --frozen --no-dev --no-emit-project --no-hashes --no-annotate --no-header --quiet"


def build(scene: Scene, folder: Path, app: App) -> Task:
    """The bundle of the origin's algorithm in a new `folder`. Raises NoBundle."""
    task = Task(bundle=folder / "task")
    shutil.copytree(app.folder, task.bundle)
    (task.bundle / "_uv").mkdir()
    shutil.copy(scene.uv.binary, task.bundle / "_uv" / "uv")
    export = [scene.uv.binary, *EXPORT.split(), "--python", scene.python]
    scene.run([*export, "-o", "_uv/_runtime_requirements.txt"], task.bundle)
    (task.bundle / "_vendor").mkdir()
    vendor_adapter(scene, task.bundle / "_vendor", app.interface)
    text = TRAMPOLINE.format(
        overflow=str(task.tmp / "overflow"),
        adapt=ADAPT[app.interface],
        module=app.module,
        attribute=app.attribute,
    )
    (task.bundle / "overflow_trampoline.py").write_text(text, encoding="utf-8")
    return task


def vendor_adapter(scene: Scene, folder: Path, interface: str) -> None:
    """Install the adapter of an interface into `folder`; a function needs none."""
    name = ADAPTERS.get(interface)
    if name is not None:
        command = [scene.uv.binary, "pip", "install", "--quiet", "--no-deps", "--target", folder]
        scene.run([*command, "--python", scene.python, f"{name}=={version(name)}"], folder)
