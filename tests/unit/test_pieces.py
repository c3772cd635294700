"""Pieces: the same bytes with and without a cache."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pytest

from overflow import pieces
from overflow.cache import Cache
from overflow.pieces import KIND, SMALLEST, deflate
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


@pytest.mark.parametrize("is_last", [True, False])
def test_same_bytes_with_and_without(cache: Cache, *, is_last: bool) -> None:
    plain = deflate(CONTENTS, is_last=is_last, cache=NO_CACHE)
    assert deflate(CONTENTS, is_last=is_last, cache=cache) == plain
    assert len(kept(cache)) == 1
    assert deflate(CONTENTS, is_last=is_last, cache=cache) == plain
    end = b"" if is_last else b"\3\0"  # an empty last block
    assert [zlib.decompress(part + end, wbits=-15) for part in plain] == CONTENTS


def test_known_contents_are_not_compressed_again(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = deflate(CONTENTS, is_last=True, cache=cache)
    monkeypatch.setattr(pieces, "_deflate", None)
    assert deflate(CONTENTS, is_last=True, cache=cache) == before


def test_damaged_entry_is_made_again(cache: Cache) -> None:
    before = deflate(CONTENTS, is_last=True, cache=cache)
    (place,) = kept(cache)
    whole = place.read_bytes()
    for content in (whole[:-1], whole[: len(whole) // 2], b"", b"\0" * len(whole)):
        place.write_bytes(content)
        assert deflate(CONTENTS, is_last=True, cache=cache) == before
        assert place.read_bytes() == whole


def test_whatever_decides_is_part_of_the_key(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    long = b"x" * SMALLEST
    for contents in ([long, b"ab", b""], [long, b"a", b"b"], [long, b"ab"], [long + b"ab"]):
        deflate(contents, is_last=True, cache=cache)
    deflate([long, b"ab"], is_last=False, cache=cache)
    monkeypatch.setattr(pieces, "ENGINE", b"another")
    deflate([long, b"ab"], is_last=True, cache=cache)
    assert len(kept(cache)) == 6


def test_what_is_small_is_not_kept(cache: Cache) -> None:
    deflate([b"x" * (SMALLEST - 1)], is_last=True, cache=cache)
    assert not kept(cache)
