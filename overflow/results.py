"""Results: what a build left behind, read by one who does not trust it.

The output folder was open to other people's code. Links are not followed, sizes are bounded, and
the archive is hashed again.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

from overflow.errors import ExitCode, Fault, InputFault
from overflow.limits import LARGEST_REPORT, LARGEST_ZIP
from overflow.report import FAULT, REPORT, ZIP, Failure, Report
from overflow.wire import failure_from_json, from_json

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

    from overflow.report import Written

ENGINE_FAILED = 125
"""What `docker run` ends with where the container itself could not be started (its manual)."""

REPORTED = frozenset({int(ExitCode.OK), int(ExitCode.TOO_LARGE)})
"""Exit codes of builds that wrote a report."""


def read_result(output: Path, exit_code: int) -> Report | Failure:
    """What a build that ended with `exit_code` left in its output folder."""
    report = read_plan(output, exit_code)
    if isinstance(report, Failure):
        return report
    try:
        if (report.written is None) != (exit_code == ExitCode.TOO_LARGE):
            raise _forged(f"{REPORT} does not fit exit code {exit_code}")
        if report.written is not None:
            _check_zip(output / ZIP, report.written)
    except Fault as fault:
        return Failure.of(fault)
    return report


def read_plan(output: Path, exit_code: int) -> Report | Failure:
    """The same of a plan, which writes no archive."""
    try:
        _check_folder(output)
        if exit_code not in REPORTED:
            return _failure(output, exit_code)
        report = from_json(_read(output / REPORT))
        if report.exit_code != exit_code:
            raise _forged(f"{REPORT} does not fit exit code {exit_code}")
    except Fault as fault:
        return Failure.of(fault)
    return report


def _failure(output: Path, exit_code: int) -> Failure:
    try:
        # The process itself says how it ended; the file may have been made to say anything.
        return replace(failure_from_json(_read(output / FAULT)), exit_code=exit_code)
    except InputFault:
        if exit_code == ENGINE_FAILED:
            return Failure(
                code="container-failed",
                message="Docker could not start the build's container",
                hint="the log has its reason; `mode: native` builds without one",
                details="",
                exit_code=int(ExitCode.INPUT),
            )
        return Failure(
            code="build-ended",
            message=f"the build ended with exit code {exit_code} and left no report",
            hint="its log says why; 137 means that it was killed, as for want of memory",
            details="",
            exit_code=exit_code,
        )


def _check_folder(output: Path) -> None:
    try:
        is_folder = stat.S_ISDIR(output.lstat().st_mode)
    except OSError:  # it, or where it lies, was removed or closed
        is_folder = False
    if not is_folder:
        raise _forged("the output folder was replaced")


def _open(path: Path) -> IO[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise _forged(f"{path.name} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _forged(f"{path.name} is no regular file")
    return os.fdopen(descriptor, "rb")


def _read(path: Path) -> bytes:
    with _open(path) as stream:
        return stream.read(LARGEST_REPORT + 1)


def _check_zip(path: Path, written: Written) -> None:
    digest = hashlib.sha256()
    with _open(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        # First: a file of any size can be made from nothing.
        fits = size == written.zip_bytes <= LARGEST_ZIP
        while fits and (piece := stream.read(1 << 20)):
            digest.update(piece)
    if not fits or digest.hexdigest() != written.zip_sha256:
        raise _forged(f"{ZIP} is not the file that {REPORT} describes")


def _forged(what: str) -> InputFault:
    return InputFault(
        "report-invalid",
        what,
        hint="something that ran during the build changed its output: look at build hooks",
    )
