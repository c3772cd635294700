"""Console: what a person sees while it works, and one line a step for a log.

Everything that is printed goes through plain(): names and other programs' words are hostile text.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from overflow.errors import Fault

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """`text` without what a terminal or a CI runner would act on; its line breaks stay.

    Control and direction characters become visible escapes. Workflow commands are broken up:
    `::name::` counts at the start of a line, `##[name]` anywhere (actions/runner).
    """
    shown = _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", text)
    shown = shown.replace("##[", "# #[")
    return re.sub(r"(?m)^(\s*)::", r"\1: :", shown)


def write(stream: TextIO | None, text: str) -> None:
    """Write to a stream whose reader may have gone: no reason for a build to fail."""
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except OSError:
        _silence(stream)


def _silence(stream: TextIO) -> None:
    # Python flushes its streams at exit, and would fail there once more.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Console:
    """Steps with their durations, notes and faults, on one stream."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream  # None where our caller has closed it
        self.seconds: dict[str, float] = {}
        """How long each step took, by the step's key."""

    @contextmanager
    def step(self, key: str, title: str) -> Iterator[Callable[[str], None]]:
        """A step: shows it while it lasts and says how long it took.

        Gives a function that replaces the title (with what was found, say).
        """
        shown = [title]
        started = time.perf_counter()
        with self._live(title):
            yield lambda better: shown.__setitem__(0, better)
        self.seconds[key] = time.perf_counter() - started
        self.say(f"{shown[0]}  ({self.seconds[key]:.2f} s)")

    def say(self, text: str) -> None:
        """One line."""
        write(self._stream, plain(text) + "\n")

    def warn(self, text: str) -> None:
        """One line that asks for attention."""
        self.say(f"warning: {text}")

    def fault(self, fault: Fault) -> None:
        """A fault in full: code, place, what another program said, and what to do."""
        for line in plain(fault.details).splitlines():
            self.say(f"  | {line}")
        self.say(f"error[{fault.code}]: {fault.message}")
        self.say(f"  hint: {fault.hint}")

    @contextmanager
    def _live(self, title: str) -> Iterator[None]:
        if self._stream is None or not self._stream.isatty():
            yield
            return
        # Only a person at a terminal pays for importing rich.
        from rich.console import Console as Terminal  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        with Terminal(file=self._stream).status(Text(plain(title))):
            yield
