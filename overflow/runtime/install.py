"""Install: have uv put the deferred distributions into /tmp (the protocol is in ready.py)."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from . import ready
from .manifest import INSTALLER_FILE, REQUIREMENTS_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .manifest import Deferred

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


def fill(folder: str, deferred: Deferred, root: str) -> None:
    """Put the deferred distributions into `folder`, anew; root: the bundle's folder.

    Raises InstallError where uv fails or /tmp is too small.
    """
    work = f"{folder}.work"
    ready.remove(work)
    ready.remove(folder)
    ready.check_room(os.path.dirname(folder), deferred.size)
    os.makedirs(f"{work}/home")
    try:
        _run_uv(_command(deferred, root, work), _environment(os.environ, work))
        os.rename(f"{work}/tree", folder)
    finally:
        ready.remove(work)


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
        raise ready.InstallError(
            f"{command[0]} does not start ({error.strerror}): was the bundle uploaded as"
            " function.zip, with its executable bits?"
        ) from error
    if done.returncode != 0:
        raise ready.InstallError(
            f"uv could not install the runtime dependencies (exit code {done.returncode}):\n"
            f"{done.stdout.strip()}"
        )
