"""Startup and its two programs: what is asked of them, and what is made of their answers."""

from __future__ import annotations

import json
import marshal
from typing import TYPE_CHECKING, Any

import pytest

from overflow import compiler, isolation, startup
from overflow.bytecode import cached_name
from overflow.handler import Handler
from overflow.measure import measure
from overflow.rehearsal import _heard, _shortest
from overflow.startup import (
    COMPILING,
    EXECUTING,
    FINDING,
    Recording,
    Seconds,
    Subject,
    read_start,
)
from overflow.tree import read_tree
from overflow.watch import Watch
from tests.unit.builders import write

if TYPE_CHECKING:
    from pathlib import Path


def said(**changes: Any) -> bytes:
    content = {
        "start": {"app.py": [0.5, 0.25], "not-there.py": [1, 1]},
        "demand": {"_vendor/a/__init__.py": [0.125, 2]},
        "overhead": 0.75,
        "interpreter": 0.0625,
        "unfinished": [],
        "failed": [],
        "problem": "",
        **changes,
    }
    return json.dumps(content).encode()


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """An app that imports `a`, which imports `b`, and has a shared object."""
    write(tmp_path / "task", {"app.py": "import a, d\ndef f():\n    import c\n"})
    site = {"a/__init__.py": "from a import native\nimport b\n", "a/native.abi3.so": "x" * 100}
    write(
        tmp_path / "site", {**site, "b.py": "#\n" * 50, "c.py": "", "d.py": "import e", "e.py": ""}
    )
    return Subject(
        project=read_tree(tmp_path / "task", lambda *_: False),
        measurement=measure(tmp_path / "site"),
        handler=Handler(module="app", attribute="handler", interface="function"),
    )


def test_recording_has_seconds_of_the_start_and_of_the_rest(subject: Subject) -> None:
    found = _heard(subject, said())
    assert found == Recording(
        start={"app.py": Seconds(execute=0.5, compile=0.25)},
        demand={"_vendor/a/__init__.py": Seconds(execute=0.125, compile=2.0)},
        overhead=0.75,
        interpreter=0.0625,
        recorded=frozenset({"app.py", "_vendor/a/__init__.py"}),
    )
    assert found.seconds == 1.25
    assert found.all.keys() == {"app.py", "_vendor/a/__init__.py"}


def test_shortest_of_several_rehearsals_counts(subject: Subject) -> None:
    """As a whole, with what only the first has; the interpreter's start is one of its own."""
    quick = said(start={"app.py": [0.125, 0.25]}, demand={}, overhead=0.5, interpreter=0.09375)
    slow = said(demand={}, overhead=8, interpreter=0.03125)
    other = said(start={"_vendor/b.py": [0, 0]}, overhead=0)
    failed = said(start={"app.py": [0, 0]}, overhead=0, problem="busy")
    found = _shortest(subject, b"\n".join([said(), quick, slow, other, failed, b"{}", b""]))
    assert found == Recording(
        start={"app.py": Seconds(execute=0.125, compile=0.25)},
        demand={"_vendor/a/__init__.py": Seconds(execute=0.125, compile=2.0)},
        overhead=0.5,
        interpreter=0.03125,
        recorded=frozenset({"app.py", "_vendor/a/__init__.py"}),
    )
    assert _shortest(subject, said()) == _heard(subject, said())
    assert _shortest(subject, b"{}\n" + said()) is None


def test_after_a_problem_the_rest_is_read(subject: Subject) -> None:
    """`d` was done, so what it imports was recorded, if it was; `a` was not."""
    start = {"app.py": [0.5, 0.25], "_vendor/d.py": [0, 0], "_vendor/a/__init__.py": [0.5, 0]}
    unfinished = ["app.py", "_vendor/a/__init__.py"]
    content = said(problem="x" * 5000, start=start, demand={}, unfinished=unfinished)
    found = _heard(subject, content)
    assert found is not None
    assert found.start.keys() == start.keys() | {"_vendor/a/native.abi3.so", "_vendor/b.py"}
    assert found.start["_vendor/a/__init__.py"] == Seconds(execute=0.5, compile=0.0)
    assert found.start["_vendor/b.py"].execute == pytest.approx(100 * EXECUTING)
    assert found.start["_vendor/b.py"].compile == pytest.approx(100 * COMPILING)
    assert found.start["_vendor/a/native.abi3.so"].compile == 0
    assert found.demand.keys() == {"_vendor/c.py"}
    assert found.recorded == start.keys()
    assert found.overhead == pytest.approx(0.75 + 2 * FINDING)
    assert found.note.startswith("the handler could not be imported here")
    assert len(found.note) < 400


def test_what_cannot_be_run_is_read(subject: Subject) -> None:
    found = read_start(subject)
    own = {"a/__init__.py", "a/native.abi3.so", "b.py", "d.py", "e.py"}
    assert found.start.keys() == {"app.py", *(f"_vendor/{path}" for path in own)}
    assert found.demand.keys() == {"_vendor/c.py"}
    assert found.recorded == frozenset()
    assert found.overhead == pytest.approx(6 * FINDING)
    assert found.note.endswith("as asked")


@pytest.mark.parametrize(
    ("most", "found"),
    [
        (33, []),
        (34, ["a/__init__.py", "d.py"]),
        (34 + 8, ["a/__init__.py", "d.py", "e.py"]),
        (34 + 8 + 30, ["a/__init__.py", "a/native.abi3.so", "b.py", "d.py", "e.py"]),
    ],
)
def test_reading_ends_after_so_many_bytes(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, most: int, found: list[str]
) -> None:
    """However long that takes: `app`, `d` and `a` are read one after the other."""
    monkeypatch.setattr(startup, "READING", most)
    assert sorted(read_start(subject).start) == sorted(["app.py", *(f"_vendor/{p}" for p in found)])


def test_large_sources_are_not_read(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "LARGEST", 10)
    assert read_start(subject).all.keys() == {"app.py"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"null",
        said(start=3),
        said(start={"app.py": [1]}),
        said(start={"app.py": ["x", 1]}),
        said(start={"app.py": [float("nan"), 1]}),
        said(overhead=-1),
        said(overhead=None),
        said(overhead=10**400),
        said(start={"app.py": [10**400, 0]}),
        said(interpreter="fast"),
        said(unfinished=1),
        said(failed=None),
        b"[" * 100_000,
    ],
    ids=range(17),
)
def test_damaged_record_is_none(subject: Subject, content: bytes) -> None:
    assert _heard(subject, content) is None


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
    watch = Watch({"/task": "", "/site": "_vendor/"}, "/cache")
    guard = isolation.guard(lambda path: bool(watch.name_of(path)))
    if not refused:
        guard(event, arguments)
        return
    with pytest.raises(OSError, match=r"no network|Read-only"):
        guard(event, arguments)


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
