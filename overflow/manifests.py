"""Manifests: a bundle's manifest, read field by field and without trust.

The runtime reads its own by from_json, which must stay small; here, what is wrong gets a name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from overflow.errors import InputFault
from overflow.fields import COUNT, read_fields
from overflow.limits import RUNTIMES, TMP_MAXIMUM_MB, megabytes
from overflow.provides import MODULE, NAMESPACE, PACKAGE
from overflow.runtime.manifest import (
    MANIFEST_FILE,
    OVERFLOW_FOLDER,
    SCHEMA,
    Deferred,
    Group,
    Manifest,
    Wheel,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overflow.fields import Fields, Shape

MOST = 20_000
"""A manifest of more groups, or a group of more wheels, is refused: five times those of a lock."""

URL = "(?i:https?)://.+"
HASH = "[0-9a-f]{64}"
IN_TMP = (0, megabytes(TMP_MAXIMUM_MB))

# All fields of each object, as in wire.py.
_MANIFEST: Mapping[str, Shape] = {
    "schema": (SCHEMA, SCHEMA),
    "build": HASH,
    "python": "|".join(f"{major}[.]{minor}" for major, minor in RUNTIMES),
    "handler": r"[^\s:/]+:[^\s:/]+",
    "interface": "function|wsgi|asgi|auto",
    "overflow_folder": re.escape(OVERFLOW_FOLDER),
    **dict.fromkeys(("deferred", "groups"), None),
}
_DEFERRED: Mapping[str, Shape] = {"size": IN_TMP, "indexes": None}
_GROUP: Mapping[str, Shape] = {
    "name": "[0-9]+-[a-z0-9-]+",
    "size": IN_TMP,
    "sha256": HASH,
    **dict.fromkeys(("wheels", "provides"), None),
}
_WHEEL: Mapping[str, Shape] = {"url": URL, "sha256": HASH, "size": COUNT}


def manifest_from_json(content: bytes) -> Manifest:
    """The manifest in these bytes. Raises InputFault `bundle-invalid`, which names the field."""
    try:
        top = read_fields(content, MANIFEST_FILE, schema=SCHEMA)
        values = top.values(_MANIFEST)
        del values["schema"]
        deferred = top.optional("deferred")
        return Manifest(
            **values,
            deferred=None if deferred is None else _read_deferred(deferred),
            groups=top.each("groups", _read_group, most=MOST),
        )
    except InputFault as fault:
        raise InputFault(
            "bundle-invalid",
            fault.message,
            hint="it is damaged, or of another version of overflow: build it again",
        ) from fault


def _read_deferred(fields: Fields) -> Deferred:
    values = fields.values(_DEFERRED)
    return Deferred(**values, indexes=fields.texts("indexes", URL))


def _read_group(fields: Fields) -> Group:
    values = fields.values(_GROUP)
    if "wheels" in fields.mapping:
        values["wheels"] = fields.each("wheels", _read_wheel, most=MOST)
    if "provides" in fields.mapping:
        names = fields.inner("provides")
        values["provides"] = names.values(
            dict.fromkeys(names.mapping, f"{PACKAGE}|{MODULE}|{NAMESPACE}")
        )
    return Group(**values)


def _read_wheel(fields: Fields) -> Wheel:
    return Wheel(**fields.values(_WHEEL))
