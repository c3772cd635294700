"""Trimming: what goes of an environment on disk, what asks for it, and what is then measured."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import pytest

from overflow import trimming
from overflow.cache import Cache
from overflow.excess import excess
from overflow.measure import UNOWNED, Measurement, measure
from overflow.tree import Tree, read_tree
from overflow.trim import Level, Trimmed
from overflow.trimming import trim
from tests.unit.builders import NO_CACHE, install, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from overflow.stripping import Stripper

TESTED = {
    "alpha/__init__.py": "import alpha.core",
    "alpha/core.py": "x = 1",
    "alpha/tests/__init__.py": "",
    "alpha/tests/common.py": "",
    "alpha/tests/test_core.py": "from alpha.io.tests.common import x",
    "alpha/tests/data/table.csv": "1,2",
    "alpha/io/__init__.py": "",
    "alpha/io/tests/__init__.py": "",
    "alpha/io/tests/common.py": "x = 1",
    "alpha/io/tests/test_io.py": "from .common import x",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    return folder


def project(site: Path, **files: str) -> Tree:
    root = site.parent / "project"
    root.mkdir(exist_ok=True)
    write(root, {f"{name}.py": text for name, text in files.items()})
    return read_tree(root, lambda _, __: False)


def trimmed(site: Path, **files: str) -> tuple[Measurement, Trimmed]:
    """Trim; what is said to be there then is what a new measurement finds."""
    found = trim(measure(site), project=project(site, **files), own="app", cache=NO_CACHE)
    assert found[0] == measure(site)
    return found


def gone(site: Path, **files: str) -> set[str]:
    before = set(measure(site).tree.sizes)
    return before - set(trimmed(site, **files)[0].tree.sizes)


TESTS = {path for path in TESTED if "/tests/" in path}
IO_TESTS = {path for path in TESTED if "/io/tests/" in path}


def test_what_went_is_counted_and_record_stays_true(site: Path) -> None:
    files = {"alpha/a.pyi": "12345", "alpha/include/b.h": "123", "alpha/__init__.py": ""}
    install(site, "alpha", files=files)
    whole = measure(site)
    found, what = trimmed(site)
    assert {(cut.name, cut.kind, cut.files, cut.size) for cut in what.cuts} == {
        ("alpha", "type stubs", 1, 5),
        ("alpha", "C headers", 1, 3),
    }
    assert what.level is Level.SAFE
    rows = (site / "alpha-1.0.dist-info/RECORD").read_text("utf-8").splitlines()
    assert [row.partition(",")[0] for row in rows] == [
        "alpha/__init__.py",
        *(f"alpha-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD")),
    ]
    rows_gone = len("alpha/a.pyi,,\n") + len("alpha/include/b.h,,\n")
    assert whole.size - found.size == what.size + rows_gone
    assert not (site / "alpha/include").exists()


def test_nothing_to_trim_leaves_all_as_it_was(site: Path) -> None:
    install(site, "alpha", files={"alpha/__init__.py": "import alpha.tests"})
    whole = measure(site)
    assert trimmed(site) == (whole, Trimmed(level=Level.SAFE))


def test_files_are_never_changed_in_place(site: Path) -> None:
    """They are hard links to uv's cache."""
    install(site, "alpha", files={"alpha/__init__.py": "", "alpha/a.pyi": "stub"})
    cached = {}
    for path in measure(site).tree.sizes:
        other = site.parent / path.replace("/", "-")
        os.link(site / path, other)
        cached[other] = other.read_bytes()
    trimmed(site)
    assert {other: other.read_bytes() for other in cached} == cached


def test_tests_that_nothing_imports_go(site: Path) -> None:
    install(site, "alpha", files=TESTED)
    assert gone(site) == TESTS
    assert not (site / "alpha/io/tests").exists()


def test_a_suite_that_a_kept_one_imports_stays(site: Path) -> None:
    install(site, "alpha", files=TESTED)
    assert gone(site, app="from alpha.tests import test_core") == set()


def test_a_suite_is_read_as_far_as_it_is_imported(site: Path) -> None:
    """What asks for the other one is a module that nobody imports."""
    install(site, "alpha", files=TESTED)
    assert gone(site, app="import alpha.tests.common") == IO_TESTS


def test_modules_that_import_what_is_beside_them_are_taken_to_import_all(site: Path) -> None:
    files = {**TESTED, "alpha/tests/common.py": "from . import test_core"}
    install(site, "alpha", files=files)
    assert gone(site, app="import alpha.tests.common") == set()


def test_another_distribution_may_import_it(site: Path) -> None:
    install(site, "alpha", files=TESTED)
    install(site, "beta", files={"beta.py": "def f():\n    from alpha.io.tests import common"})
    assert gone(site) == TESTS - IO_TESTS


@pytest.mark.parametrize("group", ["pytest11", "console_scripts"])
def test_so_may_an_entry_point(site: Path, group: str) -> None:
    install(site, "alpha", files=TESTED)
    entry = {"beta-1.0.dist-info/entry_points.txt": f"[{group}]\nx = alpha.io.tests.common:f\n"}
    install(site, "beta", files=entry)
    assert gone(site) == TESTS - IO_TESTS


def test_a_path_keeps_the_data_and_no_module(site: Path) -> None:
    files = {**TESTED, "alpha/core.py": "open(join(here, 'tests', 'data', 'table.csv'))"}
    install(site, "alpha", files=files)
    assert gone(site) == TESTS - {"alpha/tests/data/table.csv"}


@pytest.mark.parametrize("reader", ["alpha/setup.py", "alpha/conftest.py"])
def test_what_builds_and_tests_a_distribution_is_not_asked(site: Path, reader: str) -> None:
    install(site, "alpha", files={**TESTED, reader: "import alpha.tests"})
    assert gone(site) == TESTS


@pytest.mark.parametrize(
    "files",
    [
        {"tests/__init__.py": "", "tests/test_all.py": ""},
        {"alpha/test/__init__.py": "", "alpha/test/client.py": ""},
        {"alpha/testing/__init__.py": "", "alpha/testing/test_utils.py": ""},
        {"alpha/_testing/test_utils.py": ""},
        {"alpha/tests.py": ""},
        {"alpha/conftest.py": "", "alpha/test_one.py": ""},
    ],
    ids=lambda files: next(iter(files)),
)
def test_what_is_no_suite_stays(site: Path, files: dict[str, str]) -> None:
    """At the top level a folder is a package; without tests in it, a folder is a library."""
    install(site, "alpha", files={"alpha/__init__.py": "", **files})
    assert gone(site) == set()


def test_a_suite_of_two_distributions_stays(site: Path) -> None:
    install(site, "alpha", files={"ns/tests/test_a.py": ""})
    install(site, "beta", files={"ns/tests/test_b.py": ""})
    assert gone(site) == set()


def test_what_no_record_lists_stays(site: Path) -> None:
    write(site, {"stray/a.pyi": "", "stray/tests/test_a.py": "", "stray/a.h": ""})
    install(site, "alpha", files={"alpha/a.pyi": "x"})
    assert gone(site) == {"alpha/a.pyi"}
    assert measure(site).by_name[UNOWNED].files


def test_the_project_itself_stays(site: Path) -> None:
    install(site, "app", files={"app/__init__.py": "", "app/a.pyi": "", "app/tests/test_a.py": ""})
    assert gone(site) == set()


def test_stubs_that_are_read_at_run_time_stay(site: Path) -> None:
    lazy = "__getattr__, *_ = lazy_loader.attach_stub(__name__, __file__)"
    install(site, "alpha", files={"alpha/__init__.py": lazy, "alpha/__init__.pyi": "x"})
    install(site, "beta", files={"beta/__init__.pyi": "x"})
    assert gone(site) == {"beta/__init__.pyi"}


def test_headers_that_a_source_names_stay(site: Path) -> None:
    files = {"alpha/__init__.py": "open('need.h')", "alpha/need.h": "", "alpha/other.h": ""}
    install(site, "alpha", files=files)
    assert gone(site) == {"alpha/other.h"}


def test_headers_of_what_compiles_at_run_time_stay(site: Path) -> None:
    install(site, "ziglang", files={"ziglang/std.h": "", "ziglang/a.c": "", "ziglang/a.pyi": "x"})
    assert gone(site) == {"ziglang/a.pyi"}


def test_only_archives_are_static_libraries(site: Path) -> None:
    files = {
        "alpha/lib.a": "!<arch>\nrest",
        "alpha/data.a": "!<arch>",
        "alpha/named.a": "!<arch>\n",
    }
    install(site, "alpha", files={**files, "alpha/__init__.py": "'named.a'"})
    assert gone(site) == {"alpha/lib.a"}


def test_what_links_stand_for_stays(site: Path) -> None:
    install(site, "alpha", files={"alpha/one.h": "1", "alpha/two.h": "2", "alpha/three.txt": ""})
    (site / "alpha/three.txt").unlink()
    (site / "alpha/three.txt").symlink_to("one.h")
    assert gone(site) == {"alpha/two.h"}


def test_folders_of_what_went_are_no_import_packages(site: Path) -> None:
    install(site, "alpha", files=TESTED)
    found, _ = trimmed(site)
    assert found.by_name["alpha"].import_packages == {"alpha", "alpha/io"}


def test_what_was_found_is_known_the_next_time(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until something changes that decides it: what is installed, the project, the rules."""
    files = {"alpha/a.pyi": "1", "alpha/include/b.h": "2", "alpha/__init__.py": ""}
    cache = Cache(folder=tmp_path / "cache")
    asked: list[int] = []

    def counted(*given: Any, **named: Any) -> Any:
        asked.append(1)
        return excess(*given, **named)

    def again(**sources: str) -> Trimmed:
        install(site, "alpha", files=files)
        its = project(site, **sources)
        return trim(measure(site), project=its, own="app", cache=cache)[1]

    monkeypatch.setattr(trimming, "excess", counted)
    first = again()
    assert again() == first
    assert len(asked) == 1
    assert again(app="open('include/b.h')") != first
    files["alpha/c.pyi"] = "3"
    again()
    monkeypatch.setattr(trimming, "PROGRAMS", trimming.PROGRAMS[:-1])
    again()
    assert len(asked) == 4


class Halver:
    """Stands in for a Stripper: what it is given becomes half as long."""

    def strip(self, paths: Sequence[Path]) -> Iterator[tuple[Path, bytes]]:
        for path in paths:
            if content := path.read_bytes():
                yield path, content[: len(content) // 2]


def test_stripped_files_are_new_ones_with_the_old_mode(site: Path) -> None:
    files = dict.fromkeys(("alpha/a.so", "alpha/b.so.1", "alpha/signed.so"), "12345678")
    install(site, "alpha", files={**files, "alpha/signed.so.sig": "", "alpha/a.pyi": "x"})
    install(site, "app", files={"app.so": "1234"})
    write(site, {"stray.so": "1234"})
    (site / "alpha/a.so").chmod(0o751)
    os.link(site / "alpha/a.so", site.parent / "cached")
    found, what = trim(
        measure(site),
        project=project(site),
        own="app",
        cache=NO_CACHE,
        stripper=lambda: cast("Stripper", Halver()),
    )
    assert found == measure(site)
    assert what.level is Level.AGGRESSIVE
    assert {(cut.name, cut.kind, cut.files, cut.size) for cut in what.cuts} == {
        ("alpha", "symbols", 2, 8),
        ("alpha", "type stubs", 1, 1),
    }
    assert (site / "alpha/a.so").read_bytes() == b"1234"
    assert (site / "alpha/a.so").stat().st_mode & 0o777 == 0o751
    assert "alpha/a.so" in found.tree.executable
    assert (site.parent / "cached").read_bytes() == b"12345678"
    row = "alpha/a.so,sha256=A6xnQhbz4Vx2HuGl4lXwZ5U2I8iziLRFnhP5eNfIRvQ,4"
    assert row in (site / "alpha-1.0.dist-info/RECORD").read_text("utf-8").splitlines()
