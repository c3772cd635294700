"""Comment: what a pull request is told, base against head, as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from overflow.coldstart import brief
from overflow.comparison import Change, KnownBase
from overflow.limits import in_megabytes
from overflow.markdown import code, fitting, link, markdown, row, table, tidy
from overflow.plan import Outcome
from overflow.summary import SHORT, failed, items, placement, snippet, title
from overflow.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from overflow.comparison import Comparison
    from overflow.report import Failure, Function, Report, Row

BUDGET = 65_000
"""Characters of a comment; GitHub refuses one of over 65,536 (`Body is too long`)."""

CHANGED = 50
"""Changed distributions that are shown: more are not read, and stand in report.json."""

UNCHANGED = 100
"""The same of those that are folded."""

DETAILS = 4_000
"""Characters of another program's words; all of them stand in the step summary."""

MOST_ITEMS = 5
"""Remedies and warnings, of each."""

SHA = 7
"""Characters of a commit's id, as GitHub shows it."""


@dataclass(frozen=True, kw_only=True)
class Post:
    """What a comment says beside the report: whose it is, and where to find more."""

    marker: str
    """The comment's first line, by which it is found again."""
    leg: str
    """What tells it from the pull request's other comments (job, matrix leg); empty if alone."""
    sha: str
    """The commit that was built."""
    run_url: str
    artifact_url: str | None
    """Of function.zip."""


def to_comment(comparison: Comparison, post: Post, *, budget: int = BUDGET) -> str:
    """The comment of a build, at most `budget` characters.

    Where that is too little for all rows, the unchanged go first, then the smallest changes.
    """
    frame = _frame(comparison, post)
    changed = comparison.changed[:CHANGED]
    quiet = _quiet(comparison)[:UNCHANGED]

    def rendered(count: int) -> str:
        return tidy(
            render(
                "comment.md",
                **frame,
                changes=_changes(comparison, changed[:count]),
                folded=_folded(comparison, quiet[: max(0, count - len(changed))]),
            )
        )

    return fitting(rendered, len(changed) + len(quiet), budget, len)


def failure_to_comment(failure: Failure, post: Post) -> str:
    """The comment of a build that failed, so that what an earlier one found does not stand."""
    heading = f"Build failed: {code(failure.code, SHORT)}"
    leg = markdown(post.leg, SHORT)
    opening = f"### {leg}" if leg else f"### {heading}"
    return failed(
        failure,
        opening=f"{post.marker}\n{opening}",
        lead=f"**{heading}**" if leg else "",
        details=DETAILS,
        footer=f"<sub>{_footer(post, None)}</sub>",
    )


def _frame(comparison: Comparison, post: Post) -> dict[str, str]:
    head, base = comparison.head, comparison.base
    function = head.function
    context = [markdown(head.project, SHORT), *_target(function)]
    context += [markdown(post.leg, SHORT)] if post.leg else []
    named, verdict = " · ".join(context), head.headline
    # With other comments beside it, what it is of comes before what it says.
    title, lead = (named, f"**{verdict}**") if post.leg else (verdict, named)
    return {
        "marker": post.marker,
        "title": title,
        "lead": f"{lead} ({markdown(head.bound_by)})",
        "size": _size(comparison),
        "start": brief(head, base.report if isinstance(base, KnownBase) else None),
        "advice": _advice(comparison),
        "settings": _to_set(head),
        "footer": _footer(post, head),
    }


def _target(function: Function) -> list[str]:
    return [markdown(text, SHORT) for text in (function.runtime, function.architecture)]


def _size(comparison: Comparison) -> str:
    total, base = comparison.head.sizes.content, comparison.base
    if not isinstance(base, KnownBase):
        return f"**Size:** {in_megabytes(total)}\n\n**Base unknown:** {markdown(base.reason)}"
    before = base.report.sizes.content
    growth = total - before
    share = f" ({100 * growth / before:+,.1f} %)" if growth and before else ""
    sizes = f"{in_megabytes(before)} → {in_megabytes(total)}" if growth else in_megabytes(total)
    other = "" if base.exact else ", which is not this pull request's base commit"
    return (
        f"**Size change:** {_signed(growth) or 'none'}{share}, {sizes}; compared with"
        f" {markdown(base.sha[:SHA])}{other}"
    )


def _advice(comparison: Comparison) -> str:
    head, base = comparison.head, comparison.base
    became = ""
    if isinstance(base, KnownBase):
        became = _became(base.report, head)
    remedies = items("To do", head.remedies, MOST_ITEMS, long=800)
    return became + remedies + items("Warning", head.warnings, MOST_ITEMS, long=800)


def _became(base: Report, head: Report) -> str:
    """What a person who merges this must know or do, beyond sizes."""
    lines = []
    if base.outcome is not head.outcome:
        lines.append(f"- **Verdict of the base:** {base.headline}\n")
    before, after = _settings(base.function), _settings(head.function)
    anew = [f"{name} {after[name]} (was {before[name]})" for name in after
            if after[name] != before[name]]  # fmt: skip
    if anew and head.outcome is not Outcome.TOO_LARGE:
        lines.append(f"- **To set anew on the function:** {', '.join(anew)}\n")
    return "".join(lines)


def _settings(function: Function) -> dict[str, str]:
    runtime, architecture = _target(function)
    return {
        "Handler": code(function.handler, SHORT),
        "Runtime": runtime,
        "Architecture": architecture,
        "EphemeralStorage": f"{function.ephemeral_storage_mb:,} MB",
        "MemorySize": f"{function.memory_mb:,} MB",
    }


def _to_set(report: Report) -> str:
    if report.outcome is Outcome.TOO_LARGE:
        return ""
    opening = "<details><summary>Set on the function</summary>"
    return f"{opening}\n\n{snippet(report)}\n\n</details>"


def _changes(comparison: Comparison, shown: Sequence[Change]) -> str:
    """A table whose rows add up to its total; none where nothing has changed."""
    head, base = comparison.head.sizes, comparison.base
    if not isinstance(base, KnownBase):
        return ""
    before = base.report.sizes
    if before == head and not comparison.changed:
        return ""
    rows = [_changed(change) for change in shown]
    rows += _sum("… {} more changed: see report.json", comparison.changed[len(shown) :])
    rows += _sum("{} unchanged", comparison.unchanged)
    rows.append(_figures("Project files", before.project, head.project))
    rows.append(_figures("Everything", before.content, head.content, strong=True))
    rows.append(_figures("Bundle, as Lambda counts it", before.bundle, head.bundle, strong=True))
    columns = ("Distribution", "Base", "Head", "Change", "Placement")
    return table(columns, (":---", "---:", "---:", "---:", ":---"), rows)


def _changed(change: Change) -> str:
    old, new = change.base, change.head
    size = "" if change.delta == 0 else _signed(change.delta)
    word = change.status if change.status in {"new", "removed"} else ""
    return row(
        (
            _versions(old, new),
            in_megabytes(old.size) if old else "",
            in_megabytes(new.size) if new else "",
            ", ".join(filter(None, (word, size))) or "version",
            _moved(old, new),
        )
    )


def _versions(old: Row | None, new: Row | None) -> str:
    if old and new and old.version != new.version:
        return f"{title(new.name, old.version)} → {markdown(new.version, SHORT)}"
    return next(title(one.name, one.version) for one in (new, old) if one)


def _moved(old: Row | None, new: Row | None) -> str:
    places = dict.fromkeys(placement(one) for one in (old, new) if one)
    return " → ".join(places)


def _sum(text: str, changes: Sequence[Change]) -> list[str]:
    if not changes:
        return []
    old, new = sum(one.before for one in changes), sum(one.after for one in changes)
    return [_figures(text.format(f"{len(changes):,}"), old, new)]


def _figures(name: str, old: int, new: int, *, strong: bool = False) -> str:
    cells = (name, in_megabytes(old), in_megabytes(new), _signed(new - old))
    return row([*(f"**{cell}**" if strong and cell else cell for cell in cells), ""])


def _signed(delta: int) -> str:
    """`+9.1 MB`, `-3 B`; empty for no change."""
    return "" if delta == 0 else f"{'+' if delta > 0 else ''}{in_megabytes(delta)}"


def _quiet(comparison: Comparison) -> tuple[Change, ...]:
    """What is folded, the largest first: the unchanged, or all where the base is unknown."""
    if isinstance(comparison.base, KnownBase):
        return tuple(sorted(comparison.unchanged, key=lambda change: -change.after))
    return tuple(Change(name=one.name, base=None, head=one) for one in comparison.head.rows)


def _folded(comparison: Comparison, shown: Sequence[Change]) -> str:
    quiet = _quiet(comparison)
    if not quiet:
        return ""
    kind = "unchanged " if isinstance(comparison.base, KnownBase) else ""
    size = in_megabytes(sum(one.after for one in quiet))
    rows = [
        row(
            (
                _versions(one.base, one.head),
                in_megabytes(one.after),
                _moved(one.base, one.head),
            )
        )
        for one in shown
    ]
    left = len(quiet) - len(shown)
    more = f"… and {left:,} more: see report.json" if left else ""
    listed = table(("Distribution", "Size", "Placement"), (":---", "---:", ":---"), rows)
    opening = f"<details><summary>{len(quiet):,} {kind}distributions, {size}</summary>"
    return f"{opening}\n\n{listed if shown else ''}\n\n{more}\n\n</details>"


def _footer(post: Post, report: Report | None) -> str:
    parts = [f"Commit {markdown(post.sha[:SHA])}"]
    if report is not None and report.written is not None:
        zipped = in_megabytes(report.written.zip_bytes)
        parts.append(f"{link('function.zip', post.artifact_url)} {zipped}")
    parts.append(link("full report", post.run_url))
    return " · ".join(parts)
