"""Starter: a program for the target's Python that starts a bundle as Lambda does, and times it.

isolation.py becomes it, and gives what is wanted as JSON on standard input. It writes a line of
JSON for the start, and one for each module that it cannot import afterwards. The clock runs from
the start of the process, and stands still while that waits for a CPU which somebody else has.
Standard library only, and little of it: what is imported here is not imported by the app.
"""

from __future__ import annotations

import json
import os
import sys
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Any

TRAMPOLINE = "overflow_trampoline"

LONGEST = 4000
"""Characters of a text that is passed on."""

MOST_FRAMES = 100


def main(wanted: dict[str, Any]) -> None:
    """Start the bundle, then import what else is wanted of it; never returns."""
    root, output = wanted["root"], wanted["output"]
    sys.path.insert(0, root)
    if wanted["guard"]:
        _guard(wanted["guard"], root)
    if wanted["overflow_folder"]:
        _move_overflow(wanted["overflow_folder"])
    try:
        __import__(TRAMPOLINE).handler  # noqa: B018 - that it is there
    except BaseException as error:  # noqa: BLE001 - the user's module may raise anything
        said = described(error, root)
    else:
        elapsed = perf_counter() - wanted["started"]
        said = {"elapsed": elapsed, "seconds": elapsed - max(0.0, _waited() - wanted["waited"])}
    _end_output()
    _say(output, said)
    if "seconds" in said:
        for name in wanted["modules"]:
            _say(output, {"importing": name})
            try:
                __import__(name)
            except BaseException as error:  # noqa: BLE001 - the same
                _say(output, {"module": name, **described(error, root)})
        _say(output, {"end": True})
    os._exit(0)  # threads and exit handlers of the app are not waited for


def described(error: BaseException, root: str) -> dict[str, Any]:
    """What an exception says, and the files it names or came through, the first cause's first.

    root: the bundle's folder. The trace begins with the app's own frames.
    """
    import traceback  # noqa: PLC0415 - a start that succeeds has not imported it

    chain = list(_chain(error))[::-1]
    files: list[str] = []
    for one in chain:
        named = one.filename if isinstance(one, SyntaxError) else getattr(one, "path", None)
        files += [str(named)] if named else []
        frames = traceback.extract_tb(one.__traceback__, limit=-MOST_FRAMES)
        files += [frame.filename for frame in frames][::-1]
    for one in chain:
        one.__traceback__ = _of_the_app(one.__traceback__, root)
    names = [str(one.name) for one in chain if isinstance(one, ImportError) and one.name]
    missing = [str(one.filename) for one in chain if isinstance(one, OSError) and one.filename]
    return {
        "kind": type(error).__name__,
        "problem": f"{type(error).__name__}: {error}"[:LONGEST],
        "trace": "".join(traceback.format_exception(type(error), error, error.__traceback__))[
            -LONGEST:
        ],
        "names": names[:MOST_FRAMES],
        "files": files[:MOST_FRAMES],
        "missing": missing[:MOST_FRAMES],
    }


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """It, then what caused it, and so on."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _of_the_app(trace: TracebackType | None, root: str) -> TracebackType | None:
    """Without how the app came to be imported; all of it where overflow's own code failed."""
    import importlib  # noqa: PLC0415 - as traceback

    others = {main.__code__.co_filename, importlib.__file__, f"{root}/{TRAMPOLINE}.py"}
    first, file = trace, ""
    while first is not None:
        file = first.tb_frame.f_code.co_filename
        if file not in others and not file.startswith((f"{root}/_overflow/", "<frozen ")):
            return first
        first = first.tb_next
    return trace if file.startswith(f"{root}/_overflow/") else None


def _waited() -> float:
    """As in isolation.py, whose process this was."""
    try:
        with open("/proc/thread-self/schedstat", "rb") as stream:  # noqa: PTH123 - no pathlib here
            return int(stream.read().split()[1]) * 1e-9
    except OSError:
        return 0.0


def _guard(path: str, root: str) -> None:
    """The audit hook of isolation.py, which is this file."""
    isolation: dict[str, Any] = {"__name__": "_overflow_isolation"}
    with open(path, "rb") as stream:  # noqa: PTH123 - no pathlib here
        exec(compile(stream.read(), path, "exec"), isolation)  # noqa: S102 - ours
    prefix = f"{root}/"
    sys.addaudithook(isolation["guard"](lambda full: full.startswith(prefix)))


def _move_overflow(folder: str) -> None:
    """Have the bundle's manifest name another folder for what overflows."""
    manifest: Any = __import__("_overflow.manifest", fromlist=["from_json"])
    read = manifest.from_json
    manifest.from_json = lambda text: read(text)._replace(overflow_folder=folder)


def _end_output() -> None:
    """What is printed from now on is no part of the start."""
    try:
        sys.stdout.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except (OSError, ValueError, AttributeError):  # the app may have closed or replaced it
        pass


def _say(output: int, said: dict[str, Any]) -> None:
    os.write(output, (json.dumps(said) + "\n").encode())


if __name__ == "__main__":
    main(json.load(sys.stdin))
