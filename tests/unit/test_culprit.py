"""Culprits: the distribution that a failed import points to."""

from __future__ import annotations

from typing import Any

import pytest

from overflow.culprit import culprit, title_of
from overflow.proof import Failed

TASK, OVERFLOW = "/var/task", "/tmp/_vc_deps_overflow"
RECORDS = {
    "alpha 1.0": {"alpha/__init__.py", "alpha/native.so", "alpha-1.0.dist-info/RECORD"},
    "beta-two 2.0": {"beta_two.py", "shared/beta.py"},
}
NO_MODULE = "ModuleNotFoundError: No module named 'x'"
NATIVE = f"{TASK}/_vendor/alpha/native.so"
LINKER = "ImportError: libx.so.1: cannot open shared object file"


@pytest.mark.parametrize(
    ("problem", "more", "expected"),
    [
        (NO_MODULE, {"names": ("alpha.gone",)}, "alpha 1.0"),
        (NO_MODULE, {"names": ("beta_two",)}, "beta-two 2.0"),
        (NO_MODULE, {"names": ("x",), "files": ("/var/task/_vendor/beta_two.py",)}, "beta-two 2.0"),
        (NO_MODULE, {"names": ("x",), "files": ("/var/task/app.py",)}, ""),
        (LINKER, {"names": ("beta_two",), "files": (NATIVE,)}, "alpha 1.0"),
        (LINKER, {"files": (f"{OVERFLOW}/3-alpha/alpha/native.so",)}, "alpha 1.0"),
        (LINKER, {"files": (f"{OVERFLOW}/3-gamma/gamma/native.so",)}, "gamma"),
        (LINKER, {"files": ("/usr/lib/x.py", f"{TASK}/_vendor/shared/beta.py")}, "beta-two 2.0"),
        ("FileNotFoundError: x", {"missing": (f"{TASK}/_vendor/alpha/__init__.py",)}, "alpha 1.0"),
        (f"InstallError: {TASK}/_overflow/packed/3-gamma is not what was built", {}, "gamma"),
        ("it ended with -11", {}, ""),
    ],
)  # fmt: skip
def test_culprit(problem: str, more: dict[str, Any], expected: str) -> None:
    failed = Failed(problem=problem, **more)
    assert culprit(failed, RECORDS, root=TASK, overflow_folder=OVERFLOW) == expected


def test_titles() -> None:
    assert title_of("/x/_vendor/beta_two-2.0.dist-info/RECORD") == "beta-two 2.0"
    assert title_of("/x/_vendor/odd.dist-info/RECORD") is None
