"""Stale bytecode: what Python takes without a look at its source, which is another one now."""

from __future__ import annotations

import json
import py_compile
from typing import TYPE_CHECKING

import pytest

from overflow import stale

if TYPE_CHECKING:
    from pathlib import Path

MODE = py_compile.PycInvalidationMode


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a" / "b.py"
    path.parent.mkdir()
    path.write_text("x = 1\n", encoding="utf-8")
    py_compile.compile(str(path), doraise=True, invalidation_mode=MODE.UNCHECKED_HASH)
    return path


def found(root: Path) -> list[tuple[str, str]]:
    return list(stale.stale(str(root)))


def test_as_it_was_compiled(source: Path, tmp_path: Path) -> None:
    assert found(tmp_path) == []


def test_edited(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source.write_text("x = 2\n", encoding="utf-8")
    named = ("a/b.py", f"a/__pycache__/b{stale.SUFFIX}")
    assert found(tmp_path) == [named]
    stale.main(str(tmp_path))
    assert json.loads(capsys.readouterr().out) == [list(named)]


@pytest.mark.parametrize("mode", [MODE.CHECKED_HASH, MODE.TIMESTAMP])
def test_what_python_compares_itself(source: Path, tmp_path: Path, mode: MODE) -> None:
    py_compile.compile(str(source), doraise=True, invalidation_mode=mode)
    source.write_text("x = 2\n", encoding="utf-8")
    assert found(tmp_path) == []


@pytest.mark.parametrize("name", ["b.cpython-27.pyc", "b.opt-1.cpython-312.pyc", "readme"])
def test_what_python_does_not_take(source: Path, tmp_path: Path, name: str) -> None:
    """Another Python's, by its name or by its content; and what has no source."""
    source.write_text("x = 2\n", encoding="utf-8")
    bytecode = source.parent / "__pycache__" / f"b{stale.SUFFIX}"
    content = bytecode.read_bytes()
    bytecode.write_bytes(b"1234" + content[4:])
    bytecode.with_name(name).write_bytes(content)
    bytecode.with_name(f"gone{stale.SUFFIX}").write_bytes(content)
    bytecode.with_name(f"short{stale.SUFFIX}").write_bytes(content[:7])
    assert found(tmp_path) == []


def test_what_cannot_be_read_is_left_to_the_start(source: Path, tmp_path: Path) -> None:
    (source.parent / "__pycache__" / f"c{stale.SUFFIX}").symlink_to("nowhere")
    assert found(tmp_path) == []
