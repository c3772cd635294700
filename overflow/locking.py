"""Locking: pyproject.toml and uv.lock as they lie on disk, and the lock that uv makes.

Reads files and asks uv; what the files mean is the business of project.py and lockfile.py.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.declared import places, places_in_requirements
from overflow.errors import InputFault, UvFault
from overflow.limits import LARGEST_LOCK, LARGEST_PYPROJECT, in_megabytes
from overflow.lockfile import Lockfile, parse_lock
from overflow.project import Project, parse_project, parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from overflow.report import Place
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

MADE = "there was no uv.lock: made one with uv (commit it, and builds are repeatable)"
NOT_KEPT = "there is no uv.lock: this is of what uv would lock now (`uv lock` makes one to commit)"


@dataclass(frozen=True, kw_only=True)
class Locked:
    """A project that uv can sync: where its pyproject.toml is, and its lock."""

    folder: Path
    lock: Lockfile
    declared: Mapping[str, Place]
    """Where the files that people write or commit name a distribution."""
    made: str = ""
    """What was made because it was not there, for people."""


def read_project(folder: Path) -> Project | None:
    """The project in `folder`; None where a requirements.txt says what it needs."""
    path = folder / "pyproject.toml"
    if not path.exists() and (folder / "requirements.txt").is_file():
        return None
    content = _read(
        path,
        LARGEST_PYPROJECT,
        "pyproject",
        "name the project's folder (a workflow checks it out first), or create it: `uv init`",
    )
    mapping = parse_toml(content, "pyproject.toml", "pyproject-invalid")
    if "project" not in mapping and (folder / "requirements.txt").is_file():
        return None  # a pyproject.toml that holds the settings of tools only
    return parse_project(mapping)


def read_pinned_python(folder: Path) -> str | None:
    """The text of the project's .python-version, if it has one."""
    path = folder / ".python-version"
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8", errors="replace").split()
    return lines[0] if lines else None


def lock_project(folder: Path, *, uv: Uv, python: Path, kept: bool) -> Locked:
    """The project's lock, checked; made with uv where there is none. kept: whether that stays.

    Raises InputFault for a lock that is stale or cannot be read, UvFault where uv cannot make one.
    """
    path = find_lock(folder)
    if path is not None:
        lock = read_lock(path)
        uv.check_lock(folder, python)
        return Locked(folder=folder, lock=lock, declared=_declared(folder, path))
    uv.lock(folder, python)
    path = find_lock(folder)
    if path is None:
        raise UvFault("lock-failed", "uv made no uv.lock", hint="run `uv lock` to see why")
    made = MADE if kept else NOT_KEPT
    declared = _declared(folder, None)  # nobody can see a line of the lock that was made just now
    return Locked(folder=folder, lock=read_lock(path), declared=declared, made=made)


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
    requirements = folder / "requirements.txt"
    given = check_requirements(requirements)
    uv.add_requirements(work, requirements, python)
    lock = read_lock(work / "uv.lock")
    _check_hashes(lock, given)
    return Locked(
        folder=work,
        lock=lock,
        declared=places_in_requirements(_text(requirements)),
        made="there was no pyproject.toml: locked requirements.txt for this build",
    )


def _declared(folder: Path, lock: Path | None) -> Mapping[str, Place]:
    return places(
        _text(folder / "pyproject.toml"),
        "" if lock is None else _text(lock),
        lock_file="" if lock is None else Path(os.path.relpath(lock, folder)).as_posix(),
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def check_requirements(path: Path) -> frozenset[str]:
    """The sha256 hashes that a requirements file and those it names ask for.

    Raises InputFault `requirements-option` for a line that chooses an index: uv does not carry
    those over into a lock, and a distribution must not come from elsewhere than was asked.
    """
    hashes: set[str] = set()
    pending = [path]
    seen: set[Path] = set()
    while pending:
        file = pending.pop()
        seen.add(file)
        text = _read(file, LARGEST_PYPROJECT, "requirements", "mend the line that names it")
        hashes.update(re.findall(r"--hash[= ]sha256:([0-9a-f]{64})", text.decode(errors="replace")))
        for number, line in enumerate(text.decode(errors="replace").splitlines(), 1):
            option = re.match(r"\s*(-[a-zA-Z-]+)[= ]?\s*(\S*)", line)
            if option and option[1] in ("-r", "--requirement", "-c", "--constraint"):
                named = file.parent / option[2]
                pending += [named] if named not in seen else []
            elif option and option[1] not in ("-e", "--editable", "--hash"):
                raise InputFault(
                    "requirements-option",
                    f"{file.name}, line {number}: {option[1]} is not carried over into a lock",
                    hint="write a pyproject.toml instead, with [[tool.uv.index]] for an index",
                )
    return frozenset(hashes)


def _check_hashes(lock: Lockfile, given: frozenset[str]) -> None:
    """Where a requirements file has hashes, everything in the lock must be among them."""
    for package in lock.packages if given else ():
        for wheel in package.wheels:
            if wheel.sha256 not in given:
                raise InputFault(
                    "requirements-hash",
                    f"requirements.txt: {wheel.filename} has none of the hashes that are given",
                    hint="make the file anew with the tool that wrote it, or drop its hashes",
                )


def find_lock(folder: Path) -> Path | None:
    """The project's uv.lock: beside its pyproject.toml, or that of the workspace it is in."""
    for place in (folder, *folder.parents):
        if (place / "uv.lock").is_file() and (place == folder or _is_member(folder, place)):
            return place / "uv.lock"
    return None


def read_lock(path: Path) -> Lockfile:
    """The lock at `path`; raises InputFault."""
    content = _read(path, LARGEST_LOCK, "lock", "make it with `uv lock`")
    return parse_lock(parse_toml(content, "uv.lock", "lock-invalid"))


def _is_member(folder: Path, root: Path) -> bool:
    """Whether `root` is the root of a workspace that `folder` is a member of (uv's rules)."""
    path = root / "pyproject.toml"
    if not path.is_file():
        return False
    content = _read(path, LARGEST_PYPROJECT, "pyproject", "")
    table: object = parse_toml(content, str(path), "pyproject-invalid")
    for key in ("tool", "uv", "workspace"):
        table = table.get(key) if isinstance(table, dict) else None
    if not isinstance(table, dict):
        return False
    members, excluded = (_matched(root, table.get(key)) for key in ("members", "exclude"))
    return folder.resolve() in members - excluded


def _matched(root: Path, patterns: object) -> set[Path]:
    listed = patterns if isinstance(patterns, list) else []
    texts = [one for one in listed if isinstance(one, str) and one and not one.startswith("/")]
    return {path.resolve() for text in texts for path in root.glob(text)}


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
    except NotADirectoryError as error:
        said = f"{path.parent}: is a file, not a folder"
        raise InputFault(f"{kind}-missing", said, hint=hint) from error
    except FileNotFoundError as error:
        raise InputFault(f"{kind}-missing", f"{path}: does not exist", hint=hint) from error
    except OSError as error:
        raise InputFault(
            "not-readable", f"{path}: cannot be read: {error.strerror}", hint="mend its rights"
        ) from error
