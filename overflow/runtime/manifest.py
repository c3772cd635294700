"""Manifest: the one contract between the build and the start of a bundle.

The build writes it as `_overflow/manifest.json`; the trampoline reads it before anything else.
Named tuples, and not dataclasses: those take 8 ms to import, at each start of each function.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 2
"""Raised when an older runtime package could misread a newer manifest."""

OVERFLOW_FOLDER = "/tmp/_vc_deps_overflow"
"""Where deferred distributions are installed; Vercel's Python runtime gave it the name."""

VENDOR_FOLDER = "_vendor"
MANIFEST_FILE = "_overflow/manifest.json"
REQUIREMENTS_FILE = "_uv/_runtime_requirements.txt"
INSTALLER_FILE = "_uv/uv"
PACKED_FOLDER = "_overflow/packed"
INFO_FOLDER = "_overflow/info"
"""For each lazy group a folder with the dist-info folders of its distributions."""


class Deferred(NamedTuple):
    """What is installed at cold start."""

    size: int
    """Bytes they take in /tmp once installed."""
    indexes: tuple[str, ...]
    """Public indexes beside uv's default one."""


class Wheel(NamedTuple):
    """A wheel that is fetched by its URL alone, and checked by its hash."""

    url: str
    sha256: str
    """In hexadecimal digits."""
    size: int
    """Bytes of the file; 0 where the lock does not say."""


class Group(NamedTuple):
    """Distributions with a folder of their own in /tmp, unpacked or fetched together."""

    name: str
    """Its folder below the overflow folder, and its archive in PACKED_FOLDER if it has one."""
    size: int
    """Bytes it takes in /tmp."""
    sha256: str
    """In hexadecimal digits: of the archive, or of the wheels' hashes."""
    wheels: tuple[Wheel, ...] = ()
    """What is fetched; a group without any is carried as an archive."""
    provides: Mapping[str, str] | None = None
    """None: put into place at cold start. Otherwise at the first import of one of these names:
    `package`, `module` or `namespace` by dotted name (runtime/lazy.py)."""


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
    """What uv installs, into the overflow folder itself: never beside groups."""
    groups: tuple[Group, ...] = ()


def to_json(manifest: Manifest) -> str:
    """The manifest as text, the same for the same manifest."""
    content = {"schema": SCHEMA, **manifest._asdict()}
    content["deferred"] = manifest.deferred and manifest.deferred._asdict()
    content["groups"] = [_group_content(one) for one in manifest.groups]
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def from_json(text: str) -> Manifest:
    """The manifest in `text`. Raises ValueError for another schema or a missing field."""
    content: dict[str, Any] = json.loads(text)
    schema = content.pop("schema", None)
    if schema != SCHEMA:
        raise ValueError(f"manifest.json has schema {schema!r}, this runtime reads {SCHEMA}")
    deferred = content.pop("deferred", None)
    try:
        groups = tuple(_group(one) for one in content.pop("groups", ()))
        return Manifest(deferred=_deferred(deferred), groups=groups, **content)
    except TypeError as error:
        raise ValueError(f"manifest.json is not one of this runtime's: {error}") from error


def _deferred(content: dict[str, Any] | None) -> Deferred | None:
    if content is None:
        return None
    return Deferred(**{**content, "indexes": tuple(content.get("indexes", ()))})


def _group(content: dict[str, Any]) -> Group:
    wheels = tuple(Wheel(**one) for one in content.get("wheels", ()))
    return Group(**{**content, "wheels": wheels})


def _group_content(group: Group) -> dict[str, Any]:
    """Without what is as it is for most groups: a manifest counts against the limit too."""
    content: dict[str, Any] = {"name": group.name, "size": group.size, "sha256": group.sha256}
    if group.wheels:
        content["wheels"] = [one._asdict() for one in group.wheels]
    if group.provides is not None:
        content["provides"] = dict(group.provides)
    return content
