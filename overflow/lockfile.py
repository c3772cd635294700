"""Lockfile: uv.lock as frozen values, with errors that name the place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from overflow.errors import InputFault

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCK_VERSION = 1
"""The schema that is read. uv raises it when older readers would go wrong; revisions may rise."""

SOURCE_KINDS = ("registry", "git", "path", "directory", "editable", "url", "virtual")
"""What uv writes as `source = { KIND = "..." }` (uv's lock schema, version 1)."""

LOCAL_KINDS = ("directory", "editable")

HASH = "sha256:"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_URL = re.compile(r"https?://[!-.0-?A-~]+/[!-~]+")
"""Printable ASCII, and no `@` before the path."""


@dataclass(frozen=True, kw_only=True)
class LockedWheel:
    """A wheel that the lock knows."""

    filename: str
    sha256: str | None
    """Hexadecimal digits; None where the lock has no hash or one of another kind."""
    url: str | None = None
    """http or https, without user and password; None where it is elsewhere."""
    size: int = 0
    """Bytes; 0 where the lock does not say."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a locked package comes from."""

    kind: str
    location: str


@dataclass(frozen=True, kw_only=True)
class LockedPackage:
    """One [[package]] of the lock. A name can have several, under different markers."""

    name: str
    version: str | None
    """None where uv could not know it: a local package with a dynamic version."""
    source: Source | None
    wheels: tuple[LockedWheel, ...]


@dataclass(frozen=True, kw_only=True)
class Lockfile:
    """A whole uv.lock."""

    packages: tuple[LockedPackage, ...]

    @cached_property
    def _by_name(self) -> dict[str, list[LockedPackage]]:
        found: dict[str, list[LockedPackage]] = {}
        for package in self.packages:
            found.setdefault(package.name, []).append(package)
        return found

    @property
    def local_names(self) -> tuple[str, ...]:
        """Names of the packages that are folders on this machine."""
        return tuple(
            package.name
            for package in self.packages
            if package.source is not None and package.source.kind in LOCAL_KINDS
        )

    def candidates(self, name: str, version: str) -> tuple[LockedPackage, ...]:
        """The entries that an installed distribution of this name and version can stem from."""
        return tuple(
            package
            for package in self._by_name.get(name, ())
            if package.version is None or package.version == version
        )


def parse_lock(mapping: Mapping[str, Any]) -> Lockfile:
    """The lock that a mapping (of uv.lock's TOML) holds.

    Raises InputFault `lock-invalid` with the place, or `lock-version` for a newer schema.
    """
    version = mapping.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise _invalid("version", "expected a whole number")
    if version != LOCK_VERSION:
        raise InputFault(
            "lock-version",
            f"uv.lock, version: {version} is not known here (known: {LOCK_VERSION})",
            hint="update overflow, or make the lock again with the uv it was made for",
        )
    packages = mapping.get("package", [])
    if not isinstance(packages, list):
        raise _invalid("package", "expected an array of tables")
    return Lockfile(
        packages=tuple(_package(entry, f"package[{i}]") for i, entry in enumerate(packages))
    )


def _invalid(where: str, what: str) -> InputFault:
    return InputFault(
        "lock-invalid",
        f"uv.lock, {where}: {what}",
        hint="make the lock anew with `uv lock`; it is not meant to be edited by hand",
    )


def _package(entry: object, where: str) -> LockedPackage:
    if not isinstance(entry, dict):
        raise _invalid(where, "expected a table")
    wheels = entry.get("wheels", [])
    if not isinstance(wheels, list):
        raise _invalid(f"{where}.wheels", "expected an array")
    return LockedPackage(
        name=_name(entry.get("name"), f"{where}.name"),
        version=_version(entry.get("version"), f"{where}.version"),
        source=_source(entry.get("source"), f"{where}.source"),
        wheels=tuple(_wheel(wheel, where, i) for i, wheel in enumerate(wheels)),
    )


def _name(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _invalid(where, "expected a string")
    try:
        return canonicalize_name(value, validate=True)
    except InvalidName as error:
        raise _invalid(where, f"{value!r} is not a valid name") from error


def _version(value: object, where: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise _invalid(where, "expected a string")
    try:
        return str(Version(value))
    except (InvalidVersion, ValueError) as error:  # the second: more digits than int() takes
        raise _invalid(where, f"{value!r} is not a version") from error


def _source(value: object, where: str) -> Source | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _invalid(where, "expected a table")
    for kind in SOURCE_KINDS:
        if kind in value:
            location = value[kind]
            if not isinstance(location, str):
                raise _invalid(f"{where}.{kind}", "expected a string")
            return Source(kind=kind, location=location)
    raise _invalid(where, f"expected one of {', '.join(SOURCE_KINDS)}")


def _wheel(value: object, package: str, index: int) -> LockedWheel:
    if not isinstance(value, dict):
        raise _invalid(f"{package}.wheels[{index}]", "expected a table")
    # uv writes `url` for an index, `path` for a local one, `filename` for a single wheel.
    location = value.get("filename") or value.get("url") or value.get("path")
    if not isinstance(location, str):
        raise _invalid(f"{package}.wheels[{index}].url", "expected a string")
    digest = value.get("hash")
    sha256 = None
    if digest is not None:
        if not isinstance(digest, str):
            raise _invalid(f"{package}.wheels[{index}].hash", "expected a string")
        if digest.startswith(HASH):
            sha256 = digest[len(HASH) :]
            if not _SHA256.fullmatch(sha256):
                raise _invalid(
                    f"{package}.wheels[{index}].hash",
                    "expected sha256: and 64 hexadecimal digits",
                )
    return LockedWheel(
        filename=_file_name(location),
        sha256=sha256,
        url=_url(value.get("url")),
        size=_size(value.get("size")),
    )


def _url(value: object) -> str | None:
    if not isinstance(value, str) or not _URL.fullmatch(value):
        return None
    return value.partition("#")[0]


def _size(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


def _file_name(location: str) -> str:
    if "?" in location or "#" in location:
        location = location.partition("#")[0].partition("?")[0]
    name = location.rpartition("/")[2]
    return unquote(name) if "%" in name else name
