"""Proving: start a bundle as Lambda does, in a child that sees nothing else, and judge how it went.

isolation.py shows it the bundle read-only and an empty /tmp, without network, on one processor;
starter.py starts it there. Where the kernel refuses namespaces (in most containers), the bundle is
started where it is, its overflow goes to another folder, and Python itself keeps it from writing to
the bundle and from the network; the proof says so.
"""

from __future__ import annotations

import json
import platform
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overflow.culprit import RECORDS, culprit, title_of
from overflow.errors import InputFault
from overflow.limits import RUNTIMES
from overflow.process import run
from overflow.proof import ENDED, LONGEST, TOOK_OVER, Cold, Failed, Outcome, Proof, judge
from overflow.runtime.manifest import MANIFEST_FILE, OVERFLOW_FOLDER, Manifest, from_json
from overflow.startup import LAMBDAS_OWN, PASSED_ON

if TYPE_CHECKING:
    from collections.abc import Mapping

ISOLATION, STARTER = (Path(__file__).with_name(name) for name in ("isolation.py", "starter.py"))
"""What runs under the target's Python."""

TASK = "/var/task"
"""Where the bundle is in a namespace, as in Lambda."""

SECONDS = 60
"""What a start may take; six times what Lambda gives an init. Kept by a kill."""

HOME = "/home/sbx_user1051"
"""Lambda's, which is not there."""

FOR_NETWORK = re.compile(
    r"SSL_CERT_(FILE|DIR)|(HTTP|HTTPS|ALL|NO)_PROXY|(http|https|all|no)_proxy"
    r"|UV_(DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|INSECURE_HOST|NATIVE_TLS|SYSTEM_CERTS)"
)
"""Variables that the installer of what is deferred may need here."""

WITHOUT = "without isolation: {}"

_INSTALLED = re.compile(
    r"(?m)^(?:Runtime dependencies installed|Installed \S+ on first import) in (\d+\.\d+)s$"
)
"""What the runtime prints once something is in place (runtime/ready.py, runtime/lazy.py)."""

_FRAME = re.compile(r'(?m)^  File "([^"]+)", line \d+')


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How a bundle is to be started."""

    python: Path
    """One of the function's version."""
    tmp_bytes: int
    """Of the function's /tmp."""
    modules: tuple[str, ...] = ()
    """What is to be imported after the handler, and could be before it was bundled."""
    before: str | None = None
    """How the handler's import ended before it was bundled: empty for well, None for not tried."""
    layers: bool = False
    """Whether the function has any."""


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What a child left behind."""

    lines: tuple[Mapping[str, Any], ...]
    output: str
    errors: str
    ended: str
    """How the process did, where it did not say the rest."""


def read_manifest(bundle: Path) -> Manifest:
    """The manifest of a bundle; raises InputFault `bundle-invalid`."""
    try:
        return from_json((bundle / MANIFEST_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputFault(
            "bundle-invalid",
            f"{bundle} is not a bundle of this version of overflow: {error}",
            hint="name a folder that `overflow build` wrote, or bundle/ in it",
        ) from error


def prove(bundle: Path, trial: Trial, work: Path, environ: Mapping[str, str]) -> Proof:
    """Start the bundle, once; work: a new folder for what that needs. Raises InputFault."""
    manifest = read_manifest(bundle)
    work.mkdir(parents=True)
    said = _start(bundle.resolve(), manifest, trial, work.resolve(), environ, isolated=True)
    refused = next((str(line["refused"]) for line in said.lines if "refused" in line), None)
    if refused is None:
        return _proof(said, manifest, trial, bundle, root=TASK, overflow=OVERFLOW_FOLDER)
    said = _start(bundle.resolve(), manifest, trial, work.resolve(), environ, isolated=False)
    root, overflow = str(bundle.resolve()), _other_overflow(work)
    found = _proof(said, manifest, trial, bundle, root=root, overflow=overflow)
    notes = filter(None, (found.note, WITHOUT.format(refused)))
    return replace(found, note="; ".join(notes))


def _other_overflow(work: Path) -> str:
    return f"{work.resolve()}/tmp/{OVERFLOW_FOLDER.rpartition('/')[2]}"


def _start(
    bundle: Path,
    manifest: Manifest,
    trial: Trial,
    work: Path,
    environ: Mapping[str, str],
    *,
    isolated: bool,
) -> _Said:
    output, network = work / f"said-{isolated}", manifest.deferred is not None
    # A virtual environment's Python is a link; what it leads to needs nothing beside it.
    python = str(trial.python.resolve())
    root = TASK if isolated else str(bundle)
    (work / "tmp").mkdir(exist_ok=True)
    asked = {
        "root": root,
        "modules": list(trial.modules),
        "guard": "" if isolated or network else str(ISOLATION),
        "overflow_folder": "" if isolated else _other_overflow(work),
    }
    passed = {
        name: value
        for name, value in environ.items()
        if name in PASSED_ON or (network and FOR_NETWORK.fullmatch(name))
    }
    environment = {**passed, **LAMBDAS_OWN, "LAMBDA_TASK_ROOT": root, "HOME": HOME}
    source = STARTER.read_text(encoding="utf-8")
    wanted = {
        "bundle": str(bundle),
        "isolated": isolated,
        "network": network,
        "tmp_bytes": trial.tmp_bytes,
        "output": str(output),
        "asked": asked,
        "command": [python, "-I", "-S", "-B", "-X", "faulthandler", "-c", source],
        "environment": environment | ({} if isolated else {"TMPDIR": str(work / "tmp")}),
    }
    return _run(python, wanted, work, output, passed)


def _run(
    python: str, wanted: Mapping[str, Any], work: Path, output: Path, passed: Mapping[str, str]
) -> _Said:
    path = work / "wanted.json"
    path.write_text(json.dumps(wanted), encoding="utf-8")
    command = [python, "-I", "-S", "-B", str(ISOLATION), str(path)]
    began = time.monotonic()
    done = run(command, folder=work, environment=passed, seconds=SECONDS)
    is_over = time.monotonic() - began >= SECONDS
    return _Said(
        lines=_lines(output.read_bytes() if output.is_file() else b""),
        output=done.output,
        errors=done.errors,
        ended=TOOK_OVER.format(SECONDS) if is_over else ENDED.format(done.exit_code),
    )


def _lines(content: bytes) -> tuple[Mapping[str, Any], ...]:
    """What the starter said; the app could write there too, so it is read as a stranger's."""
    found: list[Mapping[str, Any]] = []
    for line in content.splitlines():
        try:
            one = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(one, dict):
            found.append(one)
    return tuple(found)


def _proof(
    said: _Said, manifest: Manifest, trial: Trial, bundle: Path, *, root: str, overflow: str
) -> Proof:
    seconds = next((line["seconds"] for line in said.lines if "seconds" in line), None)
    cold = _cold(seconds, said.output)
    failed, outcome, note = _failed(said, has_started=cold is not None), Outcome.PROVEN, ""
    if failed is None:
        return Proof(outcome=outcome, cold=cold)
    version = tuple(map(int, manifest.python.split(".")))
    outcome, note = judge(
        failed,
        before="" if cold else trial.before,
        inside=(f"{root}/", f"{overflow}/"),
        layers=trial.layers,
        old_machine=_glibc() < RUNTIMES.get((version[0], version[1]), (0, 0)),
    )
    records = {
        title: _recorded(path)
        for pattern in RECORDS
        for path in sorted(bundle.glob(pattern))
        if (title := title_of(str(path)))
    }
    return Proof(
        outcome=outcome,
        cold=cold,
        problem=failed.problem[:LONGEST],
        distribution=culprit(failed, records, root=root, overflow_folder=overflow),
        trace=failed.trace,
        note=note[: LONGEST * 2],
    )


def _cold(seconds: object, output: str) -> Cold | None:
    if not isinstance(seconds, (int, float)) or not 0 <= seconds <= SECONDS:
        return None
    install = sum(float(one) for one in _INSTALLED.findall(output))
    return Cold(total=float(seconds), install=min(install, float(seconds)))


def _failed(said: _Said, *, has_started: bool) -> Failed | None:
    """What went wrong at first; None where all went well."""
    for line in said.lines:
        if "problem" in line:
            before = f"while importing {line['module']}: " if "module" in line else ""
            return replace(_read_failed(line), trace=before + str(line.get("trace", "")))
    if has_started and any("end" in line for line in said.lines):
        return None
    frames = _FRAME.findall(said.errors)
    return Failed(problem=said.ended, files=tuple(frames), trace=said.errors[-4000:])


def _read_failed(line: Mapping[str, Any]) -> Failed:
    texts = {
        key: tuple(map(str, value)) if isinstance(value := line.get(key), list) else ()
        for key in ("names", "files", "missing")
    }
    return Failed(problem=str(line["problem"]), **texts)


def _recorded(record: Path) -> frozenset[str]:
    text = record.read_text(encoding="utf-8", errors="replace")
    return frozenset(line.partition(",")[0] for line in text.splitlines())


def _glibc() -> tuple[int, int]:
    """Of this machine; (0, 0) where it has another C library."""
    version = platform.libc_ver()[1].split(".")
    parts = [int(part) for part in version[:2] if part.isdigit()]
    return (parts[0], parts[1]) if len(parts) == 2 else (0, 0)
