"""Classification: which distributions a public index can give again at run time, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from overflow.errors import InputFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from overflow.lockfile import LockedPackage, LockedWheel, Lockfile, Source
    from overflow.measure import Distribution
    from overflow.target import Target

PYPI = "https://pypi.org/simple"
"""The one index that is public without being named (uv's default)."""

PYPI_HOST = "pypi.org"

ADDED = "added by overflow"
"""The reason of what the project did not ask for."""

DEFAULT_PORTS = {"https": 443, "http": 80}


class Visibility(str, Enum):
    """Whether a distribution can be fetched from a public index at run time."""

    PUBLIC = "public"
    PRIVATE = "private"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One distribution's visibility, and how we know."""

    visibility: Visibility
    reason: str
    """For people: `on pypi.org`, `git source`, `no wheel for python3.12 on x86_64`."""
    index: str | None = None
    """The public index it is on."""
    hashes: tuple[str, ...] = ()
    """sha256 of each locked wheel that the target accepts, sorted; only of public ones."""
    wheel: LockedWheel | None = None
    """That one of them which is installed, if it can be fetched by its URL."""
    obstacle: str = ""
    """Why it cannot be installed at cold start although it is public."""

    @property
    def is_public(self) -> bool:
        """Whether a public index has it."""
        return self.visibility is Visibility.PUBLIC

    @property
    def can_leave(self) -> bool:
        """Whether it may be deferred at all."""
        return self.is_public and not self.obstacle


@dataclass(frozen=True, kw_only=True)
class IndexOrigin:
    """What makes an index the one that was named: several can share a host."""

    scheme: str
    host: str
    port: int
    path: str
    """Without a slash at its end. Empty for PyPI, which is public whatever the path."""


@cache
def origin(url: str) -> IndexOrigin | None:
    """The origin of an http(s) URL, or None; never looks at anything but the parsed host."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        return None
    host = parts.hostname.rstrip(".").lower()
    return IndexOrigin(
        scheme=parts.scheme,
        host=host,
        port=port or DEFAULT_PORTS[parts.scheme],
        path="" if host == PYPI_HOST else parts.path.rstrip("/"),
    )


def public_indexes(extra: Sequence[str]) -> Mapping[IndexOrigin, str]:
    """PyPI and the indexes that the user calls public, each under its origin.

    Raises InputFault `index-invalid` for what is no URL, or needs a password (not public then).
    """
    found: dict[IndexOrigin, str] = {}
    for url in (PYPI, *extra):
        place = origin(url)
        if place is None or "@" in urlsplit(url).netloc:
            raise InputFault(
                "index-invalid",
                "--public-index: expected an http(s) URL without user name or password",
                hint=f"write it as in {PYPI}",
            )
        found[place] = url
    return found


def classify(
    distributions: Iterable[Distribution],
    *,
    lock: Lockfile,
    project: str,
    target: Target,
    indexes: Mapping[IndexOrigin, str],
    added: frozenset[str] = frozenset(),
) -> dict[str, Verdict]:
    """A verdict for each distribution, by name.

    lock: where each came from; project: the project's own name; indexes: as of public_indexes();
    added: names that overflow itself put there (adapters).
    """
    return {
        distribution.name: _verdict(distribution, lock, project, target, indexes, added)
        for distribution in distributions
    }


def _verdict(  # noqa: PLR0911 - each line is one rule, in order
    distribution: Distribution,
    lock: Lockfile,
    project: str,
    target: Target,
    indexes: Mapping[IndexOrigin, str],
    added: frozenset[str],
) -> Verdict:
    if distribution.name == project:
        return _private("the project itself")
    if distribution.name in added:
        return _private(ADDED)
    if not distribution.recorded:
        return _private("files without a RECORD")
    candidates = lock.candidates(distribution.name, distribution.version)
    if not candidates:
        return _private("not in uv.lock")
    homes = {_index_of(package.source, indexes) for package in candidates}
    if None in homes or len(homes) > 1:
        # One of a forked lock's entries could be the installed one: the private one wins.
        return _private(_why_private(candidates, indexes))
    wheels = _acceptable(candidates, target)
    if not wheels:
        return _private(f"no hashed wheel for {target.runtime} on {target.architecture}")
    home = homes.pop()
    assert home is not None  # noqa: S101 - for the type checker: None was ruled out above
    return Verdict(
        visibility=Visibility.PUBLIC,
        reason=f"on {home.host}",
        index=indexes[home],
        hashes=tuple(sorted({digest for one in wheels if (digest := one.sha256)})),
        wheel=wheels[0] if wheels[0].url else None,
    )


def _private(reason: str) -> Verdict:
    return Verdict(visibility=Visibility.PRIVATE, reason=reason)


def _index_of(source: Source | None, indexes: Mapping[IndexOrigin, str]) -> IndexOrigin | None:
    if source is None or source.kind != "registry":
        return None
    place = origin(source.location)
    return place if place in indexes else None


def _why_private(candidates: tuple[LockedPackage, ...], indexes: Mapping[IndexOrigin, str]) -> str:
    for package in candidates:
        if _index_of(package.source, indexes) is None:
            return _source_text(package.source)
    return "locked from several indexes"


def _source_text(source: Source | None) -> str:
    if source is None:
        return "no source in uv.lock"
    if source.kind != "registry":
        return f"{source.kind} source"
    place = origin(source.location)
    return f"other index: {place.host}" if place else "other index: a local folder"


def _acceptable(candidates: tuple[LockedPackage, ...], target: Target) -> list[LockedWheel]:
    """The hashed wheels that the target accepts; uv installs the first."""
    ranked = [
        (rank, -_build_number(wheel.filename), at, wheel)
        for package in candidates
        for at, wheel in enumerate(package.wheels)
        if wheel.sha256 is not None and (rank := target.rank(wheel.filename)) is not None
    ]
    return [wheel for *_, wheel in sorted(ranked, key=lambda one: one[:3])]


def _build_number(filename: str) -> int:
    """Of two that are equal else, the higher is taken (binary distribution format: build tag)."""
    parts = filename.split("-")
    digits = re.match("[0-9]{1,18}", parts[2]) if len(parts) == 6 else None
    return int(digits[0]) if digits else -1
