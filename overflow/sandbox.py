"""Sandbox: what a build in a container may see and write, as docker's arguments.

A build runs other people's code (build hooks of source distributions), so it gets no token, no
docker socket, no file of the runner's and none of its variables beyond those named here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from overflow.inputs import VERCEL_SWITCH, VERCEL_TMP
from overflow.options import OPTIONS, SWITCHES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BUILD_VARIABLES = frozenset(
    {option.variable for option in OPTIONS} | set(SWITCHES) | {VERCEL_SWITCH, VERCEL_TMP}
)
"""What a build is asked for; the folders are set by the launcher."""

CERTIFICATES = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
)
"""Variables that name a file or folder of certificates: handed in, and what they name, too."""

_PASSED = re.compile(
    # An index, and who we are there (uv's names); git's own settings by variable; proxies.
    r"UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|INDEX_STRATEGY"
    r"|INDEX_[A-Z0-9_]+_(USERNAME|PASSWORD)|HTTP_TIMEOUT|HTTP_RETRIES|CONCURRENT_\w+"
    r"|INSECURE_HOST|NATIVE_TLS|SYSTEM_CERTS|EXCLUDE_NEWER|PRERELEASE|RESOLUTION)"
    r"|GIT_CONFIG_(COUNT|KEY_\d+|VALUE_\d+)"
    r"|(HTTP|HTTPS|ALL|NO)_PROXY|(http|https|all|no)_proxy"
    r"|SOURCE_DATE_EPOCH|CFLAGS|CXXFLAGS|CPPFLAGS|LDFLAGS|MAKEFLAGS|RUSTFLAGS|CI"
)


def handed_in(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of ours that a sandboxed build may see."""
    return {
        name: value
        for name, value in environ.items()
        if value and (name in BUILD_VARIABLES or name in CERTIFICATES or _PASSED.fullmatch(name))
    }


MOST_PROCESSES = "4096"
"""Processes and threads in a container: a build has hundreds, a fork bomb has more."""


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder or file of the host, and where the container sees it."""

    source: str
    target: str
    writable: bool = False

    @property
    def argument(self) -> str:
        """As docker's --mount takes it: a comma in a path needs CSV's quotes."""
        fields = ["type=bind", f"source={self.source}", f"target={self.target}"]
        fields += [] if self.writable else ["readonly"]
        return ",".join(_csv(field) for field in fields)


def docker_run(
    image: str,
    command: Sequence[str],
    *,
    mounts: Sequence[Mount],
    settings: Mapping[str, str],
    handed_in: Iterable[str],
    user: tuple[int, int],
    folder: str,
    name: str,
) -> list[str]:
    """The command that runs another one in the build image.

    settings: variables of the launcher's own making. handed_in: names of variables; docker takes
    their values, which may be passwords, from its environment, so that no command line shows them.
    user: uid and gid. name: the container's, by which it can be killed.
    """
    uid, gid = user
    arguments = ["docker", "run", "--rm", "--init", "--name", name, "--user", f"{uid}:{gid}"]
    arguments += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only"]
    arguments += ["--pids-limit", MOST_PROCESSES]
    arguments += ["--tmpfs", "/tmp:exec,mode=1777", "--workdir", folder]
    for mount in mounts:
        arguments += ["--mount", mount.argument]
    for variable, value in settings.items():
        arguments += ["--env", f"{variable}={value}"]
    for variable in sorted(handed_in):
        arguments += ["--env", variable]
    return [*arguments, image, *command]


def _csv(field: str) -> str:
    return '"' + field.replace('"', '""') + '"' if re.search(r'[",\r\n]', field) else field
