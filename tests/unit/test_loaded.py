"""Loaded: equal parts in memory are told from others by a single byte, and damage is no crash."""

from __future__ import annotations

import platform
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.loaded import load_alike, read_loaded
from tests.support.elves import MACHINE_AT, REAL, SECTIONS_AT, fat, for_aarch64

FAT = fat()
LOADED = read_loaded(REAL)


def test_a_real_one() -> None:
    assert LOADED is not None
    assert LOADED.machine == platform.machine()
    assert LOADED.is_whole
    assert LOADED.parts
    assert all(start <= end <= len(REAL) for start, end in LOADED.parts)


def test_what_only_debuggers_read_makes_no_difference() -> None:
    assert len(FAT) > len(REAL) + 50_000
    assert load_alike(FAT, REAL)
    assert load_alike(fat(seed=2), FAT)


def changed(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@given(st.data())
def test_each_byte_that_is_loaded_does(data: st.DataObject) -> None:
    assert LOADED is not None
    start, end = data.draw(st.sampled_from([one for one in LOADED.parts if one[0] < one[1]]))
    at = data.draw(st.integers(max(start, LOADED.table[1]), end - 1))
    assert not load_alike(REAL, changed(REAL, at))


@pytest.mark.parametrize("field", [24, 48, MACHINE_AT])
def test_so_do_entry_point_flags_and_machine(field: int) -> None:
    assert not load_alike(REAL, changed(REAL, field))


def test_so_does_where_a_segment_is_in_memory() -> None:
    assert LOADED is not None
    first, end = LOADED.table
    for segment in range(first, end, 56):
        for field in (0, 4, 16, 24, 32, 40, 48):  # all but the offset in the file
            assert not load_alike(REAL, changed(REAL, segment + field))


def test_so_does_where_the_table_of_segments_is() -> None:
    """A process can ask for it."""
    assert LOADED is not None
    first, end = LOADED.table
    moved = REAL + REAL[first:end]
    assert not load_alike(REAL, moved[:32] + struct.pack("<Q", len(REAL)) + moved[40:])


def test_segments_that_cannot_be_mapped_are_damage() -> None:
    assert LOADED is not None
    first, end = LOADED.table
    (load, *_) = (at for at in range(first, end, 56) if REAL[at : at + 4] == b"\1\0\0\0")
    assert read_loaded(changed(REAL, load + 8)) is None


def test_what_was_added_to_the_end_shows() -> None:
    for more, is_whole in ((b"", True), (b"\0" * 8, True), (b"\0" * 17, False), (b"data", False)):
        found = read_loaded(REAL + more)
        assert found is not None
        assert found.is_whole is is_whole


def test_another_machine() -> None:
    found = read_loaded(for_aarch64(REAL))
    assert found is not None
    assert found.machine == "aarch64"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x7fELF",
        b"not an ELF file" * 10,
        REAL[:64],
        REAL[: len(REAL) // 2],
        REAL[:4] + b"\x01" + REAL[5:],  # 32 bits
        REAL[:16] + b"\x02\0" + REAL[18:],  # a program
        REAL[:58] + b"\0\0" + REAL[60:],  # no table of sections
        REAL[:SECTIONS_AT] + struct.pack("<Q", 2**63) + REAL[SECTIONS_AT + 8 :],
    ],
    ids=range(9),
)
def test_what_is_none_or_damaged(content: bytes) -> None:
    assert read_loaded(content) is None
    assert not load_alike(REAL, content)


@given(st.lists(st.tuples(st.integers(0, 600), st.binary(min_size=1, max_size=8)), max_size=4))
def test_damaged_headers_are_no_crash(damages: list[tuple[int, bytes]]) -> None:
    content = REAL
    for at, damage in damages:
        content = content[:at] + damage + content[at + len(damage) :]
    read_loaded(content)
    load_alike(REAL, content)
