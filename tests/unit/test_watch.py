"""Watch: whose time it is, and what is kept of what was compiled."""

from __future__ import annotations

import marshal
import threading
from typing import TYPE_CHECKING

import pytest

from overflow import watch
from overflow.watch import COMPILE, EXECUTE, Clock, Watch, key_of, loaded, sealed, unsealed

if TYPE_CHECKING:
    from pathlib import Path
    from types import CodeType


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    time = [0.0]
    monkeypatch.setattr("overflow.watch.queue_of_this_thread", lambda: -1)
    monkeypatch.setattr("overflow.watch.time.perf_counter", lambda: time[0])
    return time


def test_what_is_nested_is_subtracted(now: list[float]) -> None:
    clock = Clock()

    def wait(seconds: float) -> None:
        now[0] += seconds

    def inner() -> None:
        wait(2)
        raise KeyError

    def outer() -> None:
        wait(1)
        with pytest.raises(KeyError):
            clock.timed(("b", EXECUTE), inner)
        clock.timed(("a", COMPILE), wait, 4)
        wait(8)

    wait(16)
    clock.timed(("a", EXECUTE), outer)
    assert clock.seconds.pop(watch.OURS) == 16
    assert clock.seconds == {("a", EXECUTE): 9, ("b", EXECUTE): 2, ("a", COMPILE): 4}
    assert sum(clock.seconds.values()) + 16 == now[0]


def test_waiting_for_a_cpu_is_nobodys_time(
    now: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = tmp_path / "schedstat"
    said.write_text("123 1000000000 7\n")
    with said.open("rb") as stream:
        monkeypatch.setattr("overflow.watch.queue_of_this_thread", stream.fileno)
        clock = Clock()
        now[0] = 5.0
        said.write_text("456 3000000000 9\n")
        assert clock.now() == 2.0
        said.write_text("456 9000000000 9\n")
        assert clock.now() == 2.0, "it never goes back"
        now[0] = 11.0
        clock.timed(("a", EXECUTE), int)
    assert clock.seconds[watch.OURS] == 3.0


def test_time_of_another_thread_is_nobodys(now: list[float]) -> None:
    clock, results = Clock(), list[int]()
    thread = threading.Thread(target=clock.timed, args=(("a", EXECUTE), results.append, 1))
    thread.start()
    thread.join()
    assert results == [1]
    assert clock.seconds == {}


def test_names_are_those_in_a_bundle() -> None:
    named = Watch({"/task": "", "/site": "_vendor/"}, "/cache").name_of
    assert named("/task/a/b.py") == "a/b.py"
    assert named("/site/a/b.py") == "_vendor/a/b.py"
    assert [named(path) for path in ("/usr/a.py", "/task2/a.py", "built-in", None)] == [""] * 4


def test_code_comes_back_with_another_path() -> None:
    code = compile("def f():\n    def g(): pass\n    return g", "/old/a.py", "exec")
    entry = unsealed(sealed(1.5, marshal.dumps(code)))
    assert entry is not None
    assert entry[0] == 1.5
    found = loaded(entry[1], "/new/a.py")
    names: dict[str, object] = {}
    exec(found, names)
    function = names["f"]
    assert callable(function)
    inner: CodeType = function().__code__
    assert (found.co_filename, inner.co_filename) == ("/new/a.py", "/new/a.py")


def test_key_is_of_the_source() -> None:
    assert key_of(b"x = 1") == key_of(b"x = 1") != key_of(b"x = 2")


def test_damaged_entry_is_none() -> None:
    whole = sealed(1.5, marshal.dumps(compile("x = 1", "a.py", "exec")))
    assert unsealed(whole) is not None
    for damaged in (b"", whole[:20], whole[:-1], whole + b"x", whole[:50] + b"x" + whole[51:]):
        assert unsealed(damaged) is None
    assert unsealed(sealed(float("nan"), b"")) is None
    assert unsealed(sealed(-1, b"")) is None


def test_what_is_fresh_is_kept(tmp_path: Path) -> None:
    one = Watch({}, str(tmp_path))
    one.fresh["key"] = sealed(1.5, b"code")
    one.keep()
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert Watch({}, str(tmp_path))._known("key") == (1.5, b"code")
    assert Watch({}, str(tmp_path))._known("other") is None
    Watch({}, str(tmp_path / "missing")).keep()
    missing = Watch({}, str(tmp_path / "missing"))
    missing.fresh["key"] = b""
    missing.keep()  # no cache, no complaint
