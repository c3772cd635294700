"""Recorder: a program for the target's Python, which imports a handler as a cold start does.

Its one argument is a file of JSON (startup.py makes it). It writes which files the imports took,
also where they failed half-way. There is no network, and where the bundle would be read-only, so
are the project's copy and what uv installed. Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import importlib
import json
import os
import sys
import threading
import time
from typing import Any

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
"""Of linux/sched.h; Python has them from 3.12 on."""

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostby", "socket.sendto")
CHANGES = frozenset(
    "os.mkdir os.rename os.remove os.rmdir os.link os.symlink os.truncate os.chmod os.chown"
    " os.utime".split()
)
"""Audit events (Python's documentation has their table)."""


class Recorder:
    """One start, and what it has imported so far."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self._wanted = wanted
        self._folders = {wanted["root"]: "", wanted["site"]: "_vendor/"}
        self._said = {"problem": "", "start": [], "demand": []}
        self._ending = threading.Lock()

    def run(self) -> None:
        """Import the handler, then what the project asks for beside it; never returns."""
        cut_off_network()
        sys.addaudithook(self._guard)
        threading.Thread(target=self._give_up, daemon=True).start()
        problem = self._import_handler()
        self._said["problem"] = problem
        self._said["start"] = self._imported()
        for name in self._wanted["modules"]:
            # What it raises or does is nobody's business: it may not be meant to be imported here.
            with contextlib.suppress(BaseException):
                importlib.import_module(name)
        self._end()

    def _import_handler(self) -> str:
        root, site = self._wanted["root"], self._wanted["site"]
        sys.path.insert(0, self._wanted["runtime"])
        paths, handler = (
            importlib.import_module(f"_overflow.{one}") for one in ("paths", "handler")
        )
        sys.path[0] = root
        try:
            paths.extend(root, [site])
            handler.load(self._wanted["handler"], self._wanted["interface"])
        except BaseException as error:  # noqa: BLE001 - the user's module may raise anything
            return f"{type(error).__name__}: {error}"
        return ""

    def _imported(self) -> list[str]:
        found = set()
        for module in list(sys.modules.values()):
            origin = getattr(getattr(module, "__spec__", None), "origin", None)
            for folder, prefix in self._folders.items():
                if isinstance(origin, str) and origin.startswith(f"{folder}/"):
                    found.add(prefix + origin[len(folder) + 1 :])
        return sorted(found)

    def _give_up(self) -> None:
        time.sleep(self._wanted["seconds"])
        if not self._said["start"]:
            self._said["problem"] = f"it took over {self._wanted['seconds']} s"
            self._said["start"] = self._imported()
        self._end()

    def _end(self) -> None:
        with self._ending:
            self._said["demand"] = self._imported()
            aside = f"{self._wanted['output']}.new"
            with open(aside, "w", encoding="utf-8") as stream:  # noqa: PTH123 - the same - as fast as it gets
                json.dump(self._said, stream)
            os.replace(aside, self._wanted["output"])  # noqa: PTH105 - pathlib would be imported with the app
            os._exit(0)  # threads and exit handlers of the app are not waited for

    def _guard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(NETWORK):
            raise OSError(errno.ENETUNREACH, "there is no network while the start is recorded")
        if event == "open":
            _, _, flags = arguments
            changed = arguments[:1] if isinstance(flags, int) and flags & WRITES else ()
        else:
            changed = arguments[:2] if event in CHANGES else ()
        for path in changed:
            if isinstance(path, (str, bytes)) and self._is_read_only(os.fsdecode(path)):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    def _is_read_only(self, path: str) -> bool:
        full = os.path.abspath(path)  # noqa: PTH100 - the same
        return any(full.startswith(f"{folder}/") for folder in self._folders)


def cut_off_network() -> None:
    """A network namespace of our own where the kernel lets us; the guard is there in any case."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNET) == 0 or libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return
    maps = {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}
    for name, text in maps.items():
        with contextlib.suppress(OSError), open(f"/proc/self/{name}", "w") as stream:  # noqa: PTH123 - no pathlib here
            stream.write(text)


def main(wanted: str) -> None:
    """Record the start that a file describes."""
    with open(wanted, encoding="utf-8") as stream:  # noqa: PTH123 - the same
        content = json.load(stream)
    os.chdir(content["root"])
    Recorder(content).run()


if __name__ == "__main__":
    main(sys.argv[1])
