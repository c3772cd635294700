"""Fields: an object of JSON, read field by field and without trust."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from overflow.errors import InputFault
from overflow.limits import LARGEST_REPORT, in_megabytes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import TypeVar

    T = TypeVar("T")
    Shape = str | tuple[int, int] | None

SCHEMA = 1
"""Version of report.json (docs/report.schema.json) and of fault.json."""

ANY = ".*"
COUNT = (0, 2**53 - 1)  # above it, not every reader of JSON has the same number


def read_fields(content: bytes, file: str = "report.json", *, schema: int = SCHEMA) -> Fields:
    """The object in these bytes, for reading; raises InputFault `report-invalid`."""
    if len(content) > LARGEST_REPORT:
        raise invalid(f"{file}: larger than {in_megabytes(LARGEST_REPORT)}")
    try:
        mapping = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise invalid(f"{file}: not JSON") from error
    if not isinstance(mapping, dict):
        raise invalid(f"{file}: expected an object")
    top = Fields(mapping=mapping, where=f"{file}: ")
    top.count("schema", schema, schema)
    return top


def _refuse_constant(name: str) -> None:
    """Python's reader takes NaN and Infinity, which are not JSON."""
    raise ValueError(name)


@dataclass(frozen=True, kw_only=True)
class Fields:
    """An object of JSON, read field by field; what is not as expected raises InputFault."""

    mapping: Mapping[str, Any]
    where: str
    """File and path before a field's name, for messages."""

    def values(self, shapes: Mapping[str, Shape]) -> dict[str, Any]:
        """The texts and whole numbers, of an object that has none but these fields."""
        if not self.mapping.keys() <= shapes.keys():
            raise invalid(f"{self.where}a field that is none of {', '.join(shapes)}")
        return {
            key: self.text(key, shape) if isinstance(shape, str) else self.count(key, *shape)
            for key, shape in shapes.items()
            if shape is not None
        }

    def text(self, key: str, pattern: str = ANY) -> str:
        """A string that is wholly as the regular expression says."""
        value = self.mapping.get(key)
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.DOTALL):
            raise invalid(f"{self.where}{key}: expected a string like {pattern}")
        # Half of a surrogate pair can stand in JSON, but in no output.
        return value.encode("utf-8", "backslashreplace").decode()

    def count(self, key: str, least: int = COUNT[0], most: int = COUNT[1]) -> int:
        """A whole number, not below `least` and not above `most`."""
        value = self.mapping.get(key)
        if type(value) is not int or not least <= value <= most:
            wanted = f"a whole number from {least} to {most}" if least < most else str(least)
            raise invalid(f"{self.where}{key}: expected {wanted}")
        return value

    def durations(self, known: Collection[str]) -> Mapping[str, float]:
        """Numbers of seconds, of an object that has none but these fields."""
        for key, value in self.mapping.items():
            if key not in known or type(value) not in {int, float} or not 0 <= value < math.inf:
                raise invalid(f"{self.where[:-1]}: expected seconds for {', '.join(known)}")
        return self.mapping

    def all_durations(self, known: Collection[str]) -> Mapping[str, float]:
        """The same of an object that has each of them."""
        found = self.durations(known)
        if found.keys() != set(known):
            raise invalid(f"{self.where[:-1]}: expected {', '.join(known)}")
        return found

    def texts(self, key: str, pattern: str = ANY) -> tuple[str, ...]:
        """A list of strings that are wholly as the regular expression says."""
        items = self._items(key)
        return tuple(items.text(item, pattern) for item in items.mapping)

    def inner(self, key: str) -> Fields:
        """An object."""
        value = self.mapping.get(key)
        if not isinstance(value, dict):
            raise invalid(f"{self.where}{key}: expected an object")
        return Fields(mapping=value, where=f"{self.where}{key}.")

    def optional(self, key: str) -> Fields | None:
        """An object, or null; not nothing at all."""
        return None if self.mapping.get(key, ...) is None else self.inner(key)

    def each(self, key: str, read: Callable[[Fields], T], *, most: int) -> tuple[T, ...]:
        """A list of so many objects at most, each as `read` reads it."""
        items = self._items(key)
        if len(items.mapping) > most:
            raise invalid(f"{self.where}{key}: more than {most:,}")
        return tuple(read(items.inner(item)) for item in items.mapping)

    def _items(self, key: str) -> Fields:
        """A list, as an object whose fields are called `key[0]` and so on."""
        value = self.mapping.get(key)
        if not isinstance(value, list):
            raise invalid(f"{self.where}{key}: expected a list")
        return replace(self, mapping={f"{key}[{at}]": one for at, one in enumerate(value)})


def invalid(what: str) -> InputFault:
    """`report-invalid`: what is not as it must be, and where."""
    return InputFault(
        "report-invalid",
        what,
        hint="it must be one that this version of overflow wrote",
    )
