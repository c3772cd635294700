"""Rpath: the folders that shared objects name, and no crash on damaged ones."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zlib_ng import zlib_ng

from overflow.rpath import search_folders
from tests.unit.builders import write

REAL = Path(zlib_ng.__file__)
"""A manylinux extension module that looks nowhere."""

RPATH, RUNPATH = 15, 29
BASE = 0x1000
"""Address of the file's first byte."""


def shared_object(**paths: str) -> bytes:
    """The least that a dynamic linker would read: headers, a dynamic section, names."""
    names = b"\0" + b"".join(path.encode() + b"\0" for path in paths.values())
    start, tags, at = 64 + 2 * 56, b"", 1
    for name, path in paths.items():
        tags += struct.pack("<QQ", {"rpath": RPATH, "runpath": RUNPATH}[name], at)
        at += len(path) + 1
    size = len(tags) + 2 * 16
    tags += struct.pack("<QQQQ", 5, BASE + start + size, 0, 0)
    header = struct.pack("<6s26xQ14xHH6x", b"\x7fELF\x02\x01", 64, 56, 2)
    whole = start + size + len(names)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, whole, whole, 4096)
    dynamic = struct.pack("<IIQQQQQQ", 2, 6, start, BASE + start, 0, size, size, 8)
    return header + load + dynamic + tags + names


def found(tmp_path: Path, content: bytes, path: str = "alpha/core/x.so") -> set[str]:
    write(tmp_path, {path: content})
    return set(search_folders(tmp_path, path))


@pytest.mark.parametrize(
    ("text", "path", "folders"),
    [
        ("$ORIGIN/../alpha.libs", "alpha/core/x.so", {"alpha/alpha.libs"}),
        ("$ORIGIN/../../alpha.libs", "alpha/core/x.so", {"alpha.libs"}),
        ("${ORIGIN}", "alpha/x.so", {"alpha"}),
        ("/usr/lib:$ORIGIN/lib:relative", "alpha/x.so", {"alpha/lib"}),
        ("$ORIGIN/a:$ORIGIN/b", "x/x.so", {"x/a", "x/b"}),
        ("", "x/x.so", set()),
        # The module at the top of site-packages, as with cffi's.
        ("$ORIGIN/alpha.libs", "x.so", {"alpha.libs"}),
    ],
)
@pytest.mark.parametrize("tag", ["rpath", "runpath"])
def test_folders_below_origin(
    tmp_path: Path, tag: str, text: str, path: str, folders: set[str]
) -> None:
    assert found(tmp_path, shared_object(**{tag: text}), path) == folders


def test_both_tags_count(tmp_path: Path) -> None:
    content = shared_object(rpath="$ORIGIN/a", runpath="$ORIGIN/b")
    assert found(tmp_path, content, "x/x.so") == {"x/a", "x/b"}


def test_real_one_that_looks_nowhere() -> None:
    assert search_folders(REAL.parent, REAL.name) == frozenset()


@pytest.mark.parametrize(
    "content", [b"", b"\x7fEL", b"text", b"\x7fELF", b"\x7fELF\x02\x01" + b"\xff" * 200]
)
def test_what_is_no_shared_object(tmp_path: Path, content: bytes) -> None:
    assert found(tmp_path, content) == set()


def test_missing_file(tmp_path: Path) -> None:
    assert search_folders(tmp_path, "x.so") == frozenset()


CONTENTS = (shared_object(rpath="$ORIGIN/a", runpath="$ORIGIN/b"), REAL.read_bytes()[:4096])


@settings(max_examples=200)
@given(st.sampled_from(CONTENTS), st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_damage_is_no_crash(content: bytes, place: int, instead: bytes) -> None:
    damaged = content[:place] + instead + content[place + len(instead) :]
    with tempfile.TemporaryDirectory() as folder:
        found(Path(folder), damaged)


@pytest.mark.parametrize("length", range(0, len(CONTENTS[0]), 7))
def test_cut_off(tmp_path: Path, length: int) -> None:
    found(tmp_path, CONTENTS[0][:length])
