"""Tree and files: what is listed below a folder, and which of a project's files are taken."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from overflow.errors import InputFault
from overflow.files import read_project_files
from overflow.tree import Tree, read_tree
from tests.unit.builders import write

if TYPE_CHECKING:
    from pathlib import Path


def everything(path: str, is_folder: bool) -> bool:
    return False


def test_files_sorted_with_sizes(tmp_path: Path) -> None:
    write(tmp_path, {"b.txt": "12", "a/z.txt": "1", "a-b": "", "a/y/x": "123"})
    tree = read_tree(tmp_path, everything)
    assert list(tree.sizes.items()) == [("a-b", 0), ("a/y/x", 3), ("a/z.txt", 1), ("b.txt", 2)]
    assert tree.size == 6
    assert tree.skipped_links == ()


def test_skip_sees_paths_and_leaves_folders_out(tmp_path: Path) -> None:
    write(tmp_path, {"keep/a": "1", "drop/b": "1", "keep/drop": "1"})
    seen: list[tuple[str, bool]] = []

    def skip(path: str, is_folder: bool) -> bool:
        seen.append((path, is_folder))
        return path == "drop"

    assert list(read_tree(tmp_path, skip).sizes) == ["keep/a", "keep/drop"]
    assert sorted(seen) == [("drop", True), ("keep", True), ("keep/a", False), ("keep/drop", False)]


def test_links(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(
        tmp_path, {"secret": "s" * 99, "root-beside/x": "1", "root/real": "1234", "root/d/e": "1"}
    )
    for name, target in {
        "inside": "real",
        "absolute": str(root / "real"),
        "out": "../secret",
        "beside": "../root-beside/x",
        "nothing": "gone",
        "folder": "d",
        "itself": "itself",
        "d/up": "../real",
    }.items():
        (root / name).symlink_to(target)
    tree = read_tree(root, everything)
    assert tree.sizes == {"absolute": 4, "d/e": 1, "d/up": 4, "inside": 4, "real": 4}
    assert tree.skipped_links == ("beside", "folder", "itself", "nothing", "out")


def test_root_that_is_a_link_is_followed(tmp_path: Path) -> None:
    write(tmp_path, {"real/a": "1"})
    (tmp_path / "link").symlink_to("real")
    tree = read_tree(tmp_path / "link", everything)
    assert (tree.root, list(tree.sizes)) == (tmp_path / "real", ["a"])


def test_pipes_have_no_place(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_tree(tmp_path, everything).sizes == {}


@pytest.mark.parametrize("name", ["gone", "file"])
def test_folder_that_cannot_be_listed(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"file": "x"})
    with pytest.raises(InputFault) as raised:
        read_tree(tmp_path / name, everything)
    assert raised.value.code == "not-readable"
    assert name in raised.value.message


def test_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """No zip that Lambda takes can hold it: better said here than a crash later."""
    (tmp_path / os.fsdecode(b"caf\xe9.py")).touch()
    with pytest.raises(InputFault):
        read_tree(tmp_path, everything)


def taken(root: Path, *, exclude: tuple[str, ...] = (), include: tuple[str, ...] = ()) -> list[str]:
    tree: Tree = read_project_files(root, exclude=exclude, include=include).tree
    return list(tree.sizes)


PROJECT = dict.fromkeys("app.py pkg/__init__.py pkg/data.json pyproject.toml uv.lock".split(), "x")
LEFT_OUT = (
    ".env .env.local pkg/.env .git/config .venv/bin/python .github/workflows/ci.yml .ssh/id_rsa"
    " venv/bin/python node_modules/left/pad.js pkg/node_modules/x __pycache__/app.pyc"
    " pkg/__pycache__/x.cpython-312.pyc pkg/x.pyc pkg/x.pyo app.egg-info/PKG-INFO"
    " build/lib/x.py dist/x.whl"
).split()
RESERVED = "_vendor/x.py _overflow/start.py _uv/uv overflow_trampoline.py".split()


@pytest.mark.parametrize("path", [*LEFT_OUT, *RESERVED])
def test_left_out_by_default(tmp_path: Path, path: str) -> None:
    write(tmp_path, {**PROJECT, path: "secret"})
    assert taken(tmp_path) == sorted(PROJECT)


@pytest.mark.parametrize(
    "path", ["environment.py", "pkg/_vendor/x.py", "pkg/_uv/uv", "git/config", "pkg/build/x.py"]
)
def test_what_only_looks_like_it_is_taken(tmp_path: Path, path: str) -> None:
    write(tmp_path, {path: "x"})
    assert taken(tmp_path) == [path]


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (("*.json",), ["app.py", "pkg/__init__.py", "pyproject.toml", "uv.lock"]),
        (("pkg/",), ["app.py", "pyproject.toml", "uv.lock"]),
        (("/app.py", "uv.*"), ["pkg/__init__.py", "pkg/data.json", "pyproject.toml"]),
        (("*", "!app.py"), ["app.py"]),
        (("# nothing", ""), sorted(PROJECT)),
    ],
)
def test_exclude(tmp_path: Path, patterns: tuple[str, ...], left: list[str]) -> None:
    write(tmp_path, PROJECT)
    assert taken(tmp_path, exclude=patterns) == left


@pytest.mark.parametrize(
    ("pattern", "brought"),
    [
        (".env", ".env"),
        ("pkg/.env", "pkg/.env"),
        ("/node_modules/left/pad.js", "node_modules/left/pad.js"),
        (".github/", ".github/workflows/ci.yml"),
        (".ssh/id_rsa", ".ssh/id_rsa"),
    ],
)
def test_include_brings_back_that_and_no_more(tmp_path: Path, pattern: str, brought: str) -> None:
    paths = [path for path in LEFT_OUT if path == brought or path.rpartition("/")[2] != brought]
    write(tmp_path, {**PROJECT, **dict.fromkeys(paths, "x")})
    assert taken(tmp_path, include=(pattern,)) == sorted([*PROJECT, brought])


def test_include_wins_over_exclude(tmp_path: Path) -> None:
    write(tmp_path, PROJECT)
    assert taken(tmp_path, exclude=("*",), include=("app.py",)) == ["app.py"]


@pytest.mark.parametrize("pattern", ["*", "**", "/_vendor/", "_uv/uv", "overflow_trampoline.py"])
def test_reserved_names_stay_out_whatever_is_included(tmp_path: Path, pattern: str) -> None:
    write(tmp_path, dict.fromkeys(RESERVED, "x"))
    assert taken(tmp_path, include=(pattern,)) == []


@pytest.mark.parametrize("name", ["_vendor", "_overflow", "_uv"])
def test_reserved_names_are_no_files_either(tmp_path: Path, name: str) -> None:
    write(tmp_path, {**PROJECT, name: "x"})
    assert taken(tmp_path) == sorted(PROJECT)


@pytest.mark.parametrize("pattern", ["!", "a\\", "/", "***", "[", "a/**b", "\\"])
def test_odd_patterns_are_refused_or_taken_but_no_crash(tmp_path: Path, pattern: str) -> None:
    write(tmp_path, PROJECT)
    for given in ({"exclude": (pattern,)}, {"include": (pattern,)}):
        try:
            taken(tmp_path, **given)
        except InputFault as fault:
            assert pattern in fault.message
