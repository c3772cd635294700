"""Annotations: the few lines of a report that belong to a line of the project's own files."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from overflow.commands import command
from overflow.limits import TMP_MAXIMUM_MB, in_megabytes, megabytes
from overflow.markdown import cut, visible
from overflow.plan import Outcome, Strategy
from overflow.report import Failure, Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from overflow.report import Report, Row

MOST = 10
"""Annotations of one level that the runner keeps of a step (actions/runner, ExecutionContext.cs).
A composite action is one step."""

LONGEST = 4_000
"""Characters of a message; the runner cuts at 4,096."""

LONGEST_TITLE = 200
"""Characters of a title; the Checks API takes 255."""

LARGEST_LINE = 10_000_000
"""Above it, a report names no line of a file that anybody wrote."""

_FILE = re.compile(r"(pyproject\.toml|uv\.lock|requirements\.txt)(?![\w.-])")
_LINE = re.compile(r"\bline ([1-9][0-9]{0,6})\b", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """A message, on a line of the workspace where there is one."""

    level: str
    """`error`, `warning` or `notice`."""
    title: str
    message: str
    file: str | None = None
    """Relative to the workspace."""
    line: int | None = None


def annotate(report: Report | Failure, *, project_path: str) -> tuple[Annotation, ...]:
    """What to say where, the most important first; at most ten of a level.

    project_path: the project's folder, relative to the workspace.
    """
    if isinstance(report, Failure):
        return (_of_failure(report, project_path),)
    warnings = [
        _annotation("warning", "Overflow", warning, None, "") for warning in report.warnings[:MOST]
    ]
    if report.outcome is Outcome.FITS:
        return tuple(warnings)
    if report.outcome is Outcome.TOO_LARGE:
        return (*_of_rows(report, "error", MOST, project_path), *warnings)
    room = max(1, MOST - len(warnings))
    return (*_of_rows(report, "warning", room, project_path), *warnings)[:MOST]


def to_commands(found: Iterable[Annotation]) -> list[str]:
    """The workflow commands that make them, one a line."""
    return [
        command(
            one.level,
            one.message,
            title=one.title,
            file=one.file or "",
            line=str(one.line) if one.file and one.line else "",
        )
        for one in found
    ]


def _of_rows(report: Report, level: str, most: int, project_path: str) -> list[Annotation]:
    """The verdict on the largest of those that caused it, then the others that it takes."""
    rows, over = _causes(report)
    named = list(_until(rows, over))[:most]
    first = named[0] if named else None
    place = first.declared if first else None
    found = [_annotation(level, report.headline, _verdict(report, first), place, project_path)]
    found += [
        _annotation(level, f"{row.name}: {_where(row)}", _text(row), row.declared, project_path)
        for row in named[1:]
    ]
    return found


def _causes(report: Report) -> tuple[list[Row], int]:
    """Whose sizes made the outcome, and by how many bytes there are too many of them."""
    sizes, limits = report.sizes, report.limits
    deferred = [row for row in report.rows if row.is_deferred or row.is_packed]
    if report.outcome is Outcome.OVERFLOWS:
        # With the others, what leaves is chosen for the start's sake: the largest are the cause.
        rows = deferred if report.strategy == Strategy.DEFER.value else list(report.rows)
        return rows, sizes.content - min(limits.threshold, limits.limit)
    if sizes.bundle <= limits.limit:
        return deferred, sizes.overflow - megabytes(TMP_MAXIMUM_MB)
    # What could be deferred has been, so what is left in the bundle is too much.
    return [row for row in report.rows if not row.is_deferred], sizes.bundle - limits.limit


def _until(rows: Sequence[Row], over: int) -> Iterator[Row]:
    """The largest, as many as it takes to account for `over` bytes; one at least."""
    named = 0
    for row in sorted(rows, key=lambda row: (-row.size, row.name)):
        yield row
        named += row.size
        if named >= over:
            return


def _verdict(report: Report, first: Row | None) -> str:
    parts = [report.bound_by, *([_text(first)] if first else ())]
    parts += [f"to do: {remedy}" for remedy in report.remedies]
    return "\n".join(parts)


def _text(row: Row) -> str:
    note = f"; {row.note}" if row.note else ""
    return (
        f"{row.name} {row.version} takes {in_megabytes(row.size)} and is {_where(row)}"
        f" ({row.visibility}: {row.reason}{note})"
    )


def _where(row: Row) -> str:
    if row.is_packed:
        return "carried compressed"
    return "fetched into /tmp" if row.is_deferred else "in the bundle"


def _of_failure(failure: Failure, project_path: str) -> Annotation:
    file, line = _FILE.match(failure.message), _LINE.search(failure.message)
    place = Place(file=file[1], line=int(line[1]) if line else 0) if file else None
    message = f"{failure.message}\nhint: {failure.hint}"
    return _annotation("error", f"Build failed: {failure.code}", message, place, project_path)


def _annotation(
    level: str, title: str, message: str, place: Place | None, project_path: str
) -> Annotation:
    file = _inside(project_path, place.file) if place else None
    on_line = file is not None and place is not None and 0 < place.line < LARGEST_LINE
    return Annotation(
        level=level,
        title=cut(visible(title), LONGEST_TITLE),
        message=cut(visible(message), LONGEST),
        file=file,
        line=place.line if place and on_line else None,
    )


def _inside(folder: str, file: str) -> str | None:
    """The file's path in the workspace, or None where that is no path inside of it."""
    path = posixpath.normpath(posixpath.join(folder, file))
    if path == "." or path.startswith(("/", "..")) or visible(path) != path or "\n" in path:
        return None
    return path
