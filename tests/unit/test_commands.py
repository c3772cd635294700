"""Commands: what the runner reads is what was meant. test_commands_oracle.py has the original."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.commands import command, escape_data, escape_property, output_entry
from tests.unit.runner import parse_command

HARMFUL = st.text(alphabet="%0ADd3aC2:,=\r\n \t;#[]aé\U0001f4a3", max_size=40)


def test_escapes() -> None:
    assert escape_data("100%\r\n:,%0A") == "100%25%0D%0A:,%250A"
    assert escape_property("100%\r\n:,%3A") == "100%25%0D%0A%3A%2C%253A"


def test_command() -> None:
    assert command("warning", "a: b", title="x, y", file="", line="3") == (
        "::warning title=x%2C y,line=3::a: b"
    )
    assert command("notice", "") == "::notice::"


@given(HARMFUL, HARMFUL, HARMFUL)
def test_runner_reads_what_was_meant(message: str, title: str, file: str) -> None:
    line = command("error", message, title=title, file=file)
    assert "\n" not in line
    assert "\r" not in line
    found = parse_command(line)
    assert found is not None
    name, properties, read = found
    assert (name, read) == ("error", message)
    # The runner strips blanks around all properties together.
    for key, value in (("title", title), ("file", file)):
        assert properties.get(key, "").strip(" \t") == value.strip(" \t")


def test_output_entry() -> None:
    assert output_entry("name", "a\n=<<b", "end_1") == "name<<end_1\na\n=<<b\nend_1\n"
    assert output_entry("empty", "", "end_1") == "empty<<end_1\n\nend_1\n"


@pytest.mark.parametrize(("name", "value"), [("a", "x\nend_1\ny"), ("end_1", ""), ("a", "xend_1")])
def test_output_that_could_end_early_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="delimiter"):
        output_entry(name, value, "end_1")
