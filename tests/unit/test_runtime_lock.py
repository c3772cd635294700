"""Lock: one holder at a time, and nobody waits for one who is gone."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from overflow.runtime import lock

PATIENCE = 30.0
"""Seconds until a test that hangs is called failed."""


def test_second_waits_for_the_first(tmp_path: Path) -> None:
    path = str(tmp_path / "x.lock")
    order: list[str] = []
    started = threading.Event()

    def second() -> None:
        started.set()
        with lock.held(path):
            order.append("second")

    other = threading.Thread(target=second)
    with lock.held(path):
        other.start()
        assert started.wait(PATIENCE)
        other.join(0.05)  # it cannot get further: there is nothing to wait for
        order.append("first")
    other.join(PATIENCE)
    assert order == ["first", "second"]


def test_never_two_inside(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(20):
            with lock.held(str(tmp_path / "x.lock")):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert most == [1] * 80


def test_dropped_when_the_holder_fails(tmp_path: Path) -> None:
    path = str(tmp_path / "x.lock")
    with pytest.raises(KeyError), lock.held(path):
        raise KeyError
    with lock.held(path):
        pass


def test_file_is_private_and_left(tmp_path: Path) -> None:
    with lock.held(str(tmp_path / "x.lock")):
        pass
    assert (tmp_path / "x.lock").stat().st_mode & 0o777 == 0o600


def test_a_copy_of_the_descriptor_does_not_hold_it(tmp_path: Path) -> None:
    """Another thread may fork while it is held, and the child lives on."""
    path = tmp_path / "x.lock"
    with lock.held(str(path)):
        opened = [int(one.name) for one in Path("/proc/self/fd").iterdir() if _is(one, path)]
        copies = [os.dup(one) for one in opened]
    try:
        with path.open() as again:
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        for one in copies:
            os.close(one)
    assert copies


def _is(one: Path, path: Path) -> bool:
    try:
        return one.readlink() == path
    except OSError:  # that of the listing itself
        return False
