"""Proofs: what a start that failed means, what is said of it, and what helps a slow one."""

from __future__ import annotations

from typing import Any

import pytest

from overflow.errors import ExitCode
from overflow.proof import (
    NOT_WANTED,
    WRITTEN_ALL_THE_SAME,
    Cold,
    Failed,
    Finding,
    Proof,
    for_people,
    judge,
)
from overflow.slowness import slow_start_warnings

INSIDE = ("/var/task/", "/tmp/_vc_deps_overflow/")
READ_ONLY = "OSError: [Errno 30] Read-only file system: '/var/task/x'"
NO_MODULE = "ModuleNotFoundError: No module named 'x'"
OWN = ("/usr/lib/python3.12/os.py", "/var/task/app.py")


def finding(problem: str, *, before: str | None, **more: Any) -> str:
    given = {key: more.pop(key) for key in ("layers", "old_machine") if key in more}
    failed = Failed(problem=problem, **{"files": OWN, **more})
    return judge(failed, before=before, inside=INSIDE, **given)[0].value


@pytest.mark.parametrize(
    "problem", ["KeyError: 'TABLE'", NO_MODULE, "it ended with 7", "ValueError: x"]
)
def test_what_could_be_imported_before_is_the_bundles_fault(problem: str) -> None:
    assert finding(problem, before="") == "broken"


@pytest.mark.parametrize(
    ("before", "problem", "expected"),
    [
        ("KeyError: 'TABLE'", "KeyError: 'TABLE'", "unproven"),
        ("KeyError: 'TABLE'", "KeyError: 'OTHER'", "unproven"),
        ("KeyError: 'TABLE'", NO_MODULE, "broken"),
        (NO_MODULE, NO_MODULE, "broken"),
        ("SyntaxError: x", "SyntaxError: x", "broken"),
        ("ModuleNotFoundError: No module named 'y'", NO_MODULE, "broken"),
        ("ImportError: /a/b/c.so: bad", "ImportError: /var/task/_vendor/c.so: bad", "broken"),
        ("OSError: [Errno 101] there is no network while", "gaierror: [Errno -3] x", "unproven"),
        ("OSError: [Errno 101] there is no network while", NO_MODULE, "broken"),
        ("it took over 30 s", "it took over 60 s", "unproven"),
        ("it ended with -11", "it ended with -11", "broken"),
        ("it ended with 7", "it ended with 7", "unproven"),
        ("HandlerError: no attribute", "HandlerError: no attribute", "broken"),
        ("InstallError: damaged", "InstallError: damaged", "broken"),
    ],
)
def test_what_stopped_in_the_same_way_before_proves_nothing(
    before: str, problem: str, expected: str
) -> None:
    assert finding(problem, before=before) == expected


@pytest.mark.parametrize(
    ("missing", "before", "expected"),
    [
        ("/var/task/x", READ_ONLY, "broken"),
        ("/var/task/x", None, "broken"),
        ("/opt/x", READ_ONLY, "unproven"),
        ("/mnt/efs/x", READ_ONLY, "unproven"),
        ("/mnt/efs/x", "", "unproven"),
    ],
)
def test_what_is_written_to_the_bundle_is_broken_and_mounts_are_not_here(
    missing: str, before: str | None, expected: str
) -> None:
    assert finding(READ_ONLY, before=before, missing=(missing,)) == expected


@pytest.mark.parametrize(
    ("before", "problem", "expected"),
    [
        (NO_MODULE, NO_MODULE, "unproven"),
        ("ImportError: /a/b/c.so: bad", "ImportError: /var/task/_vendor/c.so: bad", "unproven"),
        ("ImportError: /a/b/c.so: bad", "ImportError: /var/task/_vendor/d.so: bad", "broken"),
        ("", NO_MODULE, "broken"),
    ],
)
def test_a_layer_may_have_what_is_missing_before_and_after(
    before: str, problem: str, expected: str
) -> None:
    assert finding(problem, before=before, layers=True) == expected


@pytest.mark.parametrize(
    ("problem", "more", "expected"),
    [
        ("KeyError: 'TABLE'", {}, "unproven"),
        ("SystemExit: no", {}, "unproven"),
        ("it ended with 7", {"files": ()}, "unproven"),
        ("it ended with -11", {"files": ()}, "broken"),
        ("it took over 60 s", {"files": ()}, "broken"),
        (NO_MODULE, {}, "broken"),
        ("ImportError: libx.so.1: cannot open shared object file", {}, "broken"),
        ("SyntaxError: invalid syntax", {}, "broken"),
        ("InstallError: x is not what was built", {}, "broken"),
        ("RuntimeError: another Python", {"files": ("/var/task/_overflow/start.py",)}, "broken"),
        ("RuntimeError: no account", {}, "unproven"),
        ("FileNotFoundError: x", {"missing": ("/var/task/_vendor/a/data.txt",)}, "broken"),
        ("FileNotFoundError: x", {"missing": ("/etc/app.conf",)}, "unproven"),
        ("ModuleNotFoundError: No module named 'boto3'", {"names": ("boto3",)}, "unproven"),
        (NO_MODULE, {"names": ("x.y",), "layers": True}, "unproven"),
        (NO_MODULE, {"names": ("x.y",)}, "broken"),
        ("ImportError: version `GLIBC_2.34' not found", {"old_machine": True}, "unproven"),
        ("ImportError: version `GLIBC_2.34' not found", {}, "broken"),
    ],
)
def test_where_nobody_knows_the_failure_itself_must_tell(
    problem: str, more: dict[str, Any], expected: str
) -> None:
    assert finding(problem, before=None, **more) == expected


def test_sentences() -> None:
    cold = Cold(install=0.25, total=1.0)
    proven = Proof(finding=Finding.PROVEN, cold=cold)
    assert proven.sentence() == "Started in 1.00 s (0.25 s filling /tmp, 0.75 s imports)"
    assert proven.sentence(1.5).endswith("0.75 s imports; 1.50 s predicted)")
    plain = Proof(finding=Finding.PROVEN, cold=Cold(install=0, total=0.5))
    assert plain.sentence() == "Started in 0.50 s"
    assert plain.sentence(0.75) == "Started in 0.50 s (0.75 s predicted)"
    unproven = Proof(finding=Finding.UNPROVEN, problem="KeyError: 'TABLE'", note="x")
    assert (unproven.sentence(), unproven.remark) == ("Not proven to start", "x")
    unstarted = Proof(finding=Finding.UNPROVEN, note=NOT_WANTED)
    assert (unstarted.sentence(), unstarted.remark) == ("Not started (--no-verify)", "")
    broken = Proof(finding=Finding.BROKEN, cold=cold, problem="ImportError: x")
    assert broken.sentence() == "Does not start: ImportError: x"


def test_only_a_broken_bundle_is_a_fault() -> None:
    broken = Proof(
        finding=Finding.BROKEN, problem=NO_MODULE, distribution="beta 1.0", trace="Traceback"
    )
    fault = broken.fault()
    assert fault is not None
    assert (fault.code, fault.exit_code, fault.details) == (
        "bundle-broken",
        ExitCode.BROKEN,
        "Traceback",
    )
    assert fault.message == f"the bundle does not start: {NO_MODULE} (beta 1.0)"
    assert Proof(finding=Finding.UNPROVEN, problem=NO_MODULE).fault() is None
    assert Proof(finding=Finding.PROVEN).fault() is None


@pytest.mark.parametrize(
    ("problem", "remedy"),
    [
        (NO_MODULE, "what is named is missing or damaged, or needs what Lambda does not have"),
        ("InstallError: x is not what was built", "what is named is missing or damaged, or"),
        ("InstallError: give it more (EphemeralStorage)", "raise EphemeralStorage on the function"),
        ("HandlerError: handler 'app:x' is an int", "build it with a --handler that Lambda can"),
    ],
)
def test_the_hint_is_for_what_was_asked(problem: str, remedy: str) -> None:
    broken = Proof(finding=Finding.BROKEN, problem=problem)
    alone, built = broken.fault(), broken.fault(WRITTEN_ALL_THE_SAME)
    assert alone is not None
    assert built is not None
    assert alone.hint.startswith(remedy)
    assert built.hint == f"{alone.hint}; {WRITTEN_ALL_THE_SAME}"


def test_what_is_missing_before_and_after_is_warned_of() -> None:
    missing = Proof(finding=Finding.UNPROVEN, problem=NO_MODULE)
    assert missing.warnings == (f"the bundle may not start: {NO_MODULE}",)
    assert Proof(finding=Finding.UNPROVEN, problem="KeyError: 'TABLE'").warnings == ()
    assert Proof(finding=Finding.UNPROVEN, problem="it took over 60 s").warnings
    assert Proof(finding=Finding.PROVEN).warnings == ()


@pytest.mark.parametrize(
    ("problem", "shown"),
    [
        ("it ended with -11, importing numpy", "it was killed by SIGSEGV, importing numpy"),
        ("it stops as before: it ended with -9", "it stops as before: it was killed by SIGKILL"),
        ("it ended with -34", "it was killed by signal 34"),
        ("it ended with 7", "it ended with 7"),
        (NO_MODULE, NO_MODULE),
    ],
)
def test_signals_have_names(problem: str, shown: str) -> None:
    assert for_people(problem) == shown


class TestSlowStarts:
    @staticmethod
    def warned(
        measured: float | None,
        predicted: float | None = None,
        python: tuple[int, int] = (3, 12),
        storage: int = 512,
        install: float = 0.0,
    ) -> str:
        found = slow_start_warnings(
            measured, predicted, install=install, python=python, ephemeral_storage_mb=storage
        )
        return "".join(found)

    def test_either_time_is_enough(self) -> None:
        assert self.warned(8.0, 8.0) == self.warned(None) == ""
        assert "takes 8.1 s on one CPU" in self.warned(8.1)
        assert "takes 9.0 s, as predicted on one CPU" in self.warned(None, 9.0)
        assert "takes 2.0 s (9.0 s predicted) on one CPU" in self.warned(2.0, 9.0)

    def test_what_helps(self) -> None:
        said = self.warned(9.0)
        for words in ("after 10 s", "no less than 1,769 MB", "SnapStart", "import less"):
            assert words in said
        assert "3,538 MB" not in said, "imports are no shorter on two CPUs"
        for_tmp = self.warned(9.0, install=7.25)
        assert "give it 3,538 MB of memory, which is two CPUs (at best, that halves the 7.2 s" in (
            for_tmp
        )
        assert "SnapStart" not in self.warned(9.0, python=(3, 11))
        assert "SnapStart" not in self.warned(9.0, storage=576), "it asks for 512 MB"
