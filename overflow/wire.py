"""Wire: report.json and fault.json as text, both ways.

Who reads them trusts nothing: a build runs other people's code, and an artifact may come from a
fork. What is not exactly as docs/report.schema.json says is refused.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from overflow.errors import InputFault
from overflow.limits import (
    LARGEST_REPORT,
    MEMORY_BASE_MB,
    MEMORY_MAXIMUM_MB,
    TMP_DEFAULT_MB,
    TMP_MAXIMUM_MB,
    Limits,
    in_megabytes,
)
from overflow.plan import Outcome, Strategy
from overflow.report import BUNDLE, ZIP, Failure, Function, Place, Report, Row, Sizes, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    T = TypeVar("T")
    Shape = str | tuple[int, int] | None

SCHEMA = 1
"""Version of report.json; its JSON schema is docs/report.schema.json."""

MOST_ROWS = 20_000
"""A report of more distributions is refused: five times those of the lock in limits.py."""

_ANY = ".*"
_COUNT = (0, 2**53 - 1)  # above it, not every reader of JSON has the same number
_LIMITS = ("threshold", "limit", "layers", "tmp")
_SIZES = (*"installed project vendored support bytecode packed bundle deferred unpacked".split(),)
_STEPS = frozenset("project lock install measure start plan installer bundle archive".split())

# All fields of each object: the regular expression that a text wholly matches, the least and the
# most that a whole number is, or None for what is read by itself.
_REPORT: Mapping[str, Shape] = {
    "schema": (SCHEMA, SCHEMA),
    **dict.fromkeys(("overflow_version", "project", "bound_by"), _ANY),
    "outcome": "|".join(one.value for one in Outcome),
    "exit_code": _COUNT,
    "strategy": "|".join(one.value for one in Strategy),
    **dict.fromkeys(("remedies", "warnings", "notes", "target", "function"), None),
    **dict.fromkeys(("limits", "sizes", "distributions", "artifact", "seconds"), None),
}
_TARGET: Mapping[str, Shape] = {
    "runtime": r"python3\.[0-9]+",
    "architecture": "x86_64|arm64",
    "glibc": r"[0-9]+\.[0-9]+",
}
_FUNCTION: Mapping[str, Shape] = {
    "handler": _ANY,
    "calls": _ANY,
    "interface": "function|wsgi|asgi|auto",
    "ephemeral_storage_mb": (TMP_DEFAULT_MB, TMP_MAXIMUM_MB),
    "memory_mb": (MEMORY_BASE_MB, MEMORY_MAXIMUM_MB),
}
_ROW: Mapping[str, Shape] = {
    **dict.fromkeys(("name", "version", "reason", "note"), _ANY),
    **dict.fromkeys(("bytes", "compressed_bytes"), _COUNT),
    "visibility": "public|private",
    "placement": "vendored|packed|deferred",
    "declared": None,
}
_PLACE: Mapping[str, Shape] = {"file": _ANY, "line": (1, _COUNT[1])}
_WRITTEN: Mapping[str, Shape] = {
    "bundle": BUNDLE,
    "bundle_bytes": _COUNT,
    "zip": re.escape(ZIP),
    "zip_bytes": _COUNT,
    "zip_sha256": "[0-9a-f]{64}",
}
_FAULT: Mapping[str, Shape] = {
    **dict.fromkeys(("code", "message", "hint", "details"), _ANY),
    "exit_code": _COUNT,
}


def to_json(report: Report) -> str:
    """report.json, as docs/report.schema.json describes it."""
    function, limits, sizes = report.function, report.limits, report.sizes
    content = {
        "schema": SCHEMA,
        "overflow_version": report.version,
        "project": report.project,
        "outcome": report.outcome.value,
        "exit_code": int(report.exit_code),
        "strategy": report.strategy,
        "bound_by": report.bound_by,
        "remedies": list(report.remedies),
        "warnings": list(report.warnings),
        "notes": list(report.notes),
        "target": {key: getattr(function, key) for key in _TARGET},
        "function": {key: getattr(function, key) for key in _FUNCTION},
        "limits": {f"{key}_bytes": getattr(limits, key) for key in _LIMITS},
        "sizes": {f"{key}_bytes": getattr(sizes, key) for key in _SIZES},
        "distributions": [_row(row) for row in report.rows],
        "artifact": _artifact(report.written),
        "seconds": {key: round(value, 3) for key, value in report.seconds.items()},
    }
    return json.dumps(content, indent=2) + "\n"


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "version": row.version,
        "bytes": row.size,
        "compressed_bytes": row.compressed,
        **{key: getattr(row, key) for key in ("visibility", "reason", "placement", "note")},
        "declared": vars(row.declared) if row.declared else None,
    }


def _artifact(written: Written | None) -> dict[str, Any] | None:
    if written is None:
        return None
    return {
        "bundle": BUNDLE,
        "bundle_bytes": written.bundle_bytes,
        "zip": ZIP,
        "zip_bytes": written.zip_bytes,
        "zip_sha256": written.zip_sha256,
    }


def failure_to_json(failure: Failure) -> str:
    """fault.json: why there is no report."""
    return json.dumps({"schema": SCHEMA, "fault": vars(failure)}, indent=2) + "\n"


def from_json(content: bytes) -> Report:
    """The report in these bytes; raises InputFault `report-invalid`."""
    top = read_fields(content)
    values = top.values(_REPORT)
    report = Report(
        version=values["overflow_version"],
        outcome=Outcome(values["outcome"]),
        **{key: values[key] for key in ("project", "strategy", "bound_by")},
        remedies=top.texts("remedies"),
        plan_warnings=top.texts("warnings"),
        notes=top.texts("notes"),
        function=Function(
            **top.inner("target").values(_TARGET), **top.inner("function").values(_FUNCTION)
        ),
        limits=Limits(**_read_bytes(top.inner("limits"), _LIMITS)),
        sizes=Sizes(**_read_bytes(top.inner("sizes"), _SIZES)),
        rows=top.each("distributions", _read_row, most=MOST_ROWS),
        written=_read_written(top.optional("artifact")),
        seconds=_read_seconds(top.inner("seconds")),
    )
    if values["exit_code"] != report.exit_code:
        raise _invalid(f"{top.where}exit_code: does not fit the outcome")
    return _without_its_own_warning(report)


def _without_its_own_warning(report: Report) -> Report:
    """The one on the upload, which to_json puts last, is made anew from the zip's size."""
    planned = report.plan_warnings
    own = replace(report, plan_warnings=()).warnings
    return replace(report, plan_warnings=planned[:-1]) if own and planned[-1:] == own else report


def failure_from_json(content: bytes) -> Failure:
    """The failure in these bytes; raises InputFault `report-invalid`."""
    top = read_fields(content, "fault.json")
    top.values({"schema": (SCHEMA, SCHEMA), "fault": None})
    return Failure(**top.inner("fault").values(_FAULT))


def read_fields(content: bytes, file: str = "report.json") -> Fields:
    """The object in these bytes, for reading; raises InputFault `report-invalid`."""
    if len(content) > LARGEST_REPORT:
        raise _invalid(f"{file}: larger than {in_megabytes(LARGEST_REPORT)}")
    try:
        mapping = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"{file}: not JSON") from error
    if not isinstance(mapping, dict):
        raise _invalid(f"{file}: expected an object")
    top = Fields(mapping=mapping, where=f"{file}: ")
    top.count("schema", SCHEMA, SCHEMA)
    return top


def _refuse_constant(name: str) -> None:
    """Python's reader takes NaN and Infinity, which are not JSON."""
    raise ValueError(name)


def _read_bytes(fields: Fields, names: tuple[str, ...]) -> dict[str, int]:
    found = fields.values({f"{name}_bytes": _COUNT for name in names})
    return {name: found[f"{name}_bytes"] for name in names}


def _read_row(fields: Fields) -> Row:
    values = fields.values(_ROW)
    place = fields.optional("declared")
    declared = Place(**place.values(_PLACE)) if place else None
    size, compressed = values.pop("bytes"), values.pop("compressed_bytes")
    return Row(size=size, compressed=compressed, declared=declared, **values)


def _read_written(fields: Fields | None) -> Written | None:
    if fields is None:
        return None
    values = fields.values(_WRITTEN)
    return Written(**{key: values[key] for key in ("bundle_bytes", "zip_bytes", "zip_sha256")})


def _read_seconds(fields: Fields) -> Mapping[str, float]:
    for key, value in fields.mapping.items():
        if key not in _STEPS or type(value) not in {int, float} or value < 0:
            raise _invalid(f"{fields.where[:-1]}: expected steps' durations")
    return fields.mapping


@dataclass(frozen=True, kw_only=True)
class Fields:
    """An object of JSON, read field by field; what is not as expected raises InputFault."""

    mapping: Mapping[str, Any]
    where: str
    """File and path before a field's name, for messages."""

    def values(self, shapes: Mapping[str, Shape]) -> dict[str, Any]:
        """The texts and whole numbers, of an object that has none but these fields."""
        if not self.mapping.keys() <= shapes.keys():
            raise _invalid(f"{self.where}a field that is none of {', '.join(shapes)}")
        return {
            key: self.text(key, shape) if isinstance(shape, str) else self.count(key, *shape)
            for key, shape in shapes.items()
            if shape is not None
        }

    def text(self, key: str, pattern: str = _ANY) -> str:
        """A string that is wholly as the regular expression says."""
        value = self.mapping.get(key)
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.DOTALL):
            raise _invalid(f"{self.where}{key}: expected a string like {pattern}")
        # Half of a surrogate pair can stand in JSON, but in no output.
        return value.encode("utf-8", "backslashreplace").decode()

    def count(self, key: str, least: int = _COUNT[0], most: int = _COUNT[1]) -> int:
        """A whole number, not below `least` and not above `most`."""
        value = self.mapping.get(key)
        if type(value) is not int or not least <= value <= most:
            raise _invalid(f"{self.where}{key}: expected a whole number from {least} to {most}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        items = self._items(key)
        return tuple(items.text(item) for item in items.mapping)

    def inner(self, key: str) -> Fields:
        """An object."""
        value = self.mapping.get(key)
        if not isinstance(value, dict):
            raise _invalid(f"{self.where}{key}: expected an object")
        return Fields(mapping=value, where=f"{self.where}{key}.")

    def optional(self, key: str) -> Fields | None:
        """An object, or null; not nothing at all."""
        return None if self.mapping.get(key, ...) is None else self.inner(key)

    def each(self, key: str, read: Callable[[Fields], T], *, most: int) -> tuple[T, ...]:
        """A list of so many objects at most, each as `read` reads it."""
        items = self._items(key)
        if len(items.mapping) > most:
            raise _invalid(f"{self.where}{key}: more than {most:,}")
        return tuple(read(items.inner(item)) for item in items.mapping)

    def _items(self, key: str) -> Fields:
        """A list, as an object whose fields are called `key[0]` and so on."""
        value = self.mapping.get(key)
        if not isinstance(value, list):
            raise _invalid(f"{self.where}{key}: expected a list")
        return replace(self, mapping={f"{key}[{at}]": one for at, one in enumerate(value)})


def _invalid(what: str) -> InputFault:
    return InputFault(
        "report-invalid",
        what,
        hint="it must be one that this version of overflow wrote",
    )
