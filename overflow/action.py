"""Action: the way in of action.yml's steps; faults end here, as one annotation."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from overflow import __version__
from overflow.commands import command
from overflow.console import plain, write
from overflow.context import read_context
from overflow.errors import ExitCode, InputFault, as_fault
from overflow.process import stoppable
from overflow.runner import read_event, say, tell
from overflow.settings import read_settings
from overflow.steps import STEPS, Step

if TYPE_CHECKING:
    from collections.abc import Callable


def main(name: str) -> int:
    """Run one step of action.yml; gives the exit code."""
    try:
        step = Step(
            context=read_context(os.environ, read_event(os.environ)),
            settings=read_settings(os.environ),
            action=Path(__file__).resolve().parent.parent,
            environ=os.environ,
        )
        with stoppable():  # a cancelled job: the container is stopped, too
            return _named(name)(step)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - what is no fault is a bug of ours: say all we know
        return _told(error)


def _named(name: str) -> Callable[[Step], int]:
    if name not in STEPS:
        raise InputFault("step-unknown", f"{name!r} is no step", hint=f"one of {', '.join(STEPS)}")
    return STEPS[name]


def _told(error: Exception) -> int:
    fault = as_fault(error)
    if fault is None:
        write(sys.stderr, plain(traceback.format_exc()))
        tell([command("error", f"this is a bug of overflow {__version__}: please report it")])
        return int(ExitCode.BUG)
    for line in fault.details.splitlines():
        say(f"  | {line}")
    tell([command("error", f"{fault.message}\n{fault.hint}", title=f"overflow: {fault.code}")])
    return int(fault.exit_code)
