"""Pieces: the same bytes with and without a cache."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pytest

from overflow import pieces
from overflow.cache import Cache
from overflow.pieces import END, KIND, SMALLEST, deflate, deflate_part
from tests.unit.builders import NO_CACHE

if TYPE_CHECKING:
    from pathlib import Path

CONTENTS = [b"alpha " * 2000, b"", b"x", b"beta " * 3000]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(folder=tmp_path)


def kept(cache: Cache) -> list[Path]:
    assert cache.folder is not None
    return sorted((cache.folder / KIND).glob("*"))


def test_same_bytes_with_and_without(cache: Cache) -> None:
    plain = deflate(CONTENTS, NO_CACHE)
    assert deflate(CONTENTS, cache) == plain
    assert len(kept(cache)) == 1
    assert deflate(CONTENTS, cache) == plain
    assert [zlib.decompress(stream, wbits=-15) for stream in plain] == CONTENTS


def test_parts_are_a_stream(cache: Cache) -> None:
    for _ in range(2):
        parts = [deflate_part(content, cache) for content in CONTENTS]
        assert parts == [deflate_part(content, NO_CACHE) for content in CONTENTS]
        assert zlib.decompress(b"".join(parts) + END, wbits=-15) == b"".join(CONTENTS)
    assert len(kept(cache)) == 2


def test_known_contents_are_not_compressed_again(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = deflate(CONTENTS, cache)
    monkeypatch.setattr(pieces, "_deflate", None)
    assert deflate(CONTENTS, cache) == before


def test_damaged_entry_is_made_again(cache: Cache) -> None:
    before = deflate(CONTENTS, cache)
    (place,) = kept(cache)
    whole = place.read_bytes()
    for content in (whole[:-1], whole[: len(whole) // 2], b"", b"\0" * len(whole)):
        place.write_bytes(content)
        assert deflate(CONTENTS, cache) == before
        assert place.read_bytes() == whole


def test_whatever_decides_is_part_of_the_key(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    long = b"x" * SMALLEST
    for contents in ([long, b"ab", b""], [long, b"a", b"b"], [long, b"ab"], [long + b"ab"]):
        deflate(contents, cache)
    deflate_part(long, cache)
    deflate([long], cache)
    monkeypatch.setattr(pieces, "ENGINE", b"another")
    deflate([long, b"ab"], cache)
    assert len(kept(cache)) == 7


def test_what_is_small_is_not_kept(cache: Cache) -> None:
    deflate([b"x" * (SMALLEST - 1)], cache)
    assert not kept(cache)
