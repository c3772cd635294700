"""The lines that the code draws for itself: who imports whom, who touches the outside, how long."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "overflow"

MODULES = tuple(sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__"))
RUNTIME = tuple(sorted(path.stem for path in (PACKAGE / "runtime").glob("*.py")))
FILES = tuple(sorted(PACKAGE.rglob("*.py")))

OUTSIDE = frozenset(
    "process uv pythons locking environment tree files measure elf rpath resources templates"
    " cache sample archive crate compiler bytecode isolation watch recorder starter stale"
    " identity startup rehearsal attempt proving verification preparation stripping trimming"
    " appraisal decision bundle output box console installation pipeline cli __main__ runner"
    " checkout engine native launch rest assets stored base results steps action".split()
)
"""Modules that touch disk, processes, templates, network or a terminal. All others are pure."""

FORBIDDEN_IN_PURE = frozenset(
    "os subprocess shutil tempfile socket ssl urllib.request http requests io sys threading"
    " multiprocessing ctypes signal fcntl glob asyncio".split()
)

DISK_METHODS = frozenset(
    "open read_text read_bytes write_text write_bytes mkdir rmdir unlink rename replace iterdir"
    " glob rglob stat lstat exists is_file is_dir is_symlink resolve touch chmod symlink_to"
    " hardlink_to readlink cwd home expanduser".split()
)
"""pathlib's ways to the disk."""

NOT_THE_DISK = {"replace": "str.replace, dataclasses.replace"}
"""Names of DISK_METHODS that other types have too."""


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def module(name: str) -> ast.Module:
    return parsed(PACKAGE / f"{name}.py")


def imports(tree: ast.Module) -> set[str]:
    """Every imported module by its full name, also under TYPE_CHECKING and inside functions."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            if name in {"overflow", "overflow.runtime", "."}:
                found |= {f"{name.rstrip('.')}.{alias.name}" for alias in node.names}
            else:
                found.add(name)
    return found


def own_imports(name: str) -> set[str]:
    """What a module imports of overflow, without `overflow.`."""
    own = {one.removeprefix("overflow.") for one in imports(module(name)) if "overflow" in one}
    return own - {"__version__"}


def import_order() -> list[str]:
    """CONTRIBUTING.md's list: one module a line, a description after two spaces."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"^<!-- import-order -->\s*```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert block, "CONTRIBUTING.md: no fenced block after <!-- import-order -->"
    lines = (line for line in block[1].splitlines() if line.strip())
    return [line.split("  ")[0].strip() for line in lines]


def test_import_order_names_every_module_once() -> None:
    order = import_order()
    assert sorted(order) == sorted(set(order))
    assert set(order) == set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_imports_only_what_stands_before_it(name: str) -> None:
    order = import_order()
    earlier = set(order[: order.index(name)])
    assert own_imports(name) - {"runtime.manifest"} <= earlier


@pytest.mark.parametrize("name", MODULES)
def test_nothing_imports_in_a_circle(name: str) -> None:
    """Holds without CONTRIBUTING.md, too: some order exists."""
    reached: set[str] = set()
    pending = {name}
    while pending:
        one = pending.pop()
        further = own_imports(one) - {"runtime.manifest"} - reached
        reached |= further
        pending |= further
    assert name not in reached


@pytest.mark.parametrize("name", MODULES)
def test_build_side_imports_only_the_manifest_of_the_runtime(name: str) -> None:
    of_runtime = {one for one in own_imports(name) if one.startswith("runtime")}
    assert of_runtime <= {"runtime.manifest"}


def test_package_itself_imports_nothing() -> None:
    assert imports(module("__init__")) == {"__future__"}


@pytest.mark.parametrize("name", RUNTIME)
def test_runtime_needs_nothing_but_python_3_10(name: str) -> None:
    source = (PACKAGE / "runtime" / f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 10))
    for imported in imports(tree):
        if imported.startswith("."):
            assert imported.lstrip(".") in RUNTIME
        else:
            assert imported.split(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("name", sorted(set(MODULES) - OUTSIDE))
def test_pure_modules_have_no_way_out(name: str) -> None:
    tree = module(name)
    roots = {part for one in imports(tree) for part in (one, one.split(".")[0])}
    assert not roots & FORBIDDEN_IN_PURE
    called = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not (called & DISK_METHODS) - NOT_THE_DISK.keys()
    assert not {"open", "print", "input", "exec", "eval"} & {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def test_outside_names_modules_that_exist() -> None:
    assert set(MODULES) >= OUTSIDE


def test_one_module_of_the_build_starts_programs() -> None:
    assert [name for name in MODULES if "subprocess" in imports(module(name))] == ["process"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_short_enough_to_be_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
    for node in ast.walk(parsed(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, node.name
