"""Pythons: the interpreter on this machine that stands in for the target's."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.errors import InputFault
from overflow.limits import RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from overflow.target import Target
    from overflow.uv import Uv


def find_python(target: Target, uv: Uv, environ: Mapping[str, str]) -> Path:
    """A CPython of the target's version: ours, one of pyenv's, a runner's, or one that uv finds.

    pyenv's folders are read directly, since its shims answer only for its chosen versions, and so
    is the tool cache of GitHub's runners, which is on no PATH.
    Raises InputFault `python-missing`.
    """
    if sys.version_info[:2] == target.python and sys.implementation.name == "cpython":
        return Path(sys.executable)
    found = {**_tool_cache(environ), **_pyenv(environ)}
    if target.python in found:
        return found[target.python]
    other = uv.find_python(target.version, Path.cwd())
    if other is not None:
        return Path(other)
    here = sorted({*found, sys.version_info[:2]} & set(RUNTIMES))
    raise InputFault(
        "python-missing",
        f"Python {target.version}, which the bundle is for, is not on this machine",
        hint=f"install it (`uv python install {target.version}`), or choose one that is here with"
        " --python: " + ", ".join(f"{major}.{minor}" for major, minor in here),
    )


def _pyenv(environ: Mapping[str, str]) -> dict[tuple[int, int], Path]:
    root = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME", "/"), ".pyenv"))
    return _newest((folder.name, folder / "bin" / "python") for folder in root.glob("versions/*"))


def _tool_cache(environ: Mapping[str, str]) -> dict[tuple[int, int], Path]:
    """Pythons as GitHub's images and actions/setup-python lay them out: Python/3.12.1/x64."""
    root = environ.get("RUNNER_TOOL_CACHE")
    folders = Path(root).glob("Python/*/x64" if _is_x64() else "Python/*/arm64") if root else ()
    return _newest((folder.parent.name, folder / "bin" / "python") for folder in folders)


def _is_x64() -> bool:
    return platform.machine().lower() in {"x86_64", "amd64"}


def _newest(candidates: Iterable[tuple[str, Path]]) -> dict[tuple[int, int], Path]:
    """The newest patch of each version that can be run."""
    found: dict[tuple[int, int], tuple[int, Path]] = {}
    for name, python in candidates:
        match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", name)
        if match and os.access(python, os.X_OK):
            major, minor, patch = (int(part) for part in match.groups())
            known = found.get((major, minor))
            if known is None or known[0] < patch:
                found[major, minor] = patch, python
    return {version: python for version, (_, python) in found.items()}
