"""Output: the folder that a build writes to, all of it or nothing.

Everything is made aside, in a folder of its own below the output, and moved into place at the
end by rename; a build that fails or is interrupted leaves an earlier result as it was.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.errors import InputFault
from overflow.report import BUNDLE, FAULT, REPORT, ZIP
from overflow.wire import failure_to_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from overflow.report import Failure

SUMMARY = "summary.md"
"""The report for people."""


@contextmanager
def staging(output: Path, project: Path) -> Iterator[Path]:
    """A new folder below `output`, gone afterwards; with an output that held nothing, that too.

    Raises InputFault where the output is inside the project (it would be bundled the next time),
    the project inside it, or where it cannot be written.
    """
    _check_place(output, project)
    was_there = output.is_dir()
    try:
        output.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".overflow-", dir=output))
    except OSError as error:
        raise InputFault(
            "output-unwritable",
            f"--output: {output} cannot be written: {error.strerror}",
            hint="name a folder that you may write to",
        ) from error
    try:
        with named(output):
            yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        if not was_there and not any(output.iterdir()):
            output.rmdir()


@contextmanager
def named(folder: Path) -> Iterator[None]:
    """Has an OSError name the folder where it names nothing, as a write to a full disk does."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(folder)
        raise


def publish(aside: Path, output: Path) -> None:
    """Move what a build made aside into the output, in place of an earlier result.

    Interrupted half-way, it takes back what it moved: the earlier result is whole again.
    """
    moved: list[tuple[Path, Path]] = []

    def move(source: Path, target: Path) -> None:
        moved.append((source, target))
        source.rename(target)

    try:
        for name in (BUNDLE, ZIP, SUMMARY, REPORT):
            made, place = aside / name, output / name
            if made.exists():
                if place.exists() or place.is_symlink():
                    move(place, aside / f"earlier-{name}")
                move(made, place)
        (output / FAULT).unlink(missing_ok=True)
    except BaseException:
        for source, target in reversed(moved):
            if not source.exists() and target.exists():
                target.rename(source)
        raise


def leave_failure(output: str | None, failure: Failure) -> None:
    """Write why a build failed beside an earlier result, if the output folder exists at all.

    The file is gone again with the next build that succeeds.
    """
    if output and os.path.isdir(output) and failure.code != "output-inside-project":
        place = Path(output, FAULT)
        with suppress(OSError):
            # Made anew: through a link that a build hook left, we would write anywhere.
            place.unlink(missing_ok=True)
            with place.open("x", encoding="utf-8") as stream:
                stream.write(failure_to_json(failure))


def _check_place(output: Path, project: Path) -> None:
    real_output, real_project = os.path.realpath(output), os.path.realpath(project)
    if _is_within(real_output, real_project):
        raise InputFault(
            "output-inside-project",
            f"--output: {output} is inside the project {project}",
            hint="name a folder outside of it: what is inside would be bundled the next time",
        )
    if _is_within(real_project, os.path.join(real_output, BUNDLE)):
        raise InputFault(
            "output-inside-project",
            f"--output: the project {project} is inside {output}/{BUNDLE}, which is replaced",
            hint="name another folder",
        )


def _is_within(path: str, folder: str) -> bool:
    return os.path.commonpath([path, folder]) == folder
