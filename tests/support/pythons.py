"""Find the interpreters that tests run bundles with."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import uv


@functools.cache
def target_python(version: str = "3.12") -> Path:
    """An interpreter of that version that is no virtual environment's.

    Raises RuntimeError if there is none; none is downloaded.
    """
    for candidate in (_own(version), _from_pyenv(version), _from_uv(version)):
        if candidate is not None:
            return candidate
    raise RuntimeError(
        f"these tests need CPython {version}: install it with `uv python install {version}`, "
        f"with pyenv, or so that python{version} is on the PATH"
    )


def _own(version: str) -> Path | None:
    # Not sys.executable itself: a test's environment would lend its packages to the bundle.
    if _matches(".".join(map(str, sys.version_info[:3])), version):
        path = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
        return path if path.is_file() else None
    return None


def _from_pyenv(version: str) -> Path | None:
    root = os.environ.get("PYENV_ROOT")
    versions = (Path(root) if root else Path.home() / ".pyenv") / "versions"
    found = [
        path
        for path in versions.glob(f"{version}*/bin/python")
        if _matches(path.parts[-3], version) and path.is_file()
    ]
    return max(found, key=lambda path: _numbers(path.parts[-3]), default=None)


def _matches(found: str, version: str) -> bool:
    return f"{found}.".startswith(f"{version}.")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else -1 for part in version.split("."))


def _from_uv(version: str) -> Path | None:
    command = [uv.find_uv_bin(), "python", "find", "--system", "--no-project", version]
    found = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
    )
    return Path(found.stdout.strip()) if found.returncode == 0 and found.stdout.strip() else None
