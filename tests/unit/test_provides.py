"""Provides: the names that a lazy group is imported by, and what Python takes each for."""

from __future__ import annotations

import importlib.machinery
import pkgutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.provides import provides
from tests.unit.builders import distribution, write

PACKAGE, MODULE, NAMESPACE = "package", "module", "namespace"


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["alpha/__init__.py", "alpha/sub.py", "alpha/in/__init__.py"], {"alpha": PACKAGE}),
        (["alpha.py"], {"alpha": MODULE}),
        (["_fast.cpython-312-x86_64-linux-gnu.so"], {"_fast": MODULE}),
        (["_fast.cpython-313t-aarch64-linux-musl.so"], {"_fast": MODULE}),
        (["_fast.abi3.so", "plain.so"], {"_fast": MODULE, "plain": MODULE}),
        (["made/__init__.cpython-312-x86_64-linux-gnu.so"], {"made": PACKAGE}),
        (
            ["google/cloud/storage/__init__.py", "google/cloud/one.py", "google/readme.txt"],
            {
                "google": NAMESPACE,
                "google.cloud": NAMESPACE,
                "google.cloud.one": MODULE,
                "google.cloud.storage": PACKAGE,
            },
        ),
        (["flat/x.py", "flat/deep/data.txt"], {"flat": NAMESPACE, "flat.x": MODULE}),
        # A package before a module before a namespace, in whatever order they are listed.
        (["two.py", "two/__init__.py"], {"two": PACKAGE}),
        (["two/x.py", "two.py"], {"two": MODULE, "two.x": MODULE}),
    ],
)
def test_names(files: list[str], names: dict[str, str]) -> None:
    assert provides([distribution(files=files)]) == names
    assert provides([distribution(files=files[::-1])]) == names
    assert provides([distribution(str(at), files=[one]) for at, one in enumerate(files)]) == names


@pytest.mark.parametrize(
    "path",
    [
        "alpha-1.0.dist-info/METADATA",
        "alpha-1.0.dist-info/licenses/setup.py",
        "alpha.libs/libz-1a2b.so.1.2",
        "libz.so.1",
        "alpha-1.0.data/x.py",
        "share/doc/readme.txt",
        "alpha-stubs/__init__.pyi",
        "__init__.py",
        ".hidden.py",
        "alpha.cfg",
    ],
)
def test_what_cannot_be_imported_has_no_name(path: str) -> None:
    """A group of such alone is there from the start, for no import would bring it."""
    assert provides([distribution(files=["x.py", path])]) == {"x": MODULE}
    is_wanted = not path.endswith((".pyi", "METADATA", "setup.py"))
    assert provides([distribution(files=[path])]) == (None if is_wanted else {})


def test_with_a_pth_file_it_cannot_be_lazy() -> None:
    """They are read at start-up; below a folder nobody reads them."""
    plain = distribution("plain", files=["plain.py"])
    assert provides([plain, distribution("hook", files=["hook.pth", "hook.py"])]) is None
    assert provides([plain, distribution("data", files=["data/hook.pth"])]) == {"plain": MODULE}


def test_sorted_so_that_builds_are_equal() -> None:
    found = provides([distribution(files=["z.py", "a.py", "m/__init__.py"])])
    assert list(found or ()) == ["a", "m", "z"]


_PARTS = st.sampled_from(["a", "b", "c.d", "e-f"])
_FILES = st.sampled_from(["__init__.py", "a.py", "b.py", "g.so", "h.abi3.so", "data.txt", "i.j.py"])


@given(
    st.lists(
        st.tuples(st.lists(_PARTS, max_size=3), _FILES).map(
            lambda one: "/".join([*one[0], one[1]])
        ),
        unique=True,
    )
)
def test_python_finds_just_these(paths: list[str]) -> None:
    """Whatever files there are: Python's own search agrees on each name, and finds no others."""
    found = provides([distribution(files=paths)]) or {}
    with TemporaryDirectory() as folder:
        write(Path(folder), dict.fromkeys(paths, ""))
        for name, kind in found.items():
            above = "/".join([folder, *name.split(".")[:-1]])
            assert _kind(name, above) == kind
        listed = {
            (name, PACKAGE if is_package else MODULE) for _, name, is_package in _modules(folder)
        }
    assert listed == {one for one in found.items() if "." not in one[0] and one[1] != NAMESPACE}


def _modules(folder: str) -> list[pkgutil.ModuleInfo]:
    return list(pkgutil.iter_modules([folder]))


def _kind(name: str, folder: str) -> str:
    # By its last part: of a dotted name Python would ask the parent's module for the path.
    spec = importlib.machinery.PathFinder.find_spec(name.rpartition(".")[2], [folder])
    assert spec is not None
    if spec.loader is None:
        return NAMESPACE
    return MODULE if spec.submodule_search_locations is None else PACKAGE
