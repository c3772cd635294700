"""Cache: what is put there comes back whole or not at all, and it does not grow for ever."""

from __future__ import annotations

import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from overflow import cache as module
from overflow.cache import CHECKSUM, FRESH, LONGEST, Cache, open_cache
from tests.unit.builders import NO_CACHE

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(folder=tmp_path / "cache")


def age(cache: Cache, key: str, seconds: float) -> None:
    """Have an entry used so long ago."""
    assert cache.folder is not None
    then = time.time() - seconds
    os.utime(cache.folder / "kind" / key, (then, then))


def keys(cache: Cache) -> set[str]:
    assert cache.folder is not None
    return {path.name for path in cache.folder.rglob("*") if path.is_file()}


def test_what_was_put_comes_back(cache: Cache) -> None:
    assert cache.get("kind", "a") is None
    cache.put("kind", "a", b"content")
    cache.put("kind", "empty", b"")
    assert cache.get("kind", "a") == b"content"
    assert cache.get("kind", "empty") == b""
    assert cache.get("other", "a") is None
    assert keys(cache) == {"a", "empty"}, "nothing is left of the making"


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: b"\0" * len(content),
        lambda content: content[:CHECKSUM] + b"C" + content[CHECKSUM + 1 :],
    ],
    ids=["empty", "cut off", "longer", "zeros", "a bit"],
)
def test_damage_is_as_if_nothing_was_there(cache: Cache, damage: Callable[[bytes], bytes]) -> None:
    cache.put("kind", "a", b"content")
    assert cache.folder is not None
    place = cache.folder / "kind/a"
    place.write_bytes(damage(place.read_bytes()))
    assert cache.get("kind", "a") is None
    cache.put("kind", "a", b"content")
    assert cache.get("kind", "a") == b"content"


def test_entry_under_another_name_is_none(cache: Cache) -> None:
    cache.put("kind", "a", b"content")
    assert cache.folder is not None
    (cache.folder / "kind/a").rename(cache.folder / "kind/b")
    assert cache.get("kind", "b") is None


def test_read_only_cache_is_read(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, to whom nothing is read-only: so the system's answer is made up."""
    cache.put("kind", "a", b"content")
    age(cache, "a", 2 * FRESH)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(os, "utime", refuse)
    assert cache.get("kind", "a") == b"content"
    cache.put("kind", "b", b"more")
    assert cache.place("kind") is None
    assert keys(cache) == {"a"}
    cache.prune()


def test_full_disk_leaves_nothing_behind(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.put("kind", "a", b"content")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    cache.put("kind", "b", b"more")
    assert keys(cache) == {"a"}


def test_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(folder=tmp_path / "file")
    cache.put("kind", "a", b"content")
    assert cache.get("kind", "a") is None
    assert cache.place("kind") is None
    cache.prune()


def test_nothing_is_kept_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is anything found, whatever the current folder has."""
    monkeypatch.chdir(tmp_path)
    Cache(folder=tmp_path / "None").put("kind", "a", b"content")
    NO_CACHE.put("kind", "a", b"content")
    assert NO_CACHE.get("kind", "a") is None
    assert NO_CACHE.place("kind") is None
    NO_CACHE.prune()


def test_cache_is_where_caches_are(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path / "home")}
    assert open_cache(home).folder == tmp_path / "home/.cache/overflow"
    given = {**home, "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    assert open_cache(given).folder == tmp_path / "xdg/overflow"
    assert open_cache({**home, "XDG_CACHE_HOME": ""}).folder == tmp_path / "home/.cache/overflow"
    assert open_cache({"XDG_CACHE_HOME": "relative"}).folder is None
    assert open_cache({}).folder is None


class TestPrune:
    def test_what_is_old_goes(self, cache: Cache) -> None:
        for name in "abc":
            cache.put("kind", name, b"content")
        age(cache, "a", LONGEST + 10)
        age(cache, "b", LONGEST - 10)
        cache.prune()
        assert keys(cache) == {"b", "c"}

    def test_use_counts(self, cache: Cache) -> None:
        for name in "ab":
            cache.put("kind", name, b"content")
            age(cache, name, LONGEST + 10)
        cache.get("kind", "a")
        cache.prune()
        assert keys(cache) == {"a"}

    def test_what_was_used_longest_ago_goes_first(
        self, cache: Cache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MOST", 2 * (CHECKSUM + 10))
        for number, name in enumerate("badc"):
            cache.put("kind", name, b"x" * 10)
            age(cache, name, 10 * FRESH - number)
        cache.prune()
        assert keys(cache) == {"d", "c"}

    def test_what_a_build_beside_may_be_about_to_read_stays(
        self, cache: Cache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MOST", 0)
        for name in "ab":
            cache.put("kind", name, b"content")
        age(cache, "a", 2 * FRESH + 10)
        age(cache, "b", 2 * FRESH - 10)
        cache.prune()
        assert keys(cache) == {"b"}

    def test_who_adds_nothing_does_not_look(self, cache: Cache) -> None:
        cache.put("kind", "a", b"content")
        age(cache, "a", LONGEST + 10)
        another = Cache(folder=cache.folder)
        another.get("kind", "b")
        another.prune()
        assert keys(cache) == {"a"}

    def test_remains_of_builds_that_were_killed_go_too(self, cache: Cache) -> None:
        cache.put("kind", "a", b"content")
        assert cache.folder is not None
        (cache.folder / "kind/b.123-456").write_bytes(b"half")
        age(cache, "b.123-456", LONGEST + 10)
        cache.prune()
        assert keys(cache) == {"a"}


def test_many_at_once(cache: Cache) -> None:
    """As parallel builds do; a reader finds the whole entry or none, whoever writes it again."""
    content = os.urandom(1 << 20)

    def use(_: int) -> bytes | None:
        cache.put("kind", "a", content)
        return cache.get("kind", "a")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(use, range(50))) == {content}
    assert keys(cache) == {"a"}
