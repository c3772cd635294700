"""Declared: the line of pyproject.toml or uv.lock on which a distribution stands.

TOML readers give no positions, so its strings are looked for in the text. What annotations point
at need not be proven: a name that is not found is simply not pointed at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from overflow.report import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"\s*([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)(?=[\[(<>=!~;@\s]|$)", re.ASCII)
"""The name that a requirement begins with (PEP 508)."""
_LOCKED = re.compile(r'name = "([^"]+)"')
_LINE_OF_REQUIREMENTS = re.compile(
    r"\s*([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:[\[(<>=!~;@#\s]|$)"
)

# All of it matches wherever it begins, so nothing is tried twice: a string need not end.
_TOKEN = re.compile(
    r'''
    (?P<comment> \#[^\n]* )
    | (?P<string>
        """(?:[^"\\]+|\\[\s\S]|"(?!""))*(?:"{3,5})?
        | \'\'\'(?:[^']+|'(?!\'\'))*(?:'{3,5})?
        | "(?:[^"\\\n]+|\\.)*"?
        | '[^'\n]*'?
    )
    | (?P<bare> [A-Za-z0-9_-]+ )
    | (?P<mark> [\[\]{}=,\n] )
    ''',
    re.VERBOSE,
)
_DEEPEST = 5
"""Keys that are kept of a path: one more than any path of a requirement has."""


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
    for path, string, line in _Strings(text).read():
        match = _NAME.match(string) if _asks(path) else None
        if match:
            yield canonicalize_name(match[1]), line


def _asks(path: tuple[str, ...]) -> bool:
    """Whether the strings there are requirements (PEP 621, PEP 735)."""
    match path:
        case ("project", "dependencies", "[]"):
            return True
        case ("project", "optional-dependencies", _, "[]") | ("dependency-groups", _, "[]"):
            return True
    return False


class _Strings:
    """The strings of a TOML document that are values, in linear time; any text is read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._table: tuple[str, ...] = ()
        self._path: tuple[str, ...] = ()
        """Of the value that is being read: its keys, and `[]` for each array that it is in."""
        self._open: list[tuple[str, tuple[str, ...]]] = []
        """The brackets that are open, and the path outside each."""
        self._key: list[str] | None = []
        """The words of the key, or of the table's name, so far; None while a value is read."""
        self._in_header = False

    def read(self) -> Iterator[tuple[tuple[str, ...], str, int]]:
        """The path, the text between the quotes and the line of each."""
        line = 1
        for token in _TOKEN.finditer(self._text):
            text = token[0]
            if token.lastgroup == "mark":
                self._mark(text)
            elif token.lastgroup != "comment" and self._key is not None:
                self._key.append(text.strip("\"'"))
            elif token.lastgroup == "string":
                yield self._path, text.strip("\"'"), line
            line += text.count("\n")

    def _mark(self, mark: str) -> None:
        if mark == "\n":
            if not self._open:
                self._key, self._in_header = [], False
        elif self._in_header:
            if mark == "]":
                self._table, self._in_header = tuple(self._key or ())[:_DEEPEST], False
        elif mark == "[" and self._key == [] and not self._open:
            self._in_header = True
        elif mark == "=" and self._key is not None:
            outer = self._open[-1][1] if self._open else self._table
            self._path, self._key = (*outer, *self._key[:_DEEPEST])[:_DEEPEST], None
        elif mark in "[{":
            self._open.append((mark, self._path))
            self._path = (*self._path, "[]")[:_DEEPEST] if mark == "[" else self._path
            self._key = [] if mark == "{" else None
        elif mark == ",":
            self._key = [] if self._open and self._open[-1][0] == "{" else None
        elif self._open:
            self._path, self._key = self._open.pop()[1], None


def _in_lock(text: str) -> Iterator[tuple[str, int]]:
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        # uv writes the name as the first line of each [[package]].
        match = (
            _LOCKED.fullmatch(line) if number > 1 and lines[number - 2] == "[[package]]" else None
        )
        if match:
            yield canonicalize_name(match[1]), number
