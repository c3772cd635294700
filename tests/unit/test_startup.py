"""Startup and its two programs: what is asked of them, and what is made of their answers."""

from __future__ import annotations

import json
import marshal
from typing import TYPE_CHECKING, Any

import pytest

from overflow import compiler
from overflow.bytecode import cache_folder, cached_name
from overflow.recorder import Recorder
from overflow.startup import Recording, _recording, top_modules
from tests.unit.builders import distribution, write

if TYPE_CHECKING:
    from pathlib import Path


def test_modules_of_a_distribution() -> None:
    same = distribution("alpha-two", files=["pylab.py"], packages=["alpha_two", "alpha_two/x"])
    other = distribution("pillow", files=["_x.py", "a-b.py", "more.py"], packages=["PIL", "PIL/t"])
    assert top_modules([same]) == {"alpha_two"}
    assert top_modules([other]) == {"PIL", "more"}


def said(**changes: Any) -> bytes:
    content = {"start": ["app.py"], "demand": ["app.py", "_vendor/a.py"], "problem": "", **changes}
    return json.dumps(content).encode()


def test_recording_tells_the_start_from_the_rest() -> None:
    found = _recording(said())
    assert (set(found.start), set(found.demand)) == ({"app.py"}, {"_vendor/a.py"})
    assert found.all == {"app.py", "_vendor/a.py"}
    assert found.note == ""


def test_problem_becomes_a_note_of_some_length() -> None:
    note = _recording(said(problem="x" * 5000)).note
    assert note.startswith("the handler could not be imported here: xxx")
    assert len(note) < 400


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", said(start=3), b"null"])
def test_damaged_record_is_none(content: bytes) -> None:
    found = _recording(content)
    assert found == Recording(note="what start-up imports is not known: the record is damaged")


@pytest.mark.parametrize(
    ("event", "arguments", "refused"),
    [
        ("socket.connect", (None, ("x", 1)), True),
        ("socket.getaddrinfo", ("x", 1, 0, 0, 0), True),
        ("socket.__new__", (None, 1, 1, 1), False),
        ("open", ("/task/app.py", "r", 0), False),
        ("open", ("/task/app.py", "w", 1), True),
        ("open", (b"/site/a.py", "w", 1), True),
        ("open", ("/tmp/x", "w", 1), False),
        ("open", (3, "w", 1), False),
        ("os.mkdir", ("/site/new", 511, -1), True),
        ("os.rename", ("/tmp/x", "/task/x", -1, -1), True),
        ("os.rename", ("/tmp/x", "/tmp/y", -1, -1), False),
    ],
)
def test_guard_of_a_record(event: str, arguments: tuple[Any, ...], *, refused: bool) -> None:
    recorder = Recorder({"root": "/task", "site": "/site"})
    if not refused:
        recorder._guard(event, arguments)
        return
    with pytest.raises(OSError, match=r"no network|Read-only"):
        recorder._guard(event, arguments)


def test_compiler_writes_bytecode_for_another_place(tmp_path: Path) -> None:
    write(tmp_path, {"good.py": "def f(): pass\n", "bad.py": "def f(:\n"})
    jobs = [
        [str(tmp_path / f"{one}.py"), f"/var/task/{one}.py", str(tmp_path / f"{one}.pyc")]
        for one in ("good", "bad")
    ]
    (tmp_path / "jobs").write_text(json.dumps(jobs), encoding="utf-8")
    compiler.main(tmp_path / "jobs")
    content = (tmp_path / "good.pyc").read_bytes()
    assert int.from_bytes(content[4:8], "little") == 0b01, "by hash, and never checked"
    assert marshal.loads(content[16:]).co_filename == "/var/task/good.py"
    assert (tmp_path / "bad.pyc").read_bytes() == b""


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("app.py", "__pycache__/app.cpython-312.pyc"),
        ("_vendor/a/b.py", "_vendor/a/__pycache__/b.cpython-312.pyc"),
    ],
)
def test_name_of_bytecode(path: str, name: str) -> None:
    assert cached_name(path, "cpython-312") == name


def test_cache_is_where_caches_are(tmp_path: Path) -> None:
    otherwise = tmp_path / "otherwise"
    home = {"HOME": str(tmp_path / "home")}
    assert cache_folder(home, otherwise) == tmp_path / "home/.cache/overflow/bytecode"
    given = {**home, "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    assert cache_folder(given, otherwise) == tmp_path / "xdg/overflow/bytecode"
    assert cache_folder({"XDG_CACHE_HOME": "relative"}, otherwise) == otherwise
    (tmp_path / "file").write_text("")
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path / "file")}, otherwise) == otherwise
