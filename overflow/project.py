"""Project: what pyproject.toml says of itself (PEP 621), as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import rtoml
from packaging.utils import InvalidName, canonicalize_name

from overflow.errors import InputFault

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project's own words on what it is and what it may be asked for."""

    name: str
    """Normalised (PEP 503)."""
    requires_python: str | None
    extras: frozenset[str]
    groups: frozenset[str]


def parse_toml(text: bytes, file: str, code: str) -> dict[str, Any]:
    """TOML bytes as a mapping; raises InputFault `code` that names the file and the place."""
    try:
        return rtoml.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputFault(
            code,
            f"{file}: not UTF-8 (byte {error.start})",
            hint="save the file as UTF-8 text",
        ) from error
    except rtoml.TomlParsingError as error:
        raise InputFault(code, f"{file}: not valid TOML: {error}", hint=_toml_hint(file)) from error


def _toml_hint(file: str) -> str:
    if file == "uv.lock":
        return "the file may be cut off or hold a merge conflict: make it anew with `uv lock`"
    return "mend the file at the place named"


def parse_project(mapping: Mapping[str, Any]) -> Project:
    """The project that a pyproject.toml mapping describes; raises InputFault `pyproject-invalid`.

    A pyproject.toml without [project] (a virtual workspace root, say) cannot be bundled.
    """
    table = mapping.get("project")
    if table is None:
        raise _invalid(
            "has no [project] table",
            hint="add one (PEP 621), or name the workspace member to build",
        )
    if not isinstance(table, dict):
        raise _invalid("project: expected a table", hint="write it as [project]")
    requires_python = table.get("requires-python")
    if requires_python is not None and not isinstance(requires_python, str):
        raise _invalid(
            "project.requires-python: expected a string",
            hint='write it as in `requires-python = ">=3.12"`',
        )
    return Project(
        name=_name(table.get("name")),
        requires_python=requires_python,
        extras=_names(table.get("optional-dependencies"), "project.optional-dependencies"),
        groups=_names(mapping.get("dependency-groups"), "dependency-groups"),
    )


def check_selection(project: Project, *, extras: tuple[str, ...], groups: tuple[str, ...]) -> None:
    """Raise InputFault where an extra or group is asked for that the project does not have."""
    for kind, asked, known in (
        ("extra", extras, project.extras),
        ("group", groups, project.groups),
    ):
        for name in asked:
            if canonicalize_name(name) not in known:
                raise InputFault(
                    f"{kind}-unknown",
                    f"--{kind}: pyproject.toml has no {kind} {name!r}",
                    hint=f"known: {', '.join(sorted(known))}" if known else f"it has no {kind}s",
                )


def _invalid(what: str, *, hint: str) -> InputFault:
    return InputFault("pyproject-invalid", f"pyproject.toml: {what}", hint=hint)


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise _invalid("project.name: expected a string", hint='add `name = "..."` to [project]')
    try:
        return canonicalize_name(value, validate=True)
    except InvalidName as error:
        raise _invalid(
            f"project.name: {value!r} is not a valid name",
            hint="use letters, digits, `-`, `_` and `.` only (PEP 508)",
        ) from error


def _names(value: object, where: str) -> frozenset[str]:
    if value is None:
        return frozenset()
    if not isinstance(value, dict):
        raise _invalid(f"{where}: expected a table", hint=f"write it as [{where}]")
    return frozenset(canonicalize_name(name) for name in value)
