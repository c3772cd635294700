"""Runner: outputs, summary and log, as GitHub's runner reads them."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from overflow.errors import InputFault
from overflow.runner import (
    add_summary,
    commands_stopped,
    notice,
    read_event,
    replace_folder,
    say,
    set_outputs,
    tell,
)
from tests.support.workspace import effective_commands

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "x\n::error::y\nname<<EOF\n##[error]z\r\x1b[31m ::set-output name=a::b"


def read_outputs(text: str) -> dict[str, str]:
    """GITHUB_OUTPUT as the runner reads it (actions/runner, FileCommandManager)."""
    found, lines = {}, iter(text.split("\n"))
    for line in lines:
        if line:
            name, delimiter = line.split("<<", 1)
            value = []
            while (one := next(lines)) != delimiter:
                value.append(one)
            found[name] = "\n".join(value)
    return found


def test_outputs_are_added_and_hold_any_value(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_text("earlier<<E\n1\nE\n")
    set_outputs({"GITHUB_OUTPUT": str(path)}, {"a": HOSTILE, "b": "", "c": "d<<e"})
    assert read_outputs(path.read_bytes().decode()) == {
        "earlier": "1",
        "a": HOSTILE,
        "b": "",
        "c": "d<<e",
    }


def test_delimiters_cannot_be_guessed(tmp_path: Path) -> None:
    path = tmp_path / "output"
    set_outputs({"GITHUB_OUTPUT": str(path)}, {"a": "1", "b": "2"})
    set_outputs({"GITHUB_OUTPUT": str(path)}, {"a": "1"})
    delimiters = re.findall(r"<<(ghadelimiter_[0-9a-f]{32})$", path.read_text(), re.MULTILINE)
    assert len(set(delimiters)) == 3


def test_summary_is_added(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    path.write_text("a\n")
    add_summary({"GITHUB_STEP_SUMMARY": str(path)}, "# b ü\n")
    assert path.read_text("utf-8") == "a\n# b ü\n"


def test_what_is_said_is_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    out = capsys.readouterr().out
    assert not re.search(r"(?m)^\s*::|##\[|\x1b|\r", out)
    assert "error" in out


def test_what_is_told_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    tell(["::a::b", "::c::d"])
    tell([])
    notice("50 % done:\nwell")
    out = capsys.readouterr().out
    assert out == "::a::b\n::c::d\n::notice title=overflow::50 %25 done:%0Awell\n"


def test_commands_are_stopped_by_a_token_of_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    def stop() -> None:
        raise KeyError

    with commands_stopped():
        print("child")  # noqa: T201 - what a child does
    first = capsys.readouterr().out.splitlines()
    with pytest.raises(KeyError), commands_stopped():
        stop()
    second = capsys.readouterr().out.splitlines()
    token = first[0].removeprefix("::stop-commands::")
    assert re.fullmatch(r"[0-9a-f]{32}", token)
    assert first == [f"::stop-commands::{token}", "child", "", f"::{token}::"]
    assert second[1:] == ["", second[0].replace("::stop-commands", "") + "::"]
    assert second[0] != first[0]


def test_last_line_of_a_child_may_lack_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    """Else the end token stood inside of it, and no command counted any more."""
    with commands_stopped():
        print("child", end="")  # noqa: T201 - what a child does
    notice("ours")
    assert effective_commands(capsys.readouterr().out) == [
        ("notice", {"title": "overflow"}, "ours")
    ]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000], ids=len)
def test_event_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "event.json"
    path.write_bytes(content)
    with pytest.raises(InputFault) as raised:
        read_event({"GITHUB_EVENT_PATH": str(path)})
    assert (raised.value.code, raised.value.message) == ("event-invalid", f"{path}: not JSON")


@pytest.mark.parametrize("content", ["[]", "3", '"x"', "null"])
def test_event_that_is_no_object(tmp_path: Path, content: str) -> None:
    (tmp_path / "event.json").write_text(content)
    assert read_event({"GITHUB_EVENT_PATH": str(tmp_path / "event.json")}) == {}


def test_event(tmp_path: Path) -> None:
    event = {"number": 3, "title": "ü"}
    (tmp_path / "event.json").write_text(json.dumps(event, ensure_ascii=False), encoding="utf-8")
    assert read_event({"GITHUB_EVENT_PATH": str(tmp_path / "event.json")}) == event


@pytest.mark.parametrize("path", [None, "", "gone.json", "."])
def test_run_without_an_event(path: str | None) -> None:
    assert read_event({} if path is None else {"GITHUB_EVENT_PATH": path}) == {}


@pytest.mark.parametrize("before", ["nothing", "folder", "file", "link", "broken link"])
def test_replaced_folder_is_empty_and_ours(tmp_path: Path, before: str) -> None:
    place, elsewhere = tmp_path / "a" / "b", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("x")
    place.parent.mkdir()
    if before == "folder":
        place.mkdir(mode=0o755)
        (place / "old").mkdir()
        (place / "old" / "file").write_text("x")
    elif before == "file":
        place.write_text("x")
    elif before != "nothing":
        place.symlink_to(elsewhere if before == "link" else tmp_path / "gone")
    mask = os.umask(0)
    try:
        assert replace_folder(str(place)) == place
    finally:
        os.umask(mask)
    assert not place.is_symlink()
    assert list(place.iterdir()) == []
    assert place.stat().st_mode & 0o777 == 0o700
    assert (elsewhere / "kept").read_text() == "x"
    assert not (tmp_path / "gone").exists()
