"""Markdown: text from projects made harmless, and the small parts of summary and comment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BAR = 40
"""Characters of a bar, its mark not counted."""

LONGEST = 400
"""Characters of Markdown that one text may take, unless more are asked for."""

_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_MARK = re.compile(
    r"[\\`*_{}\[\]<>#|~&@:$!\t\n]"
    r"|(?<=www)\."
    r"|(?<=gh)-(?=\d)"
    # At the start of an item, these would begin a list or code of their own.
    r"|\A[-+ ]"
    r"|\A\d(?=\d*[.)](?:\s|\Z))",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"&#(?:35|46|64);(?=\w)|(?<=gh)&#45;|&#58;(?=//|(?:[\w+-]|&#95;)+&#58;)", re.IGNORECASE
)
_PART_OF_ENTITY = re.compile(r"&[^;]*\Z")
_URL = re.compile(r"https?://[\w.:/?&=#%+~-]+", re.ASCII)


def visible(text: str) -> str:
    """`text` with escapes for what cannot be seen: control, direction, halves of characters.

    Tabs and line feeds stay.
    """
    return _UNSEEN.sub(lambda match: f"\\x{ord(match.group()):02x}", text)


def cut(text: str, most: int) -> str:
    """At most `most` characters of `text`, the last being `…` where some are missing."""
    return text if len(text) <= most else text[: most - 1] + "…"


def markdown(text: str, most: int = LONGEST) -> str:
    """`text` as GitHub shows it unchanged: no markup, link, mention, cell or line of its own.

    At most `most` characters of Markdown; `…` stands for what is missing. GitHub looks for
    mentions, issues, emoji and addresses in what Markdown gives, where an entity is a character
    again: a space of no width parts them.
    """
    shown = _MARK.sub(lambda match: f"&#{ord(match.group())};", visible(text[: most + 1]))
    shown = _REFERENCE.sub(r"\g<0>&#8203;", shown)
    if len(shown) <= most:
        return shown
    return _PART_OF_ENTITY.sub("", shown[: most - 1]) + "…"


def code(text: str, most: int = LONGEST) -> str:
    """`text` as code within a line, whatever is in it."""
    return f"<code>{markdown(text, most)}</code>"


def block(text: str, most: int) -> str:
    """The last lines of `text` as a block of code, at most `most` characters of it.

    Indented: a fence could be closed by what is in it.
    """
    kept = text if len(text) <= most else "…" + text[-most:]
    return "\n".join(f"    {visible(line)}" for line in kept.splitlines())


def link(text: str, url: str | None) -> str:
    """A link, or only the text where there is no http(s) address that Markdown takes as it is."""
    return f"[{text}]({url})" if url and _URL.fullmatch(url) else text


def row(cells: Iterable[str]) -> str:
    """A line of a table; the cells are Markdown already."""
    return f"| {' | '.join(cells)} |"


def table(head: Iterable[str], align: Iterable[str], rows: Iterable[str]) -> str:
    """A table of rows as of row(); align: `:---` or `---:` for each column."""
    return "\n".join([row(head), row(align), *rows])


def bar(size: int, limit: int, mark: int | None = None) -> str:
    """`size` against `limit` in block characters, full where it is over; a line at `mark`."""
    filled = BAR if limit <= 0 else min(BAR, round(BAR * size / limit))
    cells = "█" * filled + "░" * (BAR - filled)
    if mark is None or not 0 <= mark <= limit:
        return cells
    at = round(BAR * mark / limit) if limit else BAR
    return f"{cells[:at]}│{cells[at:]}"


def tidy(text: str) -> str:
    """`text` without the gaps that empty parts leave in a frame."""
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"


def fitting(
    render: Callable[[int], str], count: int, budget: int, size: Callable[[str], int]
) -> str:
    """The longest of render(0..count) whose size is at most `budget`; render(0) if none is.

    render: gives longer text for a larger number. size: of a text, in the budget's unit.
    """
    whole = render(count)
    if size(whole) <= budget:
        return whole
    fits, too_many = 0, count
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if size(render(middle)) <= budget:
            fits = middle
        else:
            too_many = middle
    return render(fits)


def utf8_bytes(text: str) -> int:
    """Bytes of `text` in a file."""
    return len(text.encode())
