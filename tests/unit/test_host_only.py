"""Host only: the action's steps run where Python is, and nothing else of what we need."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "overflow"

LAZY = {"console": {"rich.console", "rich.text"}}
"""Imported by a function that no step calls: it is for people at a terminal."""


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def at_run_time(nodes: list[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements but those for type checkers."""
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from at_run_time(node.orelse)
        else:
            yield node


def imports(path: Path) -> set[str]:
    """What a module imports when it runs, in functions too; `overflow.x` for each of ours."""
    found: set[str] = set()
    for statement in at_run_time(parsed(path).body):
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                name = "." * node.level + (node.module or "")
                own = name == "overflow"
                found |= {f"overflow.{one.name}" for one in node.names} if own else {name}
    return found


def reached(name: str) -> set[str]:
    """The module and all of ours that are imported with it."""
    found, pending = set(), {name}
    while pending:
        one = pending.pop()
        found.add(one)
        own = {each.partition(".")[2] for each in imports(PACKAGE / f"{one}.py") if is_own(each)}
        pending |= own - found - {"__version__"}
    return found


def is_own(name: str) -> bool:
    return name.partition(".")[0] == "overflow"


HOST = sorted(reached("action"))


@pytest.mark.parametrize("name", HOST)
def test_needs_the_standard_library_alone(name: str) -> None:
    others = {one for one in imports(PACKAGE / f"{name}.py") if not is_own(one)}
    roots = {one: one.partition(".")[0] for one in others - LAZY.get(name, set())}
    assert {one for one, root in roots.items() if root not in sys.stdlib_module_names} == set()


def test_the_walk_gets_around() -> None:
    """So that the test above cannot pass on nothing."""
    assert {"steps", "launch", "wire", "report", "plan", "rest", "summary"} <= set(HOST)
    assert imports(PACKAGE / "archive.py") >= {"zlib_ng"}
    assert "overflow.uv" in imports(PACKAGE / "cli.py")


def test_what_needs_more_is_not_reached() -> None:
    assert not {"cli", "pipeline", "lockfile", "uv", "declared", "reporting"} & set(HOST)


def test_steps_do_not_show_a_spinner() -> None:
    """The one way to the lazy import is a Console."""
    users = [name for name in HOST if "Console(" in (PACKAGE / f"{name}.py").read_text("utf-8")]
    assert users == []


def test_entry_point_imports_the_build_only_where_it_builds() -> None:
    first = [node for node in ast.walk(parsed(ROOT / "entrypoint.py")) if isinstance(node, ast.If)]
    action = next(node for node in first if "action" in ast.unparse(node.test))
    assert "from overflow.action import main" in ast.unparse(action.body[0])
    top = [node for node in parsed(ROOT / "entrypoint.py").body if isinstance(node, ast.ImportFrom)]
    assert not [node for node in top if is_own(node.module or "")]


@pytest.mark.parametrize("name", HOST)
def test_reads_on_the_oldest_python(name: str) -> None:
    source = (PACKAGE / f"{name}.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 10))
