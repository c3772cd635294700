"""Runner: the files and the log by which a step speaks to GitHub's runner."""

from __future__ import annotations

import json
import secrets
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overflow.box import remove
from overflow.commands import command, output_entry
from overflow.console import plain, write
from overflow.errors import InputFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def read_event(environ: Mapping[str, str]) -> Mapping[str, Any]:
    """The event that the workflow runs for; empty where there is none."""
    path = environ.get("GITHUB_EVENT_PATH", "")
    if not path or not Path(path).is_file():
        return {}
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputFault(
            "event-invalid", f"{path}: not JSON", hint="run the action on GitHub's own events"
        ) from error
    return content if isinstance(content, dict) else {}


def set_outputs(environ: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Append to GITHUB_OUTPUT; the delimiter is one that no value can know."""
    entries = [
        output_entry(name, value, f"ghadelimiter_{secrets.token_hex(16)}")
        for name, value in outputs.items()
    ]
    with Path(environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as stream:
        stream.writelines(entries)


def add_summary(environ: Mapping[str, str], markdown: str) -> None:
    """Append to the step's summary."""
    with Path(environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as stream:
        stream.write(markdown)


def say(line: str) -> None:
    """One line in the log, made harmless."""
    write(sys.stdout, plain(line) + "\n")


def tell(commands: list[str]) -> None:
    """Workflow commands, whose values are escaped already."""
    write(sys.stdout, "".join(f"{one}\n" for one in commands))


def notice(message: str) -> None:
    """A notice on the run's page."""
    tell([command("notice", message, title="overflow")])


@contextmanager
def commands_stopped() -> Iterator[None]:
    """What a child prints meanwhile is text, whatever it looks like."""
    token = secrets.token_hex(16)
    tell([command("stop-commands", token)])
    try:
        yield
    finally:
        tell(["", f"::{token}::"])  # on a line of its own, whatever the child printed last


def replace_folder(path: str) -> Path:
    """An empty folder for its owner alone, whatever an earlier run left in its place."""
    folder = Path(path)
    remove(folder)
    folder.mkdir(parents=True, mode=0o700)
    return folder
