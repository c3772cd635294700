"""Verification: `overflow verify`, which starts a bundle that is there already."""

from __future__ import annotations

import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.attempt import Trial
from overflow.elf import read_shared_object
from overflow.errors import InputFault
from overflow.limits import TMP_DEFAULT_MB, megabytes
from overflow.proof import slow_start_warnings
from overflow.proving import prove, read_manifest
from overflow.pythons import find_python
from overflow.report import BUNDLE, REPORT
from overflow.runtime.manifest import MANIFEST_FILE, VENDOR_FOLDER
from overflow.target import MACHINES, Target, choose_python
from overflow.wire import from_json

if TYPE_CHECKING:
    from overflow.installation import Tools
    from overflow.proof import Proof


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What came of it."""

    proof: Proof
    warnings: tuple[str, ...]


def verify(folder: Path, tools: Tools, *, tmp_bytes: int | None = None) -> Verified:
    """Start the bundle in `folder`, or in bundle/ in it. What is deferred is fetched.

    tmp_bytes: of the function's /tmp; None: as the report beside the bundle says, else 512 MB.
    Raises InputFault `bundle-invalid`, `bundle-other-machine`, `python-missing`.
    """
    bundle = folder if (folder / MANIFEST_FILE).is_file() else folder / BUNDLE
    if tmp_bytes is None:
        tmp_bytes = megabytes(_storage_mb(bundle.parent / REPORT))
    manifest = read_manifest(bundle)
    machine = _machine(bundle)
    if machine not in (None, platform.machine()):
        raise InputFault(
            "bundle-other-machine",
            f"{bundle} is for {machine}, and this machine is {platform.machine()}",
            hint="verify it on a machine of that kind",
        )
    python = choose_python(asked=manifest.python, pinned=None, requires_python=None)
    here = "arm64" if platform.machine() == MACHINES["arm64"] else "x86_64"
    trial = Trial(
        python=find_python(Target(python=python, architecture=here), tools.uv, tools.environ),
        tmp_bytes=tmp_bytes,
        network=manifest.deferred is not None,
    )
    with (
        tempfile.TemporaryDirectory(prefix="overflow-", ignore_cleanup_errors=True) as work,
        tools.console.step("proof", "Starting the bundle") as retitle,
    ):
        proof = prove(bundle, trial, Path(work) / "proof", tools.environ)
        retitle(proof.sentence())
    measured = proof.cold.total if proof.cold else None
    storage = tmp_bytes // megabytes(1)
    slow = slow_start_warnings(measured, None, python=python, ephemeral_storage_mb=storage)
    return Verified(proof=proof, warnings=(*proof.warnings, *slow))


def _storage_mb(report: Path) -> int:
    """The EphemeralStorage that a build's report asks for."""
    try:
        return from_json(report.read_bytes()).function.ephemeral_storage_mb
    except (OSError, InputFault):  # there is none, or another version's
        return TMP_DEFAULT_MB


def _machine(bundle: Path) -> str | None:
    """What its shared objects are for; None where it has none unpacked."""
    for path in bundle.glob(f"{VENDOR_FOLDER}/**/*.so"):
        found = read_shared_object(bundle, str(path.relative_to(bundle)))
        if found is not None:
            return found.machine
    return None
