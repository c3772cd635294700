"""Attempt: one start of a bundle, in a child that sees nothing else.

isolation.py shows it the bundle read-only and an empty /tmp, without network, on one processor;
starter.py starts it there. Where the kernel refuses namespaces (in most containers), the bundle is
started where it is, its overflow goes to another folder, and Python itself keeps it from writing to
the bundle and from the network.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overflow.process import LAMBDAS_OWN, PASSED_TO_APPS, run
from overflow.proof import ENDED, TOOK_OVER
from overflow.runtime.manifest import OVERFLOW_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

ISOLATION, STARTER = (Path(__file__).with_name(name) for name in ("isolation.py", "starter.py"))
"""What runs under the target's Python."""

TASK = "/var/task"
"""Where the bundle is in a namespace, as in Lambda."""

SECONDS = 60
"""What a start may take; six times what Lambda gives an init. Kept by a kill."""

LONGEST_LOG = 4000
"""Characters of a log that are kept, the last ones."""

FOR_NETWORK = re.compile(
    r"SSL_CERT_(FILE|DIR)|(HTTP|HTTPS|ALL|NO)_PROXY|(http|https|all|no)_proxy"
    r"|UV_(DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|INSECURE_HOST|NATIVE_TLS|SYSTEM_CERTS)"
)
"""Variables that the installer of what is deferred may need here."""


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
    network: bool = False
    """Whether the start may use it: what is deferred comes from there."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a bundle is started."""

    bundle: Path
    """Where it is on disk."""
    work: Path
    """A folder for what the start needs, and where it is not isolated, for what overflows."""
    isolated: bool

    @property
    def root(self) -> str:
        """Where the child sees the bundle."""
        return TASK if self.isolated else str(self.bundle)

    @property
    def tmp(self) -> str:
        """What the child has for /tmp."""
        return "/tmp" if self.isolated else f"{self.work}/tmp"

    @property
    def home(self) -> str:
        """A folder that is not there, and in Lambda cannot be made."""
        return "/home/sbx_user1051" if self.isolated else f"{self.work}/home"

    @property
    def overflow(self) -> str:
        """Where what overflows is put."""
        return f"{self.tmp}/{OVERFLOW_FOLDER.rpartition('/')[2]}"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What a start left behind; its texts and lines are the app's as much as ours."""

    place: Place
    said: tuple[Mapping[str, Any], ...]
    """What the two programs said, line by line."""
    output: str
    errors: str
    ended: str
    """How the process did, where it did not say so itself."""

    @property
    def refused(self) -> str | None:
        """Why it could not be isolated."""
        return next((str(line["refused"]) for line in self.said if "refused" in line), None)


def attempt(place: Place, trial: Trial, environ: Mapping[str, str]) -> Attempt:
    """Start the bundle once. Nothing it does or says is an error here."""
    (place.work / "tmp").mkdir(parents=True, exist_ok=True)
    output = place.work / f"said-{place.isolated}"
    # A virtual environment's Python is a link; what it leads to needs nothing beside it.
    python = [str(trial.python.resolve()), "-I", "-S", "-B"]
    source = STARTER.read_text(encoding="utf-8")
    environment = _environment(place, trial, environ)
    wanted = {
        "bundle": str(place.bundle),
        "isolated": place.isolated,
        "network": trial.network,
        "tmp_bytes": trial.tmp_bytes,
        "output": str(output),
        "asked": _asked(place, trial),
        "command": [*python, "-X", "faulthandler", "-c", source],
        "environment": environment,
    }
    path = place.work / "wanted.json"
    path.write_text(json.dumps(wanted), encoding="utf-8")
    began = time.monotonic()
    command = [*python, str(ISOLATION), str(path)]
    done = run(command, folder=place.work, environment=environment, seconds=SECONDS)
    is_over = time.monotonic() - began >= SECONDS
    return Attempt(
        place=place,
        said=_lines(output.read_bytes() if output.is_file() else b""),
        output=done.output,
        errors=done.errors[-LONGEST_LOG:],
        ended=TOOK_OVER.format(SECONDS) if is_over else ENDED.format(done.exit_code),
    )


def _asked(place: Place, trial: Trial) -> dict[str, object]:
    """What starter.py is to do."""
    return {
        "root": place.root,
        "modules": trial.modules,
        "guard": "" if place.isolated or trial.network else str(ISOLATION),
        "overflow_folder": "" if place.isolated else place.overflow,
    }


def _environment(place: Place, trial: Trial, environ: Mapping[str, str]) -> dict[str, str]:
    passed = {
        name: value
        for name, value in environ.items()
        if name in PASSED_TO_APPS or (trial.network and FOR_NETWORK.fullmatch(name))
    }
    own = {"LAMBDA_TASK_ROOT": place.root, "HOME": place.home, "TMPDIR": place.tmp}
    return {**passed, **LAMBDAS_OWN, **own}


def _lines(content: bytes) -> tuple[Mapping[str, Any], ...]:
    """Its objects of JSON; the app could write there too, so it is read as a stranger's."""
    found: list[Mapping[str, Any]] = []
    for line in content.splitlines():
        try:
            one = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(one, dict):
            found.append(one)
    return tuple(found)
