"""The command line: exit codes, and no traceback for what a user can cause."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from overflow import __version__, cli, pipeline
from overflow.errors import InputFault, UvFault
from overflow.results import read_plan
from overflow.wire import failure_from_json, from_json
from tests.unit.reports import as_read, fits, overflows, too_large

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from overflow.inputs import Inputs
    from overflow.installation import Tools
    from overflow.report import Report


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Inputs]:
    """Has the pipeline answer with a report that fits; gives what it was asked."""
    return answer(monkeypatch, fits)


def answer(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Report]) -> list[Inputs]:
    seen: list[Inputs] = []

    def plan(inputs: Inputs, tools: Tools) -> Report:
        seen.append(inputs)
        return make()

    def build(inputs: Inputs, folder: Path, tools: Tools) -> Report:
        assert folder == inputs.output
        return plan(inputs, tools)

    monkeypatch.setattr(pipeline, "plan", plan)
    monkeypatch.setattr(pipeline, "build", build)
    return seen


def test_plan_prints_text(asked: list[Inputs], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "somewhere", "--group", "a", "--group", "b"]) == 0
    assert capsys.readouterr().out.startswith("Fits: ")
    assert asked[0].groups == ("a", "b")
    assert asked[0].project.name == "somewhere"


def test_plan_prints_json(asked: list[Inputs], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "--json", "--no-runtime-install"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "fits"
    assert not asked[0].runtime_install


def test_build(asked: list[Inputs], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["build", "--output", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("Fits: ")
    assert said.err == f"Upload {tmp_path}/function.zip\n"


@pytest.mark.parametrize("stale", [False, True])
def test_too_large(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    stale: bool,
) -> None:
    answer(monkeypatch, too_large)
    if stale:
        (tmp_path / "bundle").mkdir()
    assert cli.main(["build", "--output", str(tmp_path)]) == 3
    said = capsys.readouterr().err
    assert f"No bundle was written; why: {tmp_path}/summary.md" in said
    assert ("is that of an earlier build" in said) is stale


def test_hostile_text_reaches_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, overflows)
    assert cli.main(["plan"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\n::error::" not in out


def test_action_reads_its_environment(
    asked: list[Inputs], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OVERFLOW_OUTPUT", str(tmp_path))
    monkeypatch.setenv("OVERFLOW_PYTHON", "3.12")
    assert cli.main_from_environment() == 0
    assert (asked[0].output, asked[0].python) == (tmp_path, "3.12")


def test_plan_by_the_environment_leaves_its_report(
    asked: list[Inputs],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """For a program in a file, which no words of a build hook can get into; for people as text."""
    monkeypatch.setenv("OVERFLOW_PROJECT", "somewhere")
    monkeypatch.setenv("OVERFLOW_OUTPUT", str(tmp_path))
    assert cli.main_from_environment("plan") == 0
    assert (asked[0].project.name, asked[0].output) == ("somewhere", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert from_json((tmp_path / "report.json").read_bytes()) == as_read(fits())
    assert capsys.readouterr().out.startswith("Fits: ")


def test_plan_by_the_environment_that_is_too_large(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer(monkeypatch, too_large)
    monkeypatch.setenv("OVERFLOW_OUTPUT", str(tmp_path))
    exit_code = cli.main_from_environment("plan")
    assert read_plan(tmp_path, exit_code) == as_read(too_large())


def test_plan_as_a_command_writes_nothing(
    asked: list[Inputs], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OVERFLOW_OUTPUT", str(tmp_path))
    assert cli.main(["plan", "--json"]) == 0
    assert asked[0].output is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["build", "plan"])
def test_action_without_an_output(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main_from_environment(command) == 2
    assert "error[option-invalid]: --output: is needed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("failure", "exit_code", "said"),
    [
        (InputFault("some-code", "m", hint="h"), 2, "error[some-code]: m\n  hint: h\n"),
        (UvFault("uv-code", "m", hint="h", details="d"), 4, "  | d\nerror[uv-code]: m"),
        (OSError(28, "No space left on device", "/x"), 2, "error[file-system]: /x: No space left"),
        (OSError("odd"), 2, "error[file-system]: the file system: odd"),
        (KeyboardInterrupt(), 130, "Interrupted"),
    ],
)
def test_faults_become_exit_codes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failure: BaseException,
    exit_code: int,
    said: str,
) -> None:
    def fail() -> Report:
        raise failure

    answer(monkeypatch, fail)
    assert cli.main(["plan"]) == exit_code
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""
    assert "Traceback" not in shown.err


def test_bug_is_shown_with_all_there_is_to_know(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> Report:
        raise ZeroDivisionError("\x1b::error::")

    answer(monkeypatch, fail)
    assert cli.main(["plan"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert f"error[bug]: this is a bug of overflow {__version__}" in said
    assert "\x1b" not in said


FAILURES: list[tuple[Exception, str, int]] = [
    (InputFault("some-code", "m", hint="h", details="d"), "some-code", 2),
    (UvFault("uv-code", "m", hint="h"), "uv-code", 4),
    (OSError(28, "No space left on device", "/x"), "file-system", 2),
    (ZeroDivisionError("secret"), "bug", 1),
]


@pytest.mark.parametrize(("failure", "code", "exit_code"), FAILURES)
@pytest.mark.parametrize("by", ["option", "variable", "plan"])
def test_failure_leaves_why(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    failure: Exception,
    code: str,
    exit_code: int,
    by: str,
) -> None:
    def fail() -> Report:
        raise failure

    answer(monkeypatch, fail)
    if by == "option":
        assert cli.main(["build", "--output", str(tmp_path)]) == exit_code
    else:
        monkeypatch.setenv("OVERFLOW_OUTPUT", str(tmp_path))
        command = "plan" if by == "plan" else "build"
        assert cli.main_from_environment(command) == exit_code
    left = failure_from_json((tmp_path / "fault.json").read_bytes())
    assert (left.code, left.exit_code) == (code, exit_code)
    assert left.hint
    assert "secret" not in left.message + left.details


def test_plan_as_a_command_that_fails_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail() -> Report:
        raise InputFault("some-code", "m", hint="h")

    answer(monkeypatch, fail)
    monkeypatch.setenv("OVERFLOW_OUTPUT", str(tmp_path))
    assert cli.main(["plan"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_option_at_fault_is_left_too(tmp_path: Path) -> None:
    arguments = ["--output", str(tmp_path), "--threshold-mb", "many"]
    assert cli.main(["build", *arguments]) == 2
    left = failure_from_json((tmp_path / "fault.json").read_bytes())
    assert left.code == "option-invalid"


@pytest.mark.parametrize("command", ["build", "plan"])
@pytest.mark.parametrize("option", ["--strategy", "--installer", "--trim"])
def test_choice_that_is_none(
    command: str, option: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    output = ["--output", str(tmp_path)] if command == "build" else []
    assert cli.main([command, option, "magic", *output]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error[option-invalid]: {option}: 'magic'\n  hint: expected one of ")


@pytest.mark.parametrize("arguments", [[], ["destroy"], ["build", "--magic"]])
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        cli.main(arguments)
    assert raised.value.code == 2
    assert "usage: overflow" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        cli.main(["--version"])
    assert raised.value.code == 0
    assert capsys.readouterr().out == f"overflow {__version__}\n"
