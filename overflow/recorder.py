"""Recorder: a program for the target's Python, which imports a handler as a cold start does.

Its one argument is a file of JSON (startup.py makes it). It writes which files the imports took
and the seconds of each, also where they failed half-way. There is no network, and where the
bundle would be read-only, so are the project's copy and what uv installed. Standard library only.
"""

from __future__ import annotations

import contextlib
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

CLIENTS = ("decimal", "json", "logging", "traceback")
"""What Lambda's client has imported by then (awslambdaric): these, and all that they import."""


class Recorder:
    """One start, and what it has imported so far."""

    def __init__(self, wanted: dict[str, Any], watch: Watch, launched: float) -> None:
        self._wanted = wanted
        self._launched = launched  # seconds of CPU that Python took to come to this file's end
        self._watch = watch
        self._said: dict[str, Any] = {"problem": ""}
        self._ending = threading.Lock()

    def run(self) -> None:
        """Import the handler, then what the project asks for beside it; never returns."""
        isolation = load("isolation")
        isolation.take_one_processor()
        isolation.cut_off_network()
        sys.addaudithook(isolation.guard(lambda path: bool(self._watch.name_of(path))))
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

        before = time.process_time()
        for name in CLIENTS:
            importlib.import_module(name)
        self._said["interpreter"] = self._launched + time.process_time() - before
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
            self._said["failed"] = sorted(self._watch.unfinished)
            aside = f"{self._wanted['output']}.new"
            with open(aside, "w", encoding="utf-8") as stream:  # noqa: PTH123 - the same
                json.dump(self._said, stream)
            os.replace(aside, self._wanted["output"])  # noqa: PTH105 - pathlib would be imported with the app
            self._watch.keep()
            os._exit(0)  # threads and exit handlers of the app are not waited for


def main(wanted: str) -> None:
    """Record the start that a file describes."""
    launched = time.process_time()
    with open(wanted, encoding="utf-8") as stream:  # noqa: PTH123 - the same
        content = json.load(stream)
    os.chdir(content["root"])
    folders = {content["root"]: "", content["site"]: "_vendor/"}
    watch = load("watch").Watch(folders, content["cache"])
    Recorder(content, watch, launched).run()


def load(name: str) -> Any:
    """A module beside this file, under a name that no app has, and without a folder in sys.path."""
    path = f"{os.path.dirname(__file__)}/{name}.py"  # noqa: PTH120 - the same
    spec = spec_from_file_location(f"_overflow_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(sys.argv[1])
