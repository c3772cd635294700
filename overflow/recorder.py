"""Recorder: a program for the target's Python, which imports a handler as a cold start does.

Its one argument is a file of JSON (startup.py makes it). It writes which files the imports took
and the seconds of each, also where they failed half-way. There is no network, and where the
bundle would be read-only, so are the project's copy and what uv installed. Standard library only.
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
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overflow.watch import Watch

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

    def __init__(self, wanted: dict[str, Any], watch: Watch) -> None:
        self._wanted = wanted
        self._watch = watch
        self._said: dict[str, Any] = {"problem": ""}
        self._ending = threading.Lock()

    def run(self) -> None:
        """Import the handler, then what the project asks for beside it; never returns."""
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # Lambda has one at start-up
        cut_off_network()
        sys.addaudithook(self._guard)
        threading.Thread(target=self._give_up, daemon=True).start()
        self._said["problem"] = self._import_handler()
        self._end_start()
        for name in self._wanted["modules"]:
            # What it raises or does is nobody's business: it may not be meant to be imported here.
            with contextlib.suppress(BaseException):
                self._watch.timed(importlib.import_module, name)
        self._end()

    def _import_handler(self) -> str:
        root = self._wanted["root"]
        sys.path.insert(0, self._wanted["runtime"])
        paths, handler = (
            importlib.import_module(f"_overflow.{one}") for one in ("paths", "handler")
        )
        sys.path[0] = root

        def start() -> None:
            paths.extend(root, [self._wanted["site"]])
            handler.load(self._wanted["handler"], self._wanted["interface"])

        self._watch.begin()
        try:
            self._watch.timed(start)
        except BaseException as error:  # noqa: BLE001 - the user's module may raise anything
            return f"{type(error).__name__}: {error}"
        return ""

    def _end_start(self) -> None:
        self._said["overhead"] = self._watch.overhead
        self._said["unfinished"] = sorted(self._watch.unfinished)
        self._said["start"] = self._watch.imported()

    def _give_up(self) -> None:
        time.sleep(self._wanted["seconds"])
        if "start" not in self._said:
            self._said["problem"] = f"it took over {self._wanted['seconds']} s"
            self._end_start()
        self._end()

    def _end(self) -> None:
        with self._ending:
            start = self._said["start"]
            both = self._watch.imported()
            self._said["demand"] = {name: both[name] for name in both.keys() - start.keys()}
            aside = f"{self._wanted['output']}.new"
            with open(aside, "w", encoding="utf-8") as stream:  # noqa: PTH123 - the same
                json.dump(self._said, stream)
            os.replace(aside, self._wanted["output"])  # noqa: PTH105 - pathlib would be imported with the app
            self._watch.keep()
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
        return bool(self._watch.name_of(full))


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
    watch = load_watch().Watch({content["root"]: "", content["site"]: "_vendor/"}, content["cache"])
    Recorder(content, watch).run()


def load_watch() -> Any:
    """watch.py beside this file, under a name that no app has, and without a folder in sys.path."""
    path = f"{os.path.dirname(__file__)}/watch.py"  # noqa: PTH120 - the same
    spec = spec_from_file_location("_overflow_watch", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(sys.argv[1])
