"""What can go wrong, as one tree: a stable code, a message, a hint and an exit code each.

Every code is explained in docs/errors.md; a test holds the two together.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process ends with. The numbers are part of the interface."""

    OK = 0
    BUG = 1
    INPUT = 2
    TOO_LARGE = 3
    UV = 4
    BROKEN = 5
    GATE = 6
    INTERRUPTED = 130


class Fault(Exception):
    """Something a person can cause and mend: never shown as a traceback.

    `code` is stable and in kebab-case, `message` says what and where, `hint` what to do,
    `details` holds another program's own words (uv's, say), which may be long.
    """

    exit_code: ClassVar[ExitCode]

    def __init__(self, code: str, message: str, *, hint: str, details: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.details = details


class InputFault(Fault):
    """The project, the lock, an option or a path is at fault."""

    exit_code = ExitCode.INPUT


class UvFault(Fault):
    """uv, or the package index behind it, failed."""

    exit_code = ExitCode.UV


class BundleFault(Fault):
    """The bundle does not start."""

    exit_code = ExitCode.BROKEN


def as_fault(error: Exception) -> Fault | None:
    """The fault that an exception is, or, as an OSError, amounts to; None for a bug of ours."""
    if isinstance(error, OSError):
        return file_fault(error)
    return error if isinstance(error, Fault) else None


def file_fault(error: OSError) -> InputFault:
    """What a file or the disk refused, as a fault."""
    # Of two files, a copy that found the disk full names the one that it could read first.
    is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    file = (is_full and error.filename2) or error.filename or "the file system"
    return InputFault(
        "file-system",
        f"{file}: {error.strerror or error}",
        hint="check its rights and the free space, then run again",
    )
