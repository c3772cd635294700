"""Generated: the files of a bundle that are neither the project's nor a distribution's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from overflow import __version__
from overflow.classify import PYPI
from overflow.installer import UV_VERSION, installer_for
from overflow.requirements import requirements_text
from overflow.resources import runtime_files
from overflow.runtime.manifest import (
    MANIFEST_FILE,
    REQUIREMENTS_FILE,
    Deferred,
    Group,
    Manifest,
    to_json,
)
from overflow.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from overflow.classify import Verdict
    from overflow.handler import Handler
    from overflow.installer import Installer
    from overflow.measure import Distribution
    from overflow.target import Target

TRAMPOLINE = "overflow_trampoline"

FETCHING = frozenset({"connection.py", "fetch.py", "wheel.py"})
"""Modules of the runtime package that are of no use where nothing is fetched by URL."""


@dataclass(frozen=True, kw_only=True)
class Generated:
    """Text files by path, and the installer if one is needed."""

    files: Mapping[str, bytes]
    installer: Installer | None

    @property
    def size(self) -> int:
        """Bytes they add to a bundle, the installer's included."""
        installer = self.installer.size if self.installer else 0
        return installer + sum(map(len, self.files.values()))


def generate(
    *,
    target: Target,
    handler: Handler,
    deferred: Sequence[Distribution],
    verdicts: Mapping[str, Verdict],
    groups: tuple[Group, ...] = (),
    info: Mapping[str, bytes] = MappingProxyType({}),
) -> Generated:
    """What a bundle needs from which uv installs these distributions, or which has these groups.

    info: dist-info of those of the groups that are lazy, by path in the bundle.
    """
    requirements = requirements_text(deferred, verdicts)
    manifest = Manifest(
        build=_build_id("\n".join([requirements, *(one.sha256 for one in groups)]), target),
        python=target.version,
        handler=handler.name,
        interface=handler.interface,
        deferred=_deferred(deferred, verdicts) if deferred else None,
        groups=groups,
    )
    fetches = any(one.wheels for one in groups)
    files = {
        f"_overflow/{name}": content
        for name, content in runtime_files().items()
        if fetches or name not in FETCHING
    }
    files |= info
    files[MANIFEST_FILE] = to_json(manifest).encode()
    files[f"{TRAMPOLINE}.py"] = render(
        "trampoline.py", handler=handler.name, version=__version__
    ).encode()
    if deferred:
        files[REQUIREMENTS_FILE] = requirements.encode()
    return Generated(files=files, installer=installer_for(target) if deferred else None)


def fetching_files() -> dict[str, bytes]:
    """What a bundle has more from which anything is fetched by URL, by path."""
    files = runtime_files().items()
    return {f"_overflow/{name}": content for name, content in files if name in FETCHING}


def fetching_size() -> int:
    """Bytes of that."""
    return sum(map(len, fetching_files().values()))


def _build_id(overflow: str, target: Target) -> str:
    content = "\n".join((overflow, target.runtime, target.architecture, UV_VERSION))
    return hashlib.sha256(content.encode()).hexdigest()


def _deferred(deferred: Sequence[Distribution], verdicts: Mapping[str, Verdict]) -> Deferred:
    indexes = {verdicts[distribution.name].index for distribution in deferred}
    return Deferred(
        size=sum(distribution.size for distribution in deferred),
        indexes=tuple(sorted(index for index in indexes if index and index != PYPI)),
    )
