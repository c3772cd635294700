"""Environment: what uv installed for the target, and what is asked of it before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from overflow import rpath
from overflow.errors import InputFault
from overflow.measure import UNOWNED
from overflow.resources import adapter_files

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from overflow.elf import SharedObject
    from overflow.measure import Distribution, Measurement
    from overflow.target import Target


def make_portable(folder: Path) -> None:
    """Drop from each RECORD in site-packages what lies outside of it: scripts, data files.

    Those are not part of a bundle; and the hash of a script depends on the folder that the
    environment is in, so that two builds would differ.
    """
    for record in folder.glob("*.dist-info/RECORD"):
        content = record.read_bytes()
        if b"../" in content:
            rows = content.splitlines(keepends=True)
            record.unlink()  # it may be a hard link into uv's cache
            record.write_bytes(
                b"".join(row for row in rows if not row.lstrip(b'"').startswith(b"../"))
            )


def add_adapters(folder: Path, names: Sequence[str]) -> frozenset[str]:
    """Put adapters into site-packages that the project does not bring; gives their names."""
    there = {canonicalize_name(path.name.partition("-")[0]) for path in folder.glob("*.dist-info")}
    missing = frozenset(name for name in names if name not in there)
    for name in missing:
        for path, content in adapter_files(name).items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    return missing


def site_packages(environment: Path, target: Target) -> Path:
    """Where an environment for the target keeps what is installed."""
    return environment / "lib" / f"python{target.version}" / "site-packages"


def search_folders(measurement: Measurement, distribution: Distribution) -> frozenset[str]:
    """Folders in which the distribution's shared objects look for others, by relative RPATH."""
    return frozenset(
        folder
        for path in _shared_objects(distribution)
        for folder in rpath.search_folders(measurement.root, path)
    )


def check_loadable(measurement: Measurement, target: Target) -> None:
    """Raise InputFault `built-for-another-machine` where something was built for this host only.

    Wheels from an index carry a tag that uv has compared with the target. One that was built here
    (tag `linux_*`) says nothing of the glibc it needs, so its shared objects are asked.
    """
    for distribution in measurement.distributions:
        if any(tag.rpartition("-")[2].startswith("linux_") for tag in distribution.tags):
            for path in _shared_objects(distribution):
                _check_shared_object(measurement.root, path, distribution, target)


def _check_shared_object(root: Path, path: str, distribution: Distribution, target: Target) -> None:
    found = _read_shared_object(root, path)
    if found is None:
        return
    if found.machine != target.machine:
        problem = f"is for {found.machine}, the function runs on {target.machine}"
    elif found.glibc > target.glibc:
        needs, has = (".".join(map(str, glibc)) for glibc in (found.glibc, target.glibc))
        problem = f"needs glibc {needs}, {target.runtime} has {has}"
    else:
        return
    raise InputFault(
        "built-for-another-machine",
        f"{distribution.name} {distribution.version} was built from source here, and its"
        f" {path} {problem}",
        hint="use a version that has a wheel for Lambda, or build on Amazon Linux of the target",
    )


def _read_shared_object(root: Path, path: str) -> SharedObject | None:
    # Few projects have anything to ask, and importing pyelftools takes longer than planning.
    from overflow.elf import read_shared_object  # noqa: PLC0415

    return read_shared_object(root, path)


def _shared_objects(distribution: Distribution) -> Sequence[str]:
    return [path for path in distribution.files if path.endswith(".so") or ".so." in path]


def check_not_empty(measurement: Measurement, project: str, added: Collection[str]) -> None:
    """Raise InputFault `no-dependencies` where there is nothing but the project itself."""
    own = {project, UNOWNED, *added}
    if all(distribution.name in own for distribution in measurement.distributions):
        raise InputFault(
            "no-dependencies",
            f"pyproject.toml: {project} has no dependencies, so nothing can overflow",
            hint="name them in project.dependencies, or choose an --extra or a --group;"
            " a function without any needs no overflow: zip its files",
        )
