"""Proving: start a bundle as Lambda does, and judge how that went."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from overflow.attempt import (
    ISOLATION,
    LONGEST_LOG,
    SECONDS,
    STARTER,
    TASK,
    Place,
    Trial,
    attempt,
)
from overflow.culprit import RECORDS, culprit, title_of
from overflow.generated import TRAMPOLINE
from overflow.identity import binary_of
from overflow.limits import RUNTIMES, megabytes
from overflow.manifests import manifest_from_json
from overflow.proof import (
    EARLIER,
    LONGEST,
    OURS,
    WITHOUT,
    Cold,
    Failed,
    Finding,
    Proof,
    for_people,
    judge,
)
from overflow.runtime.manifest import MANIFEST_FILE, OVERFLOW_FOLDER, VENDOR_FOLDER, Manifest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from overflow.attempt import Attempt
    from overflow.installation import Tools
    from overflow.plan import Plan
    from overflow.startup import Recording

KIND = "proofs"
"""What the cache knows them as."""

_INSTALLED = re.compile(
    r"(?m)^(?:Runtime dependencies installed|Installed \S+ on first import) in (\d+\.\d+)s$"
)
"""What the runtime prints once something is in place (runtime/ready.py, runtime/lazy.py)."""

_NOT_THE_APPS = re.compile(
    r'(?m)^  File "(?:<frozen importlib|<string>"|[^"]*/(?:importlib/__init__|_overflow/[^"]*'
    rf'|{TRAMPOLINE})\.py").*\n?'
)
"""A line of faulthandler's that says how the app came to be imported."""

_FRAME = re.compile(r'(?m)^  File "([^"]+)", line \d+')
"""A line of faulthandler's, the innermost first."""


def read_manifest(bundle: Path) -> Manifest:
    """The manifest of a bundle; raises InputFault `bundle-invalid`, OSError."""
    return manifest_from_json((bundle / MANIFEST_FILE).read_bytes())


def fetches(manifest: Manifest) -> bool:
    """Whether a start fetches anything; what comes on first import does not count."""
    at_once = (one for one in manifest.groups if one.provides is None)
    return manifest.deferred is not None or any(one.wheels for one in at_once)


def trial_of(recording: Recording, python: Path, plan: Plan) -> Trial:
    """The trial, without network, of a bundle whose handler was imported before, or not.

    What comes later is imported, too, where it was before: of what was only read nobody knows
    whether it can be, and the app may do without. Nothing is where something may be fetched.
    """
    demand = () if plan.deferred else recording.demand.keys() & recording.recorded
    return Trial(
        python=python,
        tmp_bytes=max(plan.limits.tmp, megabytes(plan.ephemeral_storage_mb)),
        modules=tuple(later(demand, recording.start, recording.failed)),
        before=recording.problem if recording.problem or recording.recorded else None,
        layers=plan.limits.layers > 0,
    )


def later(demand: Collection[str], known: Collection[str], failed: Collection[str]) -> list[str]:
    """The packages and modules to import after the handler, none of which lies in another.

    demand: files that the code asks for beyond start-up, and failed: those that came to no good
    end, by their paths in a bundle where everything is vendored; known: what is imported by then.
    """
    packages = {path.removesuffix("/__init__.py") for path in {*demand, *known}}
    found: list[str] = []
    for path in sorted(set(demand) - set(failed)):
        name = path.removeprefix(f"{VENDOR_FOLDER}/").removesuffix(".py").removesuffix("/__init__")
        parts = name.split("/")
        above = (f"{VENDOR_FOLDER}/{'/'.join(parts[:n])}" for n in range(1, len(parts)))
        is_module = path.startswith(f"{VENDOR_FOLDER}/") and path.endswith(".py")
        if is_module and all(map(str.isidentifier, parts)) and packages.isdisjoint(above):
            found.append(".".join(parts))
    return found


def prove_once(bundle: Path, trial: Trial, tools: Tools, *, work: Path, sha256: str) -> Proof:
    """As prove(); one that started before is not started again. sha256: of its archive."""
    key = _key(trial, sha256)
    known = _kept(tools.cache.get(KIND, key) or b"")
    if known is not None:
        return known
    proof = prove(bundle, trial, work, tools.environ)
    if proof.finding is Finding.PROVEN and proof.cold is not None and not proof.note:
        content = {"total": proof.cold.total, "install": proof.cold.install}
        tools.cache.put(KIND, key, json.dumps(content).encode())
    return proof


def _key(trial: Trial, sha256: str) -> str:
    programs = [path.read_text(encoding="utf-8") for path in (ISOLATION, STARTER)]
    content = [sha256, binary_of(trial.python), trial.tmp_bytes, trial.modules, programs]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _kept(content: bytes) -> Proof | None:
    """What was kept of a start that went well; None for what is damaged, or nothing."""
    try:
        said = json.loads(content)
        cold = _cold(said["total"], said["install"])
    except (ValueError, KeyError, TypeError):
        return None
    return Proof(finding=Finding.PROVEN, cold=cold, note=EARLIER) if cold else None


def prove(bundle: Path, trial: Trial, work: Path, environ: Mapping[str, str]) -> Proof:
    """Start the bundle; work: a new folder for what that needs. Raises InputFault, OSError."""
    manifest = read_manifest(bundle)
    place = Place(bundle=bundle.resolve(), work=work.resolve(), isolated=True)
    went = attempt(place, trial, environ)
    refused = went.refused
    if refused is None:
        return _proof(went, manifest, trial)
    went = attempt(replace(place, isolated=False), trial, environ)
    found = _proof(went, manifest, trial)
    return replace(found, note="; ".join(filter(None, (found.note, WITHOUT.format(refused)))))


def _proof(went: Attempt, manifest: Manifest, trial: Trial) -> Proof:
    cold = next((_timed(line, went.output) for line in went.said if "seconds" in line), None)
    failed = _what_failed(went, has_started=cold is not None)
    if failed is None:
        return Proof(finding=Finding.PROVEN, cold=cold)
    place = went.place
    finding, note = judge(
        failed,
        before="" if cold else trial.before,
        inside=(f"{place.root}/", f"{place.overflow}/"),
        layers=trial.layers,
        old_machine=_glibc() < _glibc_of(manifest.python),
    )
    records = _records(place.bundle)
    whose = culprit(failed, records, root=place.root, overflow_folder=place.overflow)
    return Proof(
        finding=finding,
        cold=cold,
        problem=for_people(_in_the_bundle(failed.problem, place)[:LONGEST]),
        distribution=whose,
        trace=_in_the_bundle(_trace(failed), place),
        note=for_people(_in_the_bundle(note, place)[: 2 * LONGEST]),
    )


def _trace(failed: Failed) -> str:
    """Our own exceptions say all in their message, which can be long: uv's words are in it."""
    if failed.kind not in OURS:
        return failed.trace
    return failed.problem if len(failed.problem) > LONGEST else ""


def _in_the_bundle(text: str, place: Place) -> str:
    """With files named as Lambda would: without isolation, they are elsewhere in each build."""
    return text.replace(place.root, TASK).replace(place.overflow, OVERFLOW_FOLDER)


def _timed(line: Mapping[str, Any], output: str) -> Cold | None:
    """Of what was printed, the runtime's seconds have waits for a CPU in them, and lose those."""
    elapsed, total = line.get("elapsed"), line["seconds"]
    installed = sum(float(one) for one in _INSTALLED.findall(output))
    if not isinstance(elapsed, float) or not isinstance(total, float) or not 0 < total <= elapsed:
        return None
    return _cold(total, installed * total / elapsed)


def _cold(total: object, install: object) -> Cold | None:
    if not isinstance(total, (int, float)) or not isinstance(install, (int, float)):
        return None
    if not 0 <= total <= SECONDS or install < 0:
        return None
    return Cold(total=float(total), install=float(min(install, total)))


def _what_failed(went: Attempt, *, has_started: bool) -> Failed | None:
    """What went wrong at first; None where all went well."""
    for line in went.said:
        if "problem" in line:
            return _read_failure(line)
    if has_started and any("end" in line for line in went.said):
        return None
    importing = [str(line["importing"]) for line in went.said if "importing" in line]
    during = f", importing {importing[-1]}" if importing else ""
    frames = tuple(_FRAME.findall(went.errors))
    is_ours = any("/_overflow/" in file for file in frames[:1])
    trace = went.errors if is_ours else _NOT_THE_APPS.sub("", went.errors)
    return Failed(problem=f"{went.ended}{during}", files=frames, trace=trace)


def _read_failure(line: Mapping[str, Any]) -> Failed:
    names, files, missing = (
        tuple(map(str, value)) if isinstance(value := line.get(key), list) else ()
        for key in ("names", "files", "missing")
    )
    trace = str(line.get("trace", ""))[-LONGEST_LOG:]
    return Failed(
        problem=str(line["problem"]), names=names, files=files, missing=missing, trace=trace
    )


def _records(bundle: Path) -> dict[str, frozenset[str]]:
    """The files of each distribution whose RECORD is in the bundle."""
    return {
        title: _listed(path)
        for pattern in RECORDS
        for path in sorted(bundle.glob(pattern))
        if (title := title_of(str(path)))
    }


def _listed(record: Path) -> frozenset[str]:
    text = record.read_text(encoding="utf-8", errors="replace")
    return frozenset(line.partition(",")[0] for line in text.splitlines())


def _glibc() -> tuple[int, int]:
    """Of this machine; (0, 0) where it has another C library."""
    return _pair(platform.libc_ver()[1])


def _glibc_of(python: str) -> tuple[int, int]:
    return RUNTIMES.get(_pair(python), (0, 0))


def _pair(version: str) -> tuple[int, int]:
    parts = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    return (parts[0], parts[1]) if len(parts) == 2 else (0, 0)
