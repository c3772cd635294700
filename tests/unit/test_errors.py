"""Codes of faults: each one that is raised is explained in docs/errors.md, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from overflow.errors import BundleFault, ExitCode, Fault, InputFault, UvFault, file_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SOURCES = tuple(sorted((ROOT / "overflow").rglob("*.py")))
FAULTS = {"BundleFault", "Fault", "InputFault", "UvFault"}

EXPANDED = {
    "-unknown": {"extra-unknown", "group-unknown"},
    "-too-large": {"lock-too-large", "pyproject-too-large", "requirements-too-large"},
    "-missing": {"lock-missing", "pyproject-missing", "requirements-missing"},
}
"""Codes that are put together, by how they end."""


def trees() -> list[ast.Module]:
    return [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES]


def called(node: ast.Call) -> str:
    return ast.unparse(node.func).rpartition(".")[2]


def parameters(function: ast.FunctionDef) -> list[str]:
    names = [argument.arg for argument in function.args.args]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def calls(node: ast.AST) -> Iterator[ast.Call]:
    return (one for one in ast.walk(node) if isinstance(one, ast.Call))


def raised_codes() -> set[str]:
    """The code of each fault; one that is a parameter is looked up where it is passed."""
    codes: set[str] = set()
    passed: set[tuple[str, int]] = set()
    for tree in trees():
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            for code in (call.args[0] for call in calls(function) if called(call) in FAULTS):
                if isinstance(code, ast.Name):
                    passed.add((function.name, parameters(function).index(code.id)))
                else:
                    codes |= literal(code)
    for call in (call for tree in trees() for call in calls(tree)):
        for name, position in passed:
            if called(call) == name:
                codes |= literal(call.args[position])
    return codes


def failure_codes() -> set[str]:
    """Codes of failures that no fault is behind."""
    made = (call for tree in trees() for call in calls(tree) if called(call) == "Failure")
    codes = (one.value for call in made for one in call.keywords if one.arg == "code")
    return {str(one.value) for one in codes if isinstance(one, ast.Constant)}


def literal(code: ast.expr) -> set[str]:
    if isinstance(code, ast.Constant) and isinstance(code.value, str):
        return {code.value}
    assert isinstance(code, ast.JoinedStr), ast.unparse(code)
    ending = code.values[-1]
    assert isinstance(ending, ast.Constant)
    return EXPANDED[str(ending.value)]


def documented_codes() -> set[str]:
    """Codes in headings and in first columns of tables."""
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    return set(re.findall(r"^(?:#+|\|)\s*`([a-z0-9-]+)`", text, re.MULTILINE))


def test_every_code_is_documented_and_no_other() -> None:
    assert documented_codes() == (raised_codes() | failure_codes()) - {"bug"}


def test_no_code_stands_among_the_functions_own_messages() -> None:
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    later = text.partition("At run time")[2]
    assert later
    assert not re.findall(r"^\|\s*`([a-z0-9]+-[a-z0-9-]+)`", later, re.MULTILINE)


def test_code_of_a_bug_is_printed_and_documented() -> None:
    """The one that no fault has."""
    assert "error[bug]" in (ROOT / "overflow" / "cli.py").read_text(encoding="utf-8")
    assert "`bug`" in (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")


def test_codes_are_found() -> None:
    """So that the test above cannot pass on nothing."""
    assert {"lock-invalid", "lock-failed", "pyproject-missing", "group-unknown"} <= raised_codes()
    assert failure_codes() == {"bug", "build-ended", "container-failed"}


def test_codes_are_in_kebab_case() -> None:
    assert [
        code
        for code in raised_codes() | failure_codes()
        if not re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    ] == []


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [
        (InputFault, ExitCode.INPUT),
        (UvFault, ExitCode.UV),
        (BundleFault, ExitCode.BROKEN),
    ],
)
def test_exit_code_of_each_kind(kind: type[Fault], exit_code: ExitCode) -> None:
    fault = kind("some-code", "what, where", hint="what to do", details="said")
    assert fault.exit_code is exit_code
    assert str(fault) == fault.message == "what, where"
    assert (fault.code, fault.hint, fault.details) == ("some-code", "what to do", "said")


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (OSError(2, "No such file", "/a"), "/a"),
        (OSError(28, "No space left", "/a", None, "/b"), "/b"),
        (OSError(13, "Permission denied", "/a", None, "/b"), "/a"),
        (OSError(28, "No space left"), "the file system"),
    ],
)
def test_files_that_are_refused(error: OSError, named: str) -> None:
    assert file_fault(error).message == f"{named}: {error.strerror}"


def test_exit_codes_are_part_of_the_interface() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "BUG": 1,
        "INPUT": 2,
        "TOO_LARGE": 3,
        "UV": 4,
        "BROKEN": 5,
        "GATE": 6,
        "INTERRUPTED": 130,
    }
