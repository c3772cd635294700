"""Install: put the deferred distributions into /tmp, once per execution environment.

The race, in prose: Lambda may kill an init at any moment and start another one over the same
/tmp, and one environment may run several processes. So the folder at its final name counts only
with a marker that names this very build; the marker is written last, by rename; the folder
appears by rename too; all work happens aside, under a lock that dies with its holder. Whoever
gets the lock second looks again before working. What a killed process left aside is removed by
the next one that holds the lock.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from . import lock
from .manifest import INSTALLER_FILE, REQUIREMENTS_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .manifest import Deferred, Manifest

MARKER = ".installed"

ROOM = 1.02
"""Free space asked for, per byte installed: what uv keeps beside the files is small."""

PASSED_ON = frozenset(
    "PATH LD_LIBRARY_PATH LANG LC_ALL TZ SSL_CERT_FILE SSL_CERT_DIR"
    " HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY"
    " UV_DEFAULT_INDEX UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_INSECURE_HOST"
    " UV_NATIVE_TLS UV_REQUEST_TIMEOUT UV_SYSTEM_CERTS".split()
)
PASSED_ON_PREFIXES = ("UV_CONCURRENT_", "UV_HTTP_", "UV_INDEX")
"""What uv may see of the function's environment: its secrets are none of uv's business.

LD_LIBRARY_PATH: Lambda's Python, which uv asks for its version, finds libpython through it.
"""


class InstallError(RuntimeError):
    """The overflow could not be installed; the message says why and what to do."""


def ensure(manifest: Manifest, deferred: Deferred, root: str) -> None:
    """Have the deferred distributions at manifest.overflow_folder; root: the bundle's folder.

    Raises InstallError where uv fails or /tmp is too small; nothing is then taken for whole.
    """
    if is_ready(manifest):
        print("Using cached runtime dependencies", flush=True)
        return
    with lock.held(f"{manifest.overflow_folder}.lock"):
        if is_ready(manifest):
            print("Using cached runtime dependencies", flush=True)
            return
        print("Installing runtime dependencies...", flush=True)
        started = time.perf_counter()
        _install(manifest, deferred, root)
        seconds = time.perf_counter() - started
        print(f"Runtime dependencies installed in {seconds:.2f}s", flush=True)


def is_ready(manifest: Manifest) -> bool:
    """Whether the overflow of this very build is in place."""
    try:
        with open(f"{manifest.overflow_folder}/{MARKER}", "rb") as marker:
            return marker.read() == manifest.build.encode()
    except OSError:
        return False


def _install(manifest: Manifest, deferred: Deferred, root: str) -> None:
    folder = manifest.overflow_folder
    work = f"{folder}.work"
    _remove(work)
    _remove(folder)
    _check_room(os.path.dirname(folder), deferred)
    os.makedirs(f"{work}/home")
    try:
        _run_uv(_command(deferred, root, work), _environment(os.environ, work))
        os.rename(f"{work}/tree", folder)
    finally:
        _remove(work)
    _write_marker(folder, manifest.build)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _check_room(folder: str, deferred: Deferred) -> None:
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    needed = int(deferred.size * ROOM)
    if free < needed:
        raise InstallError(
            f"{folder} has {_mb(free)} free and the runtime dependencies need {_mb(needed)}:"
            " give the function more ephemeral storage (EphemeralStorage)"
        )


def _mb(size: int) -> str:
    return f"{size / (1024 * 1024):.0f} MB"


def _command(deferred: Deferred, root: str, work: str) -> list[str]:
    indexes = [option for index in deferred.indexes for option in ("--index", index)]
    # The pins are exact and hashed, so which index answers first is no question of trust.
    strategy = ["--index-strategy", "unsafe-best-match"] if indexes else []
    return [
        f"{root}/{INSTALLER_FILE}",
        *("pip", "install", "--no-config", "--no-deps", "--require-hashes", "--only-binary"),
        *(":all:", "--no-compile-bytecode", "--no-progress", "--link-mode", "hardlink"),
        *("--cache-dir", f"{work}/cache", "--target", f"{work}/tree"),
        *("--python", sys.executable, *indexes, *strategy),
        *("--requirements", f"{root}/{REQUIREMENTS_FILE}"),
    ]


def _environment(environ: Mapping[str, str], work: str) -> dict[str, str]:
    passed = {
        name: value
        for name, value in environ.items()
        if name.upper() in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)
    }
    # Lambda's HOME is not there or not writable, and the rest of /tmp is not ours to fill.
    return {
        **passed,
        "HOME": f"{work}/home",
        "TMPDIR": f"{work}/home",
        "UV_NO_INSTALLER_METADATA": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }


def _run_uv(command: list[str], environment: dict[str, str]) -> None:
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise InstallError(
            f"{command[0]} does not start ({error.strerror}): was the bundle uploaded as"
            " function.zip, with its executable bits?"
        ) from error
    if done.returncode != 0:
        raise InstallError(
            f"uv could not install the runtime dependencies (exit code {done.returncode}):\n"
            f"{done.stdout.strip()}"
        )


def _write_marker(folder: str, build: str) -> None:
    aside = f"{folder}/{MARKER}.new"
    with open(aside, "w", encoding="utf-8") as marker:
        marker.write(build)
    os.rename(aside, f"{folder}/{MARKER}")
