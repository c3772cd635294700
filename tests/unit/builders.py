"""Short ways to write down domain objects, so that tests read as what they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overflow.cache import Cache
from overflow.classify import PYPI, Verdict, Visibility
from overflow.handler import Handler
from overflow.limits import Limits, megabytes
from overflow.lockfile import LockedPackage, LockedWheel, Lockfile, Source
from overflow.measure import Distribution
from overflow.plan import Plan, Strategy, decide
from overflow.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

HASH = "a" * 64

NO_CACHE = Cache(folder=None)
"""Everything is made anew."""


def target(python: str = "3.12", architecture: str = "x86_64") -> Target:
    """`target("3.11", "arm64")`."""
    major, minor = python.split(".")
    return Target(python=(int(major), int(minor)), architecture=architecture)


def handler(name: str = "app:handler", interface: str = "function") -> Handler:
    """`handler("app:app", "wsgi")`."""
    module, _, attribute = name.partition(":")
    return Handler(module=module, attribute=attribute, interface=interface)


def distribution(
    name: str = "alpha",
    version: str = "1.0",
    *,
    size: int = 100,
    files: Iterable[str] = (),
    packages: Iterable[str] = (),
    tags: Iterable[str] = ("py3-none-any",),
    recorded: bool = True,
) -> Distribution:
    """An installed distribution; `packages` are its import packages."""
    return Distribution(
        name=name,
        version=version,
        files=tuple(files),
        size=size,
        import_packages=frozenset(packages),
        tags=tuple(tags),
        recorded=recorded,
    )


def wheel(filename: str = "alpha-1.0-py3-none-any.whl", sha256: str | None = HASH) -> LockedWheel:
    """A wheel of a locked package."""
    return LockedWheel(filename=filename, sha256=sha256)


def package(
    name: str = "alpha",
    version: str | None = "1.0",
    *,
    registry: str | None = PYPI,
    source: Source | None = None,
    wheels: Iterable[LockedWheel] | None = None,
) -> LockedPackage:
    """A locked package, on PyPI unless told otherwise; registry=None: whatever `source` is."""
    if registry is not None and source is None:
        source = Source(kind="registry", location=registry)
    return LockedPackage(
        name=name,
        version=version,
        source=source,
        wheels=tuple([wheel()] if wheels is None else wheels),
    )


def lock(*packages: LockedPackage) -> Lockfile:
    """A lock of these packages."""
    return Lockfile(packages=packages)


def lock_toml(*entries: str, version: str = "1") -> str:
    """uv.lock's text; each entry holds the lines of one [[package]]."""
    head = f'version = {version}\nrevision = 3\nrequires-python = ">=3.12"\n'
    return head + "".join(f"\n[[package]]\n{entry.strip()}\n" for entry in entries)


def public(reason: str = "on pypi.org", index: str = PYPI) -> Verdict:
    """The verdict of a distribution that may be deferred."""
    return Verdict(visibility=Visibility.PUBLIC, reason=reason, index=index, hashes=(HASH,))


def private(reason: str = "git source") -> Verdict:
    """The verdict of a distribution that stays."""
    return Verdict(visibility=Visibility.PRIVATE, reason=reason)


def limits(
    threshold: float = 240, limit: float = 250, *, layers: float = 0, tmp: float = 512
) -> Limits:
    """Limits from MB; layers are not taken off here."""
    return Limits(
        threshold=megabytes(threshold),
        limit=megabytes(limit),
        layers=megabytes(layers),
        tmp=megabytes(tmp),
    )


def plan_of(
    sizes: Mapping[str, float],
    *,
    kept: Mapping[str, str] | None = None,
    groups: Sequence[Iterable[str]] = (),
    project: float = 1,
    within: Limits | None = None,
    support: tuple[float, float] = (0.1, 38),
    runtime_install: bool = True,
) -> Plan:
    """The plan for distributions of so many MB; `kept` has the private ones and their reasons.

    groups: those of more than one; all others stand alone.
    """
    kept = kept or {}
    grouped = [frozenset(names) for names in groups]
    alone = [frozenset({name}) for name in sizes if not any(name in names for names in grouped)]
    return decide(
        [distribution(name, size=megabytes(size)) for name, size in sorted(sizes.items())],
        verdicts={name: private(kept[name]) if name in kept else public() for name in sizes},
        groups=[*grouped, *alone],
        project_size=megabytes(project),
        support_of=lambda names: megabytes(support[1] if names else support[0]),
        strategy=Strategy.DEFER,
        limits=within or limits(),
        runtime_install=runtime_install,
    )


def install(
    root: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, str] | None = None,
    record: Sequence[str] | None = None,
    tags: Sequence[str] = ("py3-none-any",),
) -> None:
    """Put a distribution into a made-up site-packages as uv would.

    record: further rows of RECORD (files that are not there, say); an empty RECORD cannot be
    asked for so, and none at all is had by removing it afterwards.
    """
    files = files or {}
    info = f"{name}-{version}.dist-info"
    written = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\n" + "".join(f"Tag: {tag}\n" for tag in tags),
    }
    rows = [*written, f"{info}/RECORD", *(record or ())]
    written[f"{info}/RECORD"] = "".join(f"{row},,\n" for row in rows)
    write(root, written)


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files below a folder, with their parents."""
    for path, content in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
