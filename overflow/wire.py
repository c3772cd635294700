"""Wire: report.json and fault.json as text, both ways.

Who reads them trusts nothing: a build runs other people's code, and an artifact may come from a
fork. What is not exactly as docs/report.schema.json says is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from overflow.errors import InputFault
from overflow.limits import LARGEST_REPORT, Limits, in_megabytes
from overflow.plan import Outcome
from overflow.report import BUNDLE, ZIP, Failure, Function, Place, Report, Row, Sizes, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    T = TypeVar("T")

SCHEMA = 1
"""Version of report.json; its JSON schema is docs/report.schema.json."""

_SIZES = ("installed", "project", "vendored", "support", "bundle", "deferred")
_LIMITS = ("threshold", "limit", "layers", "tmp")
_ROW_TEXTS = ("name", "version", "visibility", "reason", "placement", "note")


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
        "target": {key: getattr(function, key) for key in ("runtime", "architecture", "glibc")},
        "function": {
            "handler": function.handler,
            "calls": function.calls,
            "interface": function.interface,
            "ephemeral_storage_mb": function.ephemeral_storage_mb,
            "memory_mb": function.memory_mb,
        },
        "limits": {f"{key}_bytes": getattr(limits, key) for key in _LIMITS},
        "sizes": {f"{key}_bytes": getattr(sizes, key) for key in _SIZES},
        "distributions": [_row(row) for row in report.rows],
        "artifact": _artifact(report.written),
        "seconds": {key: round(value, 3) for key, value in report.seconds.items()},
    }
    return json.dumps(content, indent=2) + "\n"


def _row(row: Row) -> dict[str, Any]:
    declared = row.declared
    return {
        "name": row.name,
        "version": row.version,
        "bytes": row.size,
        "visibility": row.visibility,
        "reason": row.reason,
        "placement": row.placement,
        "note": row.note,
        "declared": {"file": declared.file, "line": declared.line} if declared else None,
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
    limits, sizes = top.inner("limits"), top.inner("sizes")
    return Report(
        version=top.text("overflow_version"),
        project=top.text("project"),
        outcome=Outcome(top.one_of("outcome", *(one.value for one in Outcome))),
        strategy=top.text("strategy"),
        bound_by=top.text("bound_by"),
        remedies=top.texts("remedies"),
        # The one on the upload is made anew from the zip's size.
        plan_warnings=tuple(one for one in top.texts("warnings") if not one.startswith(f"{ZIP} ")),
        notes=top.texts("notes"),
        function=_function(top.inner("target"), top.inner("function")),
        limits=Limits(**{key: limits.count(f"{key}_bytes") for key in _LIMITS}),
        sizes=Sizes(**{key: sizes.count(f"{key}_bytes") for key in _SIZES}),
        rows=top.each("distributions", _read_row),
        written=_read_written(top.optional("artifact")),
        seconds={},
    )


def failure_from_json(content: bytes) -> Failure:
    """The failure in these bytes; raises InputFault `report-invalid`."""
    fault = read_fields(content, "fault.json").inner("fault")
    texts = {key: fault.text(key) for key in ("code", "message", "hint", "details")}
    return Failure(**texts, exit_code=fault.count("exit_code"))


def read_fields(content: bytes, file: str = "report.json") -> Fields:
    """The object in these bytes, for reading; raises InputFault `report-invalid`."""
    if len(content) > LARGEST_REPORT:
        raise _invalid(f"{file}: larger than {in_megabytes(LARGEST_REPORT)}")
    try:
        mapping = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"{file}: not JSON") from error
    if not isinstance(mapping, dict):
        raise _invalid(f"{file}: expected an object")
    top = Fields(mapping=mapping, where=f"{file}: ")
    if top.mapping.get("schema") != SCHEMA:
        raise _invalid(f"{file}: schema: expected {SCHEMA}")
    return top


def _function(target: Fields, function: Fields) -> Function:
    return Function(
        **{key: target.text(key) for key in ("runtime", "architecture", "glibc")},
        **{key: function.text(key) for key in ("handler", "calls", "interface")},
        ephemeral_storage_mb=function.count("ephemeral_storage_mb"),
        memory_mb=function.count("memory_mb"),
    )


def _read_row(fields: Fields) -> Row:
    fields.one_of("visibility", "public", "private")
    fields.one_of("placement", "vendored", "deferred")
    place = fields.optional("declared")
    return Row(
        **{key: fields.text(key) for key in _ROW_TEXTS},
        size=fields.count("bytes"),
        declared=Place(file=place.text("file"), line=place.count("line")) if place else None,
    )


def _read_written(fields: Fields | None) -> Written | None:
    if fields is None:
        return None
    sha256 = fields.text("zip_sha256")
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise _invalid(f"{fields.where}zip_sha256: expected 64 hexadecimal digits")
    return Written(
        bundle_bytes=fields.count("bundle_bytes"),
        zip_bytes=fields.count("zip_bytes"),
        zip_sha256=sha256,
    )


@dataclass(frozen=True, kw_only=True)
class Fields:
    """An object of JSON, read field by field; what is not as expected raises InputFault."""

    mapping: Mapping[str, Any]
    where: str
    """File and path before a field's name, for messages."""

    def text(self, key: str) -> str:
        """A string."""
        value = self.mapping.get(key)
        if not isinstance(value, str):
            raise _invalid(f"{self.where}{key}: expected a string")
        # Half of a surrogate pair can stand in JSON, but in no output.
        return value.encode("utf-8", "backslashreplace").decode()

    def one_of(self, key: str, *known: str) -> str:
        """A string out of a few."""
        value = self.text(key)
        if value not in known:
            raise _invalid(f"{self.where}{key}: expected one of {', '.join(known)}")
        return value

    def count(self, key: str) -> int:
        """A whole number that is not negative."""
        value = self.mapping.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
            raise _invalid(f"{self.where}{key}: expected a whole number")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        values = self._list(key)
        return tuple(
            Fields(mapping={f"{key}[{at}]": value}, where=self.where).text(f"{key}[{at}]")
            for at, value in enumerate(values)
        )

    def inner(self, key: str) -> Fields:
        """An object."""
        value = self.mapping.get(key)
        if not isinstance(value, dict):
            raise _invalid(f"{self.where}{key}: expected an object")
        return Fields(mapping=value, where=f"{self.where}{key}.")

    def optional(self, key: str) -> Fields | None:
        """An object, or null."""
        return None if self.mapping.get(key) is None else self.inner(key)

    def each(self, key: str, read: Callable[[Fields], T]) -> tuple[T, ...]:
        """A list of objects, each as `read` reads it."""
        items = {f"{key}[{at}]": value for at, value in enumerate(self._list(key))}
        fields = Fields(mapping=items, where=self.where)
        return tuple(read(fields.inner(item)) for item in items)

    def _list(self, key: str) -> list[Any]:
        value = self.mapping.get(key)
        if not isinstance(value, list):
            raise _invalid(f"{self.where}{key}: expected a list")
        return value


def _invalid(what: str) -> InputFault:
    return InputFault(
        "report-invalid",
        what,
        hint="it must be one that this version of overflow wrote",
    )
