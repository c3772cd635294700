"""Console: nothing that is printed is acted on by a terminal or a CI runner."""

from __future__ import annotations

import io
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.console import Console, plain
from overflow.errors import InputFault

BIDI_CONTROLS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Unicode's property Bidi_Control."""


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("plain text, ünïcode: 日本", "plain text, ünïcode: 日本"),
        ("::error::x", ": :error::x"),
        ("  ::set-output name=a::b", "  : :set-output name=a::b"),
        ("a\n::add-mask::x", "a\n: :add-mask::x"),
        ("\n\n ::error::x", "\n\n : :error::x"),
        ("\u00a0::error::x", "\u00a0: :error::x"),
        ("a::b", "a::b"),
        ("##[group]x", "# #[group]x"),
        ("a ##[error]", "a # #[error]"),
        ("###[error]", "## #[error]"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("a\r::error::", "a\\x0d::error::"),
        ("a\tb\x00\x7f\x9b", "a\\x09b\\x00\\x7f\\x9b"),
        ("\u2028::error::", "\\x2028::error::"),
        ("file\u202egpj.exe", "file\\x202egpj.exe"),
    ],
)
def test_plain(hostile: str, shown: str) -> None:
    assert plain(hostile) == shown


@pytest.mark.parametrize("character", BIDI_CONTROLS, ids=unicodedata.name)
def test_direction_characters_are_shown(character: str) -> None:
    assert character not in plain(f"a{character}b")


PIECES = st.sampled_from(["::", ":", "##[", "#", "[", "\n", " ", "\r", "\x1b", "error", "\u2028"])


@given(st.lists(PIECES | st.characters(), max_size=20).map("".join))
def test_plain_leaves_nothing_to_act_on(text: str) -> None:
    shown = plain(text)
    assert not re.search(r"(?m)^\s*::", shown)
    assert "##[" not in shown
    assert not [one for one in shown if unicodedata.category(one) == "Cc" and one != "\n"]
    assert shown.count("\n") == text.count("\n")


def test_step_says_what_was_found_and_how_long_it_took() -> None:
    stream = io.StringIO()
    console = Console(stream)
    with console.step("lock", "Checking") as retitle:
        assert stream.getvalue() == ""
        retitle("Checked ::x::")
    assert re.fullmatch(r"Checked ::x::  \(\d+\.\d\d s\)\n", stream.getvalue())
    assert list(console.seconds) == ["lock"]


def test_step_without_news_keeps_its_title() -> None:
    stream = io.StringIO()
    with Console(stream).step("lock", "::error::"):
        pass
    assert stream.getvalue().startswith(": :error::  (")


def test_step_that_fails_says_nothing() -> None:
    stream = io.StringIO()
    console = Console(stream)
    with pytest.raises(KeyError), console.step("lock", "Checking"):
        raise KeyError
    assert stream.getvalue() == ""
    assert console.seconds == {}


def test_warning() -> None:
    stream = io.StringIO()
    Console(stream).warn("\x1bx")
    assert stream.getvalue() == "warning: \\x1bx\n"


def test_fault_in_full() -> None:
    stream = io.StringIO()
    fault = InputFault(
        "some-code", "a\n::error::b", hint="do\x1b", details="::error::1\n\n ##[group]2\x0c3"
    )
    Console(stream).fault(fault)
    assert stream.getvalue().splitlines() == [
        "  | : :error::1",
        "  | ",
        "  |  # #[group]2\\x0c3",
        "error[some-code]: a",
        ": :error::b",
        "  hint: do\\x1b",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_terminal_shows_the_step_while_it_lasts() -> None:
    stream = Terminal()
    with Console(stream).step("lock", "Checking [red]\x1b[31m"):
        pass
    assert "Checking [red]\\x1b[31m  (" in stream.getvalue()
    assert "\x1b[31mC" not in stream.getvalue()
