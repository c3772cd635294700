"""Watch: a clock beside Python's imports, in the recorder's process (recorder.py loads it there).

It says how long each file's own execution took and its compilation, which a start with bytecode
saves; and keeps code that it has compiled, so that the next recording need not. Standard library
only.
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import math
import os
import struct
import sys
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

bootstrap: Any = import_module("importlib._bootstrap")
external: Any = import_module("importlib._bootstrap_external")
imp: Any = import_module("_imp")

EXECUTE, COMPILE = 0, 1
OVERHEAD, OURS = ("overhead", 0), ("ours", 0)
"""Finding and reading files, and the standard library; what only the recorder does."""

HIDDEN = "<frozen importlib._bootstrap>"
"""Frames of importlib, by this name, are left out of tracebacks and of warnings' stack levels."""

PREFIX = struct.Struct(">d32s")
"""What stands before code in the cache: the seconds of its compilation, a hash of the rest."""


LONGEST_ASKING = 20e-6
"""Seconds that it takes to ask for the time, at most: 2 to 4 microseconds, some 10,000 times. What
takes longer waited for a CPU meanwhile."""


class Clock:
    """Whose time it is. What is imported inside something else is no part of that one's time."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, int], float] = {}
        self._stack = [OURS]
        self._queue = queue_of_this_thread()
        self._latest = -math.inf
        self._asking = 0.0
        self._since = self.now()
        self._thread = threading.get_ident()

    def now(self) -> float:
        """Seconds of this thread's life, less those in which it waited for a CPU, or asked this.

        A machine that builds is busy with more than this; where Linux does not say how long a
        thread has waited, that is in it.
        """
        passed = time.perf_counter() - self._asking
        waited = os.pread(self._queue, 100, 0).split()[1] if self._queue >= 0 else 0
        # A wait between the two is taken off too early: what is missing now is there next time.
        self._latest = max(self._latest, passed - int(waited) * 1e-9)
        took = time.perf_counter() - self._asking - passed
        self._asking += min(took, LONGEST_ASKING)
        return self._latest

    def timed(self, key: tuple[str, int], function: Callable[..., Any], *its: Any) -> Any:
        """Call a function in the name of `key`. Another thread's time is nobody's."""
        if threading.get_ident() != self._thread:
            return function(*its)
        self._turn()
        self._stack.append(key)
        try:
            return function(*its)
        finally:
            self._turn()
            self._stack.pop()

    def add(self, key: tuple[str, int], seconds: float) -> None:
        """Seconds that passed at another time."""
        self.seconds[key] = self.seconds.get(key, 0.0) + seconds

    def _turn(self) -> None:
        now = self.now()
        self.add(self._stack[-1], now - self._since)
        self._since = now


def queue_of_this_thread() -> int:
    """A file whose second number is nanoseconds on a run queue, or -1 (Linux: sched-stats)."""
    try:
        return os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


class Watch:
    """Python's own way to import, with a clock beside it, and code that was compiled before."""

    def __init__(self, folders: dict[str, str], cache: str) -> None:
        self.clock = Clock()
        self.unfinished: set[str] = set()
        """Files whose execution has begun and has not come to a good end."""
        self.fresh: dict[str, bytes] = {}
        """What the cache could be given, by name."""
        self._folders, self._cache = folders, cache
        self._compile = external.SourceLoader.source_to_code

    def name_of(self, path: object) -> str:
        """A file's path in the bundle; empty for what is not of the bundle."""
        if isinstance(path, str):
            for folder, prefix in self._folders.items():
                if path.startswith(f"{folder}/"):
                    return prefix + path[len(folder) + 1 :]
        return ""

    def imported(self) -> dict[str, list[float]]:
        """Seconds of execution and of compilation by file, also of those with their own loaders."""
        specs = (getattr(module, "__spec__", None) for module in list(sys.modules.values()))
        names = {self.name_of(getattr(spec, "origin", None)) for spec in specs}
        seconds = dict(self.clock.seconds)
        names |= {name for name, _ in seconds.keys() - {OVERHEAD, OURS}}
        return {
            name: [seconds.get((name, EXECUTE), 0.0), seconds.get((name, COMPILE), 0.0)]
            for name in sorted(names - {""})
        }

    @property
    def overhead(self) -> float:
        """Seconds that are no file's: finding and reading, and the standard library."""
        return self.clock.seconds.get(OVERHEAD, 0.0)

    def timed(self, function: Callable[..., Any], *its: Any) -> Any:
        """Call what imports something."""
        return self.clock.timed(OVERHEAD, function, *its)

    def begin(self) -> None:
        """From now on, all imports are watched."""
        timed, name_of, find = self.clock.timed, self.name_of, bootstrap._find_and_load  # noqa: SLF001 - there is no other way
        get_code = external.SourceLoader.get_code

        def find_and_load(name: str, import_: Any) -> Any:
            return timed(OVERHEAD, find, name, import_)

        def source_to_code(loader: Any, data: Any, path: Any, *rest: Any, **named: Any) -> Any:
            name = name_of(os.fsdecode(path))
            # Lambda has the standard library's bytecode, wherever this Python has lost its own.
            key = (name, COMPILE) if name else OURS
            return timed(key, lambda: self._compile(loader, data, path, *rest, **named))

        def known_code(loader: Any, fullname: str) -> Any:
            name = name_of(loader.path)
            if not name or type(loader).source_to_code is not source_to_code:
                return get_code(loader, fullname)  # of a loader that makes code its own way
            return self._code(loader, name)

        for function in (find_and_load, source_to_code, known_code, Clock.timed):
            function.__code__ = function.__code__.replace(co_filename=HIDDEN)
        bootstrap._find_and_load = find_and_load  # noqa: SLF001 - the same
        external.SourceLoader.source_to_code = source_to_code
        external.SourceLoader.get_code = known_code
        self._watch(external._LoaderBasics, "exec_module")  # noqa: SLF001 - the same
        for step in ("create_module", "exec_module"):  # the first is the dynamic linker's work
            self._watch(external.ExtensionFileLoader, step)

    def _watch(self, loaders: Any, step: str) -> None:
        """Have a step of loaders timed in the name of the file that they load."""
        original, timed, name_of = getattr(loaders, step), self.clock.timed, self.name_of

        def watched(loader: Any, argument: Any) -> Any:
            name = name_of(getattr(loader, "path", None))
            if not name:
                return timed(OVERHEAD, original, loader, argument)
            self.unfinished.add(name)
            result = timed((name, EXECUTE), original, loader, argument)
            self.unfinished.discard(name)
            return result

        watched.__code__ = watched.__code__.replace(co_filename=HIDDEN)
        setattr(loaders, step, watched)

    def _code(self, loader: Any, name: str) -> Any:
        """Code of a source: reading it into memory is a part of each start, compiling is not."""
        timed, path = self.clock.timed, loader.path
        source = timed(OVERHEAD, loader.get_data, path)
        key = timed(OURS, key_of, source)
        known = timed(OURS, self._known, key)
        if known is None:
            started = self.clock.now()
            code = timed(OURS, self._compile, loader, source, path)
            seconds = self.clock.now() - started
            data = timed(OURS, marshal.dumps, code)
            self.fresh[key] = timed(OURS, sealed, seconds, data)
        else:
            seconds, data = known
        self.clock.add((name, COMPILE), seconds)
        return timed((name, EXECUTE), loaded, data, path)

    def _known(self, key: str) -> tuple[float, bytes] | None:
        try:
            with open(f"{self._cache}/{key}", "rb") as stream:  # noqa: PTH123 - as fast as it gets
                return unsealed(stream.read())
        except OSError:
            return None

    def keep(self) -> None:
        """Give the cache what it has not; a reader finds all of an entry or nothing."""
        with contextlib.suppress(OSError):
            for key, content in list(self.fresh.items()):
                aside = f"{self._cache}/{key}.{os.getpid()}"
                with open(aside, "wb") as stream:  # noqa: PTH123 - the same
                    stream.write(content)
                os.replace(aside, f"{self._cache}/{key}")  # noqa: PTH105 - no pathlib here


def key_of(source: bytes) -> str:
    """A name in the cache: the same source and Python give the same code, but for its path."""
    said = f"{sys.version} {sys.flags.optimize}".encode()
    return hashlib.sha256(said + b"\0" + source).hexdigest()


def sealed(seconds: float, data: bytes) -> bytes:
    """An entry of the cache. The hash finds damage, on which marshal would crash, not malice."""
    return PREFIX.pack(seconds, hashlib.sha256(data).digest()) + data


def unsealed(content: bytes) -> tuple[float, bytes] | None:
    """Seconds and code of an entry; None where it is damaged."""
    if len(content) < PREFIX.size:
        return None
    seconds, digest = PREFIX.unpack_from(content)
    data = content[PREFIX.size :]
    if hashlib.sha256(data).digest() != digest or not 0 <= seconds < float("inf"):
        return None
    return seconds, data


def loaded(data: bytes, path: str) -> CodeType:
    """Code as a start gets it from bytecode, with the right path in tracebacks."""
    code: CodeType = marshal.loads(data)  # noqa: S302 - of this Python, and with its hash
    imp._fix_co_filename(code, path)  # noqa: SLF001 - as importlib does
    return code
