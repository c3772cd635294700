"""Locking: pyproject.toml and uv.lock as they lie on disk, and the lock that uv makes.

Reads files and asks uv; what the files mean is the business of project.py and lockfile.py.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from overflow.errors import InputFault, UvFault
from overflow.limits import LARGEST_LOCK, LARGEST_PYPROJECT, in_megabytes
from overflow.lockfile import Lockfile, parse_lock
from overflow.project import Project, parse_project, parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from overflow.target import Target
    from overflow.uv import Uv

GENERATED_NAME = "requirements-txt"
GENERATED = """\
[project]
name = "requirements-txt"
version = "0"
requires-python = "=={version}.*"
dependencies = []

[tool.uv]
package = false
"""


@dataclass(frozen=True, kw_only=True)
class Locked:
    """A project that uv can sync: where its pyproject.toml is, and its lock."""

    folder: Path
    lock: Lockfile
    made: str = ""
    """What was made because it was not there, for people."""


def read_project(folder: Path) -> Project | None:
    """The project in `folder`; None where it has a requirements.txt and no pyproject.toml."""
    path = folder / "pyproject.toml"
    if not path.exists() and (folder / "requirements.txt").is_file():
        return None
    content = _read(path, LARGEST_PYPROJECT, "pyproject", "create it with `uv init`")
    return parse_project(parse_toml(content, "pyproject.toml", "pyproject-invalid"))


def read_pinned_python(folder: Path) -> str | None:
    """The text of the project's .python-version, if it has one."""
    path = folder / ".python-version"
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8", errors="replace").split()
    return lines[0] if lines else None


def lock_project(folder: Path, *, uv: Uv, python: Path) -> Locked:
    """The project's lock, checked; made with uv where there is none.

    Raises InputFault for a lock that is stale or cannot be read, UvFault where uv cannot make one.
    """
    path = find_lock(folder)
    if path is not None:
        lock = read_lock(path)
        uv.check_lock(folder, python)
        return Locked(folder=folder, lock=lock)
    uv.lock(folder, python)
    path = find_lock(folder)
    if path is None:
        raise UvFault("lock-failed", "uv made no uv.lock", hint="run `uv lock` to see why")
    made = "there was no uv.lock: made one with uv (commit it, and builds are repeatable)"
    return Locked(folder=folder, lock=read_lock(path), made=made)


@contextmanager
def lock_taken_back(folder: Path) -> Iterator[None]:
    """Removes at the end a uv.lock that was made meanwhile, for what must change nothing."""
    before = find_lock(folder)
    try:
        yield
    finally:
        made = find_lock(folder)
        if before is None and made is not None:
            made.unlink()


def requirements_project() -> Project:
    """What stands in for pyproject.toml where there is a requirements.txt only."""
    return Project(
        name=GENERATED_NAME, requires_python=None, extras=frozenset(), groups=frozenset()
    )


def lock_requirements(folder: Path, work: Path, uv: Uv, python: Path, target: Target) -> Locked:
    """A project around requirements.txt, made in `work` and locked there."""
    work.mkdir(parents=True)
    text = GENERATED.format(version=target.version)
    (work / "pyproject.toml").write_text(text, encoding="utf-8")
    uv.add_requirements(work, folder / "requirements.txt", python)
    return Locked(
        folder=work,
        lock=read_lock(work / "uv.lock"),
        made="there was no pyproject.toml: locked requirements.txt for this build",
    )


def find_lock(folder: Path) -> Path | None:
    """The project's uv.lock: beside its pyproject.toml, or that of the workspace it is in."""
    for place in (folder, *folder.parents):
        if (place / "uv.lock").is_file() and (place == folder or _is_workspace(place)):
            return place / "uv.lock"
    return None


def read_lock(path: Path) -> Lockfile:
    """The lock at `path`; raises InputFault."""
    content = _read(path, LARGEST_LOCK, "lock", "make it with `uv lock`")
    return parse_lock(parse_toml(content, "uv.lock", "lock-invalid"))


def _is_workspace(folder: Path) -> bool:
    path = folder / "pyproject.toml"
    if not path.is_file():
        return False
    content = _read(path, LARGEST_PYPROJECT, "pyproject", "")
    tool = parse_toml(content, str(path), "pyproject-invalid").get("tool")
    uv = tool.get("uv") if isinstance(tool, dict) else None
    return isinstance(uv, dict) and "workspace" in uv


def _read(path: Path, largest: int, kind: str, hint: str) -> bytes:
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > largest:
                raise InputFault(
                    f"{kind}-too-large",
                    f"{path.name}: {in_megabytes(size)}, at most {in_megabytes(largest)} is read",
                    hint="this is not what uv writes: make it anew",
                )
            return stream.read()
    except FileNotFoundError as error:
        raise InputFault(f"{kind}-missing", f"{path}: does not exist", hint=hint) from error
    except OSError as error:
        raise InputFault(
            "not-readable", f"{path}: cannot be read: {error.strerror}", hint="mend its rights"
        ) from error
