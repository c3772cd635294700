"""Verification: `overflow verify`, which starts a bundle that is there already."""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.attempt import Trial
from overflow.elf import read_shared_object
from overflow.errors import InputFault
from overflow.limits import megabytes, tmp_needed_mb
from overflow.process import child_environment, run
from overflow.proof import LONGEST, Finding, Proof
from overflow.proving import prove, read_manifest
from overflow.pythons import find_python
from overflow.report import BUNDLE
from overflow.runtime.manifest import MANIFEST_FILE, PACKED_FOLDER, VENDOR_FOLDER
from overflow.slowness import slow_start_warnings
from overflow.target import MACHINES, Target, choose_python

if TYPE_CHECKING:
    from overflow.installation import Tools
    from overflow.runtime.manifest import Manifest

STALE = Path(__file__).with_name("stale.py")

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
    bundle = _bundle_in(folder)
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
        problem, whose = f"{PACKED_FOLDER}/{damaged}", damaged.partition("-")[2]
        return _altered(problem, "build it again", whose)
    return _started(bundle, manifest, tools, tmp_bytes)


def _bundle_in(folder: Path) -> Path:
    for one in (folder, folder / BUNDLE):
        if (one / MANIFEST_FILE).is_file():
            return one
    found = f"{folder} has no {MANIFEST_FILE}, and no {BUNDLE}/{MANIFEST_FILE}"
    raise InputFault(
        "bundle-invalid",
        found if folder.is_dir() else f"{folder}: there is no such folder",
        hint="name a folder that `overflow build` wrote, or bundle/ in it",
    )


def _python(manifest: Manifest, tools: Tools) -> tuple[tuple[int, int], Path]:
    """The version that the bundle is for, and such a Python."""
    version = choose_python(asked=manifest.python, pinned=None, requires_python=None)
    here = "arm64" if platform.machine() == MACHINES["arm64"] else "x86_64"
    try:
        return version, find_python(
            Target(python=version, architecture=here), tools.uv, tools.environ
        )
    except InputFault as fault:  # whose hint is a builder's, who can choose another
        hint = f"install it: `uv python install {manifest.python}`"
        raise InputFault("python-missing", fault.message, hint=hint) from fault


def _started(bundle: Path, manifest: Manifest, tools: Tools, tmp_bytes: int) -> Verified:
    version, python = _python(manifest, tools)
    stale = _stale(bundle, python, tools)
    if stale:
        (source, bytecode), *more = stale
        others = f", and {len(more)} more" if more else ""
        return _altered(
            f"{source} has the bytecode of another source{others}",
            f"Python runs the bytecode: remove {bytecode}{others}, or build again without it",
        )
    trial = Trial(
        python=python,
        tmp_bytes=tmp_bytes,
        network=manifest.deferred is not None or any(one.wheels for one in manifest.groups),
    )
    with (
        tempfile.TemporaryDirectory(prefix="overflow-", ignore_cleanup_errors=True) as work,
        tools.console.step("proof", "Starting the bundle") as retitle,
    ):
        proof = prove(bundle, trial, Path(work) / "proof", tools.environ)
        # How it failed is said twice after this line: as the result, and as the error.
        is_broken = proof.finding is Finding.BROKEN
        retitle("Tried to start the bundle" if is_broken else proof.sentence())
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


def _altered(problem: str, remedy: str, whose: str = "") -> Verified:
    found = Proof(
        finding=Finding.BROKEN, problem=problem[:LONGEST], distribution=whose, remedy=remedy
    )
    return Verified(proof=found, warnings=())


def _stale(bundle: Path, python: Path, tools: Tools) -> list[tuple[str, str]]:
    """Sources that Python would not look at, with their bytecode, which is of others."""
    done = run(
        [str(python), "-I", "-S", "-B", str(STALE), str(bundle)],
        folder=bundle,
        environment=child_environment(tools.environ),
    )
    if done.exit_code != 0:
        raise RuntimeError(f"{python} {STALE}: {done.errors}")
    return [(source, bytecode) for source, bytecode in json.loads(done.output)]


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
