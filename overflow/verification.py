"""Verification: `overflow verify`, which starts a bundle that is there already."""

from __future__ import annotations

import hashlib
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.attempt import Trial
from overflow.elf import read_shared_object
from overflow.errors import InputFault
from overflow.limits import megabytes, tmp_needed_mb
from overflow.proof import Finding, Proof, slow_start_warnings
from overflow.proving import prove, read_manifest
from overflow.pythons import find_python
from overflow.report import BUNDLE
from overflow.runtime.manifest import MANIFEST_FILE, PACKED_FOLDER, VENDOR_FOLDER
from overflow.target import MACHINES, Target, choose_python

if TYPE_CHECKING:
    from overflow.installation import Tools
    from overflow.runtime.manifest import Manifest

CHUNK = 1 << 20
"""Bytes that are read and hashed at a time."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What came of it."""

    proof: Proof
    warnings: tuple[str, ...]


def verify(folder: Path, tools: Tools, *, tmp_bytes: int | None = None) -> Verified:
    """Start the bundle in `folder`, or in bundle/ in it. What is deferred is fetched.

    tmp_bytes: of the function's /tmp; None: what it asks for.
    Raises InputFault `bundle-invalid`, `bundle-other-machine`, `python-missing`.
    """
    bundle = folder if (folder / MANIFEST_FILE).is_file() else folder / BUNDLE
    manifest = read_manifest(bundle)
    if tmp_bytes is None:
        tmp_bytes = megabytes(_storage_mb(manifest))
    machine = _machine(bundle)
    if machine not in (None, platform.machine()):
        raise InputFault(
            "bundle-other-machine",
            f"{bundle} is for {machine}, and this machine is {platform.machine()}",
            hint="verify it on a machine of that kind",
        )
    damaged = _damaged(bundle, manifest)
    if damaged:
        problem = f"{PACKED_FOLDER}/{damaged} is not what was built"
        whose = damaged.partition("-")[2]
        broken = Proof(finding=Finding.BROKEN, problem=problem, distribution=whose)
        return Verified(proof=broken, warnings=())
    return _started(bundle, manifest, tools, tmp_bytes)


def _started(bundle: Path, manifest: Manifest, tools: Tools, tmp_bytes: int) -> Verified:
    version = choose_python(asked=manifest.python, pinned=None, requires_python=None)
    here = "arm64" if platform.machine() == MACHINES["arm64"] else "x86_64"
    target = Target(python=version, architecture=here)
    trial = Trial(
        python=find_python(target, tools.uv, tools.environ),
        tmp_bytes=tmp_bytes,
        network=manifest.deferred is not None or any(one.wheels for one in manifest.groups),
    )
    with (
        tempfile.TemporaryDirectory(prefix="overflow-", ignore_cleanup_errors=True) as work,
        tools.console.step("proof", "Starting the bundle") as retitle,
    ):
        proof = prove(bundle, trial, Path(work) / "proof", tools.environ)
        retitle(proof.sentence())
    measured = proof.cold.total if proof.cold else None
    storage = tmp_bytes // megabytes(1)
    slow = slow_start_warnings(
        measured,
        None,
        install=proof.cold.install if proof.cold else 0.0,
        python=version,
        ephemeral_storage_mb=storage,
    )
    return Verified(proof=proof, warnings=(*proof.warnings, *slow))


def _damaged(bundle: Path, manifest: Manifest) -> str:
    """The first archive that is damaged or missing; lazy ones too, which a start may not need."""
    for group in manifest.groups:
        if group.wheels:  # it has no archive: it is fetched
            continue
        try:
            with (bundle / PACKED_FOLDER / group.name).open("rb") as stream:
                digest = hashlib.sha256()
                while chunk := stream.read(CHUNK):
                    digest.update(chunk)
        except OSError:
            return group.name
        if digest.hexdigest() != group.sha256:
            return group.name
    return ""


def _storage_mb(manifest: Manifest) -> int:
    """The EphemeralStorage that the bundle asks for."""
    deferred = manifest.deferred.size if manifest.deferred else 0
    return tmp_needed_mb(deferred + sum(group.size for group in manifest.groups))


def _machine(bundle: Path) -> str | None:
    """What its shared objects are for; None where it has none unpacked."""
    for path in bundle.glob(f"{VENDOR_FOLDER}/**/*.so"):
        found = read_shared_object(bundle, str(path.relative_to(bundle)))
        if found is not None:
            return found.machine
    return None
