"""The two programs of a start: what they say of an exception, and in which order they cut off."""

from __future__ import annotations

import ctypes
import io
import json
import os
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from overflow import isolation, starter

if TYPE_CHECKING:
    from collections.abc import Callable


def raised(function: Callable[[], object]) -> dict[str, Any]:
    try:
        function()
    except BaseException as error:  # noqa: BLE001 - as starter.py does
        assert error.__traceback__ is not None
        error.__traceback__ = error.__traceback__.tb_next  # without this function
        return starter.described(error, "/var/task")
    raise AssertionError("it did not raise")


def calling(call: Callable[[], object], file: str) -> Callable[[], object]:
    """A function of that file which calls the other one."""
    scope: dict[str, Any] = {"call": call}
    exec(compile("def fail(): call()", file, "exec"), scope)
    found: Callable[[], object] = scope["fail"]
    return found


class TestDescribed:
    def test_the_first_causes_files_come_first(self) -> None:
        native = ImportError("libx.so.1: not found", name="a.native", path="/site/a/native.so")

        def fail() -> None:
            try:
                raise native
            except ImportError as error:
                raise ImportError("a cannot be imported", name="a") from error

        said = raised(fail)
        assert said["problem"] == "ImportError: a cannot be imported"
        assert said["names"] == ["a.native", "a"]
        assert said["files"][:2] == ["/site/a/native.so", __file__]
        assert "The above exception was the direct cause" in said["trace"]

    def test_missing_files_and_bad_sources(self) -> None:
        assert raised(lambda: Path("/not/there").stat())["missing"] == ["/not/there"]
        said = raised(lambda: compile("(", "/site/a.py", "exec"))
        assert said["files"][0] == "/site/a.py"

    def test_what_was_handled_is_no_cause(self) -> None:
        def fail() -> None:
            try:
                __import__("not_there")
            except ImportError:
                raise KeyError("TABLE") from None

        assert raised(fail)["names"] == []

    @pytest.mark.parametrize(
        ("files", "shown"),
        [
            (["overflow_trampoline.py", "_overflow/start.py", "app.py", "_overflow/lazy.py"], 2),
            (["overflow_trampoline.py", "app.py", "_vendor/a.py"], 2),
            (["overflow_trampoline.py", "_overflow/start.py"], 2),
            (["overflow_trampoline.py"], 0),
        ],
    )
    def test_the_trace_is_the_apps(self, files: list[str], shown: int) -> None:
        """All of it where overflow's own code fails: nothing else is to be seen then."""
        call: Callable[[], object] = partial(divmod, 1, 0)
        for file in reversed(files):
            call = calling(call, f"/var/task/{file}")
        trace = raised(call)["trace"]
        assert trace.count('File "/var/task/') == shown
        assert trace.endswith("division or modulo by zero\n")

    def test_circles_and_lengths_end(self) -> None:
        error = ValueError("x" * 10_000)
        error.__cause__ = other = KeyError()
        other.__context__ = error
        said = starter.described(error, "/var/task")
        assert len(said["problem"]) == starter.LONGEST


class TestStarter:
    @pytest.fixture
    def start(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
        """Runs starter.py's main in this process; gives what it said."""
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.setattr(os, "_exit", lambda _: None)
        monkeypatch.setattr(os, "dup2", lambda *_: None)
        monkeypatch.delitem(sys.modules, starter.TRAMPOLINE, raising=False)
        hooks: list[Any] = []
        monkeypatch.setattr(sys, "addaudithook", hooks.append)

        def run(trampoline: str, *modules: str, **more: str) -> list[Any]:
            (tmp_path / f"{starter.TRAMPOLINE}.py").write_text(trampoline, encoding="utf-8")
            asked = {"guard": "", "overflow_folder": "", "waited": 0.0, "started": 0.0, **more}
            with (tmp_path / "said").open("wb") as stream:
                output = {"root": str(tmp_path), "output": stream.fileno()}
                starter.main({**asked, **output, "modules": modules})
            said = [json.loads(line) for line in (tmp_path / "said").read_text().splitlines()]
            return [*said, *hooks]

        return run

    def test_a_start(self, start: Callable[..., list[Any]]) -> None:
        first, *rest = start("handler = 1", "json", "not_there")
        assert 0 < first["seconds"] <= first["elapsed"]
        assert rest[0] == {"importing": "json"}
        assert rest[1] == {"importing": "not_there"}
        assert (rest[2]["module"], rest[2]["names"]) == ("not_there", ["not_there"])
        assert rest[3] == {"end": True}

    def test_a_failure_ends_it(self, start: Callable[..., list[Any]]) -> None:
        (said,) = start("raise SystemExit('no')", "json")
        assert said["problem"] == "SystemExit: no"

    def test_guarded(self, start: Callable[..., list[Any]], tmp_path: Path) -> None:
        *_, hook = start("handler = 1", guard=isolation.__file__)
        with pytest.raises(OSError, match="Read-only"):
            hook("open", (f"{tmp_path}/x", "w", os.O_WRONLY))
        hook("open", (f"{tmp_path}-other", "w", os.O_WRONLY))

    def test_the_overflow_is_moved(
        self, start: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        manifest = SimpleNamespace(
            from_json=lambda text: SimpleNamespace(_replace=lambda **new: (text, new))
        )
        monkeypatch.setitem(sys.modules, "_overflow", SimpleNamespace(manifest=manifest))
        monkeypatch.setitem(sys.modules, "_overflow.manifest", manifest)
        start("handler = 1", overflow_folder="/elsewhere")
        assert manifest.from_json("x") == ("x", {"overflow_folder": "/elsewhere"})


class Kernel:
    """Takes down what is asked of it, and refuses what it is told to."""

    def __init__(self, *refuses: str) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._refuses = refuses

    def __getattr__(self, name: str) -> Callable[..., int]:
        def call(*arguments: Any) -> int:
            self.calls.append((name, *arguments))
            ctypes.set_errno(1)
            return -1 if name in self._refuses else 0

        return call


class TestIsolation:
    @pytest.fixture
    def run(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[..., tuple[list[str], str]]:
        """Runs isolation.py's main with another kernel; gives its calls, and how that ended."""
        became: list[Any] = []
        for name in ("chdir", "mkdir", "sched_setaffinity", "dup2", "set_inheritable"):
            monkeypatch.setattr(os, name, lambda *_: None)
        monkeypatch.setattr(os, "execve", lambda *its: became.append(its))
        monkeypatch.setattr(isolation, "_check_python", lambda: None)

        def go(kernel: Kernel, *, isolated: bool = True, network: bool = False) -> tuple[Any, Any]:
            monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: kernel)
            given = {"bundle": "/b", "isolated": isolated, "network": network, "tmp_bytes": 9}
            more = {"asked": {}, "command": ["python"], "environment": {"A": "1"}}
            output = {"output": str(tmp_path / "said")}
            (tmp_path / "wanted").write_text(json.dumps({**given, **more, **output}))
            isolation.main(str(tmp_path / "wanted"))
            said = (tmp_path / "said").read_text()
            assert became == ([] if said else [("python", ["python"], {"A": "1"})])
            return [call[0] for call in kernel.calls], said

        return go

    def test_everything_is_read_only_before_tmp_is_mounted(
        self, run: Callable[..., tuple[list[str], str]]
    ) -> None:
        kernel = Kernel()
        calls, said = run(kernel)
        assert said == ""
        assert kernel.calls[0] == ("unshare", isolation.CLONE_NEWNS | isolation.CLONE_NEWNET)
        assert calls.index("syscall") == len(calls) - 2
        assert kernel.calls[-1][2] == b"/tmp"

    def test_with_the_network(self, run: Callable[..., tuple[list[str], str]]) -> None:
        kernel = Kernel()
        run(kernel, network=True)
        assert kernel.calls[0] == ("unshare", isolation.CLONE_NEWNS)

    @pytest.mark.parametrize(
        ("refuses", "said"),
        [("unshare", "unshare: "), ("mount", "mount /: "), ("syscall", "mount_setattr: ")],
    )
    def test_what_is_refused_is_said(
        self, run: Callable[..., tuple[list[str], str]], refuses: str, said: str
    ) -> None:
        """Half a namespace is none: nothing is started."""
        calls, found = run(Kernel(refuses))
        assert json.loads(found)["refused"].startswith(said)
        assert calls[-1] == refuses

    def test_not_isolated(self, run: Callable[..., tuple[list[str], str]]) -> None:
        kernel = Kernel("unshare")
        calls, said = run(kernel, isolated=False)
        assert (calls, said) == (["unshare", "unshare"], "")

    @pytest.mark.parametrize("place", ["/tmp/python", "/var/lang/bin/python"])
    def test_a_python_that_would_be_hidden(
        self, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        monkeypatch.setattr(os.path, "realpath", lambda path: path)
        monkeypatch.setattr(os.path, "isdir", lambda _: False)
        monkeypatch.setattr(sys, "executable", place)
        with pytest.raises(OSError, match=f"Python itself is in {place}"):
            isolation._check_python()
        monkeypatch.setattr(os.path, "isdir", lambda _: True)
        if place.startswith("/var"):
            isolation._check_python()  # as in Lambda's own images


def test_programs_agree_on_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(path: str, mode: str) -> io.BytesIO:
        assert path == "/proc/thread-self/schedstat"
        return io.BytesIO(b"5 2000000000 7\n")

    monkeypatch.setattr("builtins.open", fake)
    assert isolation.waited() == starter._waited() == 2.0
