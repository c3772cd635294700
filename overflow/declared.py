"""Declared: the line of pyproject.toml or uv.lock on which a distribution stands.

TOML readers give no positions, so the lines are read as text: what annotations point at need not
be proven, and a name that is not found is simply not pointed at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from overflow.report import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

_TABLE = re.compile(r"\s*\[{1,2}([^\[\]]+)\]{1,2}")
_REQUIREMENT = re.compile(r"""["']\s*([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?=[\[(<>=!~;@"'\s])""")
_LOCKED = re.compile(r'name = "([^"]+)"')
_LINE_OF_REQUIREMENTS = re.compile(
    r"\s*([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:[\[(<>=!~;@#\s]|$)"
)

_ASKING = ("project", "project.optional-dependencies", "dependency-groups")
"""Tables of pyproject.toml in which requirements stand (PEP 621, PEP 735)."""


def places(pyproject: str, lock: str, *, lock_file: str) -> dict[str, Place]:
    """By normalised name: where pyproject.toml asks for it, else where the lock has it.

    lock_file: the lock's path relative to the project's folder.
    """
    found: dict[str, Place] = {}
    for name, line in _in_pyproject(pyproject):
        found.setdefault(name, Place(file="pyproject.toml", line=line))
    for name, line in _in_lock(lock):
        found.setdefault(name, Place(file=lock_file, line=line))
    return found


def places_in_requirements(text: str) -> dict[str, Place]:
    """The same of a requirements.txt."""
    found: dict[str, Place] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE_OF_REQUIREMENTS.match(line)
        if match:
            place = Place(file="requirements.txt", line=number)
            found.setdefault(canonicalize_name(match[1]), place)
    return found


def _in_pyproject(text: str) -> Iterator[tuple[str, int]]:
    table, in_dependencies = "", False
    for number, line in enumerate(text.splitlines(), 1):
        header = _TABLE.fullmatch(line.partition("#")[0].rstrip())
        if header:
            table, in_dependencies = header[1].strip(), False
            continue
        if table == "project" and re.match(r"\s*[\w-]+\s*=", line):
            in_dependencies = line.lstrip().startswith("dependencies")
        if table in _ASKING and (table != "project" or in_dependencies):
            for match in _REQUIREMENT.finditer(_without_comment(line)):
                yield canonicalize_name(match[1]), number


def _without_comment(line: str) -> str:
    return (
        line if "#" not in line else re.sub(r"""^((?:[^"'#]|"[^"]*"|'[^']*')*)#.*""", r"\1", line)
    )


def _in_lock(text: str) -> Iterator[tuple[str, int]]:
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        # uv writes the name as the first line of each [[package]].
        match = (
            _LOCKED.fullmatch(line) if number > 1 and lines[number - 2] == "[[package]]" else None
        )
        if match:
            yield canonicalize_name(match[1]), number
