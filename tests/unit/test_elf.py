"""ELF: what real shared objects say, and no crash on damaged ones."""

from __future__ import annotations

import platform
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zlib_ng import zlib_ng

from overflow.elf import read_shared_object
from tests.unit.builders import write

REAL = Path(zlib_ng.__file__)
"""A manylinux extension module that is installed for the archive."""

CONTENT = REAL.read_bytes()


def test_real_shared_object() -> None:
    found = read_shared_object(REAL.parent, REAL.name)
    assert found is not None
    assert found.machine == platform.machine()
    assert (2, 0) < found.glibc < (2, 40)


@pytest.mark.parametrize(
    "content", [b"", b"\x7fEL", b"text", b"\x7fELF", b"\x7fELF" + b"\xff" * 200, CONTENT[:64]]
)
def test_what_is_no_shared_object(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, {"x.so": content})
    assert read_shared_object(tmp_path, "x.so") is None


@pytest.mark.parametrize("part", range(1, 20))
def test_cut_off(tmp_path: Path, part: int) -> None:
    write(tmp_path, {"x.so": CONTENT[: len(CONTENT) * part // 20]})
    read_shared_object(tmp_path, "x.so")


HEADER = 64


@settings(max_examples=60)
@given(st.integers(0, HEADER - 1), st.binary(min_size=1, max_size=4))
def test_damaged_header_is_no_crash(place: int, instead: bytes) -> None:
    damaged = CONTENT[:place] + instead + CONTENT[place + len(instead) :]
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {"x.so": damaged})
        read_shared_object(Path(folder), "x.so")


SECTIONS = int.from_bytes(CONTENT[40:48], "little")
"""Offset of the section headers (e_shoff)."""


@settings(max_examples=40)
@given(st.integers(SECTIONS, len(CONTENT) - 1), st.binary(min_size=1, max_size=6))
def test_damaged_sections_are_no_crash(place: int, instead: bytes) -> None:
    damaged = CONTENT[:place] + instead + CONTENT[place + len(instead) :]
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {"x.so": damaged})
        read_shared_object(Path(folder), "x.so")
