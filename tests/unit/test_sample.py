"""Sample: estimates near what a crate takes, from few of the bytes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow import sample
from overflow.cache import Cache
from overflow.crate import Item, write_crate
from overflow.sample import BLOCK, EVERY, WHOLE, estimates
from tests.unit.builders import NO_CACHE, write

if TYPE_CHECKING:
    from pathlib import Path

WORDS = [f"word{number}" for number in range(3000)]


def text(seed: int, size: int) -> bytes:
    """Something like source code: compressible, and not the same over and over."""
    dice = random.Random(seed)
    return " ".join(dice.choices(WORDS, k=size // 7)).encode()[:size]


def files(tmp_path: Path, contents: dict[str, bytes]) -> list[tuple[str, int]]:
    write(tmp_path, contents)
    return [(str(tmp_path / path), len(content)) for path, content in contents.items()]


@pytest.mark.parametrize("size", [WHOLE // 2, 3 * WHOLE])
def test_near_what_a_crate_takes(tmp_path: Path, size: int) -> None:
    """Another text has another ratio of the levels: this one is 10 % off, the table's were 4 %."""
    contents = {"a.py": text(1, size // 4), "b.py": text(2, size // 2), "c.so": text(3, size // 4)}
    listed = files(tmp_path, contents)
    (found,) = estimates([listed], None, NO_CACHE)
    items = [Item(path=path, source=path, size=n, executable=False) for path, n in listed]
    made = write_crate(tmp_path / "crate", {"all": items}, NO_CACHE)
    assert 0.8 < found / made.size < 1.25


def test_an_eighth_is_read_of_what_is_large(tmp_path: Path) -> None:
    count = 5 * EVERY
    assert count * BLOCK <= WHOLE < 2 * count * BLOCK
    listed = files(tmp_path, {f"{n}.py": bytes([n]) * BLOCK for n in range(2 * count)})
    found = [block[0] for block in sample._blocks(listed, EVERY)]
    assert found == list(range(EVERY // 2, 2 * count, EVERY))
    assert len(list(sample._blocks(listed, 1))) == 2 * count


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 5))
def test_blocks_are_those_of_all_contents_joined(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], every: int
) -> None:
    folder = tmp_path_factory.mktemp("blocks")
    listed = files(folder, {str(number): content for number, content in enumerate(contents)})
    joined = b"".join(contents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "BLOCK", 7)
        found = list(sample._blocks(listed, every))
    starts = range(every // 2 * 7, len(joined), every * 7)
    assert found == [joined[start : start + 7] for start in starts]


@pytest.mark.parametrize(
    ("path", "native"),
    [
        ("/a/b.so", True),
        ("/a/libb.so.1.2", True),
        ("b.cpython-312-x86_64-linux-gnu.so", True),
        ("/a/b.py", False),
        ("/a/b.sorted", False),
        ("/out.so.d/b.py", False),
        ("/a.so/b.py", False),
    ],
)
def test_shared_objects_go_by_their_own_names(path: str, native: bool) -> None:
    """The output folder's is no part of what an estimate is known by in the cache."""
    assert sample.is_native(path) is native


def test_nothing_takes_nothing(tmp_path: Path) -> None:
    assert estimates([[], files(tmp_path, {"empty": b""})], None, NO_CACHE) == [0, 0]


def test_file_that_is_shorter_than_it_was(tmp_path: Path) -> None:
    ((path, _),) = files(tmp_path, {"a": b"x" * 100})
    assert estimates([[(path, 10_000)]], None, NO_CACHE)[0] < 10_000


def test_what_the_cache_knows_is_not_looked_at_again(tmp_path: Path) -> None:
    cache = Cache(folder=tmp_path / "cache")
    listed = files(tmp_path, {"a.py": text(1, 100_000)})
    found = estimates([listed], ["a", 1], cache)
    (tmp_path / "a.py").write_bytes(b"x" * 100_000)
    assert estimates([listed], ["a", 1], cache) == found
    changed = estimates([listed], ["a", 2], cache)
    assert changed != found
    assert estimates([listed, listed], ["a", 1], cache) == changed * 2, "of another number"
