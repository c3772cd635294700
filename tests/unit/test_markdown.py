"""Markdown: hostile text reads as it was and does nothing; what does not fit is cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from overflow.markdown import (
    BAR,
    bar,
    block,
    code,
    cut,
    fitting,
    link,
    markdown,
    row,
    table,
    tidy,
    visible,
)

GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

READABLE = st.text(
    alphabet=st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"]) | st.just("\n"),
    max_size=30,
)
MARKS = st.text(alphabet="|`<>@#\n\r\t []()!*_~\\&$:;/.-+=1wghGH\x1b\u202e\ud800e", max_size=30)
NO_WIDTH = "\u200b"


def read(text: str) -> str:
    """What a reader sees of Markdown that is one paragraph of nothing but text."""
    tokens = GITHUB.parse(text)
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    children = tokens[1].children or []
    assert all(child.type == "text" for child in children)
    return "".join(child.content for child in children).replace(NO_WIDTH, "")


@pytest.mark.parametrize(
    "hostile",
    [
        "|",
        "`",
        "<b>",
        "@team",
        "#1",
        "a\nb",
        "\r",
        "[x](y)",
        "![x](y)",
        "~~x~~",
        "*x*",
        "__x__",
        "https://x.example",
        "www.x.example",
        "&lt;",
        "$x$",
        "\\|",
        "a@b.example",
        "WWW.x.example",
    ],
)
def test_leaves_no_mark(hostile: str) -> None:
    shown = re.sub(r"&#\d+;", "", markdown(hostile))
    assert not re.search(r"[|`<>@#\n\r\[\]()~*_\\&$]|://|www\.", shown.replace("(y)", ""))


@pytest.mark.parametrize(
    "hostile", ["@team", "#1", "a@b.example", "www.x", "http://x", "GH-12", "gh-1", ":+1:", ":a_b:"]
)
def test_what_github_looks_for_in_the_result_is_parted(hostile: str) -> None:
    """Its filters for mentions, issues, emoji and addresses see text whose entities are gone."""
    (inline,) = (one for one in GITHUB.parse(markdown(hostile)) if one.type == "inline")
    seen = "".join(child.content for child in inline.children or [])
    assert seen.replace(NO_WIDTH, "") == hostile
    assert not re.search(r"@\w|#\d|www\.\w|://|gh-\d|:[\w+-]+:", seen, re.IGNORECASE)


def test_what_is_copied_stays_as_it_is() -> None:
    for text in ("app:handler", "src.main:app", "1.0.post1+cpu", "-x", "https: 1"):
        assert NO_WIDTH not in (GITHUB.parseInline(markdown(text))[0].content)
        assert "&#8203;" not in markdown(text)


@given(READABLE)
def test_reads_as_it_was(text: str) -> None:
    """By an implementation of CommonMark: one paragraph, one text, the same characters."""
    assert read(f"x{markdown(text)}x") == f"x{text}x"


@given(MARKS)
def test_marks_read_as_they_were(text: str) -> None:
    assert read(f"x{markdown(text)}x") == f"x{visible(text)}x"


@pytest.mark.parametrize(
    "start", ["- x", "+ x", "* x", "1. x", "1.", "12) x", "    x", "\tx", "> x"]
)
def test_begins_nothing_of_its_own(start: str) -> None:
    """As an item of a list: no list, quote or code inside of it."""
    kinds = [token.type for token in GITHUB.parse(f"- {markdown(start)}\n")]
    assert kinds == [
        "bullet_list_open",
        "list_item_open",
        "paragraph_open",
        "inline",
        "paragraph_close",
        "list_item_close",
        "bullet_list_close",
    ]


@given(MARKS | READABLE, st.integers(min_value=1, max_value=40))
def test_takes_no_more_than_it_may(text: str, most: int) -> None:
    shown = markdown(text, most)
    assert len(shown) <= most
    whole = markdown(text, 10_000)
    if shown != whole:
        assert shown.endswith("…")
        assert whole.startswith(shown[:-1])
        assert "&" not in re.sub(r"&#\d+;", "", shown)


def test_cut() -> None:
    assert (cut("abcd", 4), cut("abcde", 4)) == ("abcd", "abc…")


def test_visible_shows_what_cannot_be_seen() -> None:
    assert visible("a\x1b[0m\u202eb\ud800\r\t\n") == "a\\x1b[0m\\x202eb\\xd800\\x0d\t\n"


@given(MARKS | READABLE)
def test_code_is_one_piece(text: str) -> None:
    inline = GITHUB.parse(f"x{code(text)}x")[1]
    kinds = [child.type for child in inline.children or []]
    assert [kind for kind in kinds if kind != "text"] == ["html_inline", "html_inline"]


@given(st.lists(MARKS, max_size=6).map("\n".join))
def test_block_stays_a_block(text: str) -> None:
    shown = f"before\n\n{block(f'x{text}x', 1_000)}\n\nafter"
    kinds = [token.type for token in GITHUB.parse(shown) if token.type != "inline"]
    assert kinds == [
        "paragraph_open",
        "paragraph_close",
        "code_block",
        "paragraph_open",
        "paragraph_close",
    ]


def test_block_keeps_the_end() -> None:
    assert block("first\nlast", 4) == "    …last"


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://github.example/o/r/actions/runs/1#artifacts", True),
        ("http://127.0.0.1:80/a?b=c&d=%20", True),
        (None, False),
        ("", False),
        ("javascript:alert(1)", False),
        ("https://x.example/a)b", False),
        ("https://x.example/ a", False),
        ("https://x.example/\n", False),
        ("https://x.example/ü", False),
    ],
)
def test_link(url: str | None, *, linked: bool) -> None:
    assert link("text", url) == (f"[text]({url})" if linked else "text")


def test_table() -> None:
    shown = table(("A", "B"), (":---", "---:"), [row(("1", "2"))])
    assert shown == "| A | B |\n| :--- | ---: |\n| 1 | 2 |"


@pytest.mark.parametrize(
    ("size", "limit", "filled"),
    [(0, 100, 0), (50, 100, BAR // 2), (100, 100, BAR), (900, 100, BAR), (1, 0, BAR), (1, -5, BAR)],
)
def test_bar(size: int, limit: int, filled: int) -> None:
    assert bar(size, limit) == "█" * filled + "░" * (BAR - filled)


@pytest.mark.parametrize(("mark", "at"), [(0, 0), (240, 38), (250, 40), (251, None), (-1, None)])
def test_bar_with_a_mark(mark: int, at: int | None) -> None:
    shown = bar(125, 250, mark)
    assert shown.replace("│", "") == bar(125, 250)
    assert shown.find("│") == (-1 if at is None else at)
    assert bar(1, 0, 0) == "█" * BAR + "│"


def test_tidy() -> None:
    assert tidy("\na\n\n\n\nb\n\n") == "a\n\nb\n"


@given(st.integers(min_value=0, max_value=200), st.integers(min_value=0, max_value=2_500))
def test_fitting_is_the_most_that_fits(count: int, budget: int) -> None:
    asked: list[int] = []

    def render(rows: int) -> str:
        asked.append(rows)
        return "ten chars\n" * rows + ("…" if rows < count else "")

    shown = fitting(render, count, budget, len)
    texts = [render(rows) for rows in range(count + 1)]
    assert shown == max((text for text in texts if len(text) <= budget), default=texts[0], key=len)
    assert len(asked) - len(texts) <= 12
