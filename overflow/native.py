"""Native: overflow's own libraries on the runner, where a build runs without a container."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.errors import InputFault
from overflow.process import child_environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REQUIREMENTS = "requirements.txt"
"""Every library by hash, as uv.lock has them."""


def tools_python(action: Path, temp: str, environ: Mapping[str, str]) -> Path:
    """The interpreter of a virtual environment with our libraries, made where it is not there.

    It is kept in the runner's tool cache, which outlives the job on a self-hosted runner.
    Raises InputFault `tools-unavailable`.
    """
    requirements = action / REQUIREMENTS
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    digest = hashlib.sha256(requirements.read_bytes() + sys.executable.encode()).hexdigest()
    cache = Path(environ.get("RUNNER_TOOL_CACHE") or temp)
    place = (cache if os.access(cache, os.W_OK) else Path(temp)) / "overflow-tools"
    folder = place / f"{version}-{digest[:20]}"
    with _alone(place):  # another job of this machine may be at it
        if not (folder / "complete").exists():
            _make(folder, requirements, environ)
    return folder / "bin" / "python"


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # gone with its holder, however that ends
        yield


def _make(folder: Path, requirements: Path, environ: Mapping[str, str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    python = str(folder / "bin" / "python")
    uv = shutil.which("uv", path=environ.get("PATH"))
    if uv:
        commands = [[uv, "venv", "--quiet", "--no-config", "--python", sys.executable, str(folder)]]
        install = [uv, "pip", "install", "--quiet", "--no-config", "--python", python]
    else:
        commands = [[sys.executable, "-I", "-m", "venv", str(folder)]]
        install = [python, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        install += ["--no-deps", "--only-binary=:all:"]
    commands.append([*install, "--require-hashes", "--requirement", str(requirements)])
    environment = {**child_environment(environ), **_index_settings(environ)}
    for command in commands:
        done = run(command, folder=folder.parent, environment=environment)
        if done.exit_code != 0:
            raise InputFault(
                "tools-unavailable",
                "overflow's libraries cannot be installed on this runner",
                hint="it needs Python 3.10 or later with venv and pip, or uv, and a way to PyPI",
                details=(done.errors or done.output)[-4000:],
            )
    (folder / "complete").touch()


def _index_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """pip's own settings: a runner that reaches PyPI by a mirror has them."""
    return {name: value for name, value in environ.items() if name.startswith("PIP_")}
