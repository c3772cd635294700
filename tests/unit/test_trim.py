"""Trim: what a file is by its path, and the sums of what went."""

from __future__ import annotations

import pytest

from overflow.trim import NOTHING, Cut, Kind, Level, Trimmed, cuts_of, kind_of


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("numpy/__init__.pyi", Kind.STUBS),
        ("six.pyi", Kind.STUBS),
        ("pandas-stubs/core/api.pyi", Kind.STUBS),
        ("pyarrow/include/arrow/api.h", Kind.HEADERS),
        ("scipy/linalg/cython_blas.pxd", Kind.HEADERS),
        ("fontTools/cu2qu/cu2qu.c", Kind.SOURCES),
        ("pyarrow/lib.pyx", Kind.SOURCES),
        ("numpy/core/lib/libnpymath.a", Kind.LIBRARIES),
        ("pkg/lib/pkgconfig/numpy.pc", Kind.BUILD),
        ("pyarrow/src/CMakeLists.txt", Kind.BUILD),
        ("sklearn/tree/meson.build", Kind.BUILD),
        ("pkg/.mypy_cache/3.12/x.json", Kind.CACHES),
        ("pkg/.DS_Store", Kind.CACHES),
    ],
)
def test_what_goes(path: str, kind: Kind) -> None:
    assert kind_of(path) is kind


@pytest.mark.parametrize(
    "path",
    [
        "numpy/__init__.py",
        "numpy/core/_multiarray.cpython-312-x86_64-linux-gnu.so",
        "numpy/py.typed",
        "numpy-1.0.dist-info/licenses/a.h",
        "numpy-1.0.dist-info/RECORD",
        "pkg/model.pc",
        "pkg/.h",
        "pkg/h",
        "pkg/data.H",
        "pkg/style.css",
        "pkg/tests/test_a.py",
        "meson.build.txt",
    ],
)
def test_what_stays_by_its_path(path: str) -> None:
    assert kind_of(path) is None


def test_sums() -> None:
    cuts = cuts_of(
        [
            ("a", Kind.STUBS, 5),
            ("b", Kind.TESTS, 7),
            ("a", Kind.STUBS, 3),
            ("a", Kind.HEADERS, 8),
        ]
    )
    assert cuts == (
        Cut(name="a", kind="C headers", files=1, size=8),
        Cut(name="a", kind="type stubs", files=2, size=8),
        Cut(name="b", kind="tests", files=1, size=7),
    )
    found = Trimmed(level=Level.SAFE, cuts=cuts)
    assert (found.files, found.size) == (4, 23)
    assert found.without({"a"}).cuts == cuts[2:]
    assert (NOTHING.files, NOTHING.size) == (0, 0)
