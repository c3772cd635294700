"""Manifest: the one contract between the build and the start of a bundle.

The build writes it as `_overflow/manifest.json`; the trampoline reads it before anything else.
Named tuples, and not dataclasses: those take 8 ms to import, at each start of each function.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

SCHEMA = 1
"""Raised when an older runtime package could misread a newer manifest."""

OVERFLOW_FOLDER = "/tmp/_vc_deps_overflow"
"""Where deferred distributions are installed; Vercel's Python runtime gave it the name."""

VENDOR_FOLDER = "_vendor"
MANIFEST_FILE = "_overflow/manifest.json"
REQUIREMENTS_FILE = "_uv/_runtime_requirements.txt"
INSTALLER_FILE = "_uv/uv"
PACKED_FOLDER = "_overflow/packed"


class Deferred(NamedTuple):
    """What is installed at cold start."""

    size: int
    """Bytes they take in /tmp once installed."""
    indexes: tuple[str, ...]
    """Public indexes beside uv's default one."""


class Packed(NamedTuple):
    """A group of distributions that is carried compressed and unpacked at cold start."""

    name: str
    """Its archive in PACKED_FOLDER, and its folder below the overflow folder."""
    size: int
    """Bytes it takes in /tmp."""
    sha256: str
    """Of the archive, in hexadecimal digits."""


class Manifest(NamedTuple):
    """One bundle, as its start needs to know it."""

    build: str
    """Identifies what is installed: two bundles with the same one can share an overflow."""
    python: str
    """`3.12`: the Python whose wheels are in the bundle."""
    handler: str
    """`package.module:attribute`."""
    interface: str
    """How to call it: `function`, `wsgi`, `asgi`, or `auto` (look at it once imported)."""
    overflow_folder: str = OVERFLOW_FOLDER
    deferred: Deferred | None = None
    packed: tuple[Packed, ...] = ()
    """At most one of the two: what is packed needs no installer."""


def to_json(manifest: Manifest) -> str:
    """The manifest as text, the same for the same manifest."""
    content = {"schema": SCHEMA, **manifest._asdict()}
    content["deferred"] = manifest.deferred and manifest.deferred._asdict()
    content["packed"] = [one._asdict() for one in manifest.packed]
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def from_json(text: str) -> Manifest:
    """The manifest in `text`. Raises ValueError for another schema or a missing field."""
    content: dict[str, Any] = json.loads(text)
    schema = content.pop("schema", None)
    if schema != SCHEMA:
        raise ValueError(f"manifest.json has schema {schema!r}, this runtime reads {SCHEMA}")
    deferred = content.pop("deferred", None)
    try:
        packed = tuple(Packed(**one) for one in content.pop("packed", ()))
        return Manifest(deferred=_deferred(deferred), packed=packed, **content)
    except TypeError as error:
        raise ValueError(f"manifest.json is not one of this runtime's: {error}") from error


def _deferred(content: dict[str, Any] | None) -> Deferred | None:
    if content is None:
        return None
    return Deferred(**{**content, "indexes": tuple(content.get("indexes", ()))})
