"""Trimming, as built: what is not in the bundle, what the report says, what the cache keeps."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from overflow.limits import in_megabytes
from tests.support.index import LocalIndex
from tests.support.projects import make_project
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.conftest import Built, Result
    from tests.support.projects import ProjectFolder

APP = """
import fat
from importlib.metadata import files

def handler(event, context):
    return sorted(str(path) for path in files("fat") if not path.locate().exists())
"""

FAT = {
    "fat/__init__.py": "def test():\n    return 'runs pytest'\n",
    "fat/__init__.pyi": "def test() -> str: ...\n" * 100,
    "fat/include/fat.h": "int fat(void);\n" * 1000,
    "fat/tests/__init__.py": "",
    "fat/tests/test_fat.py": "import fat\n" * 2000,
    "fat/testing/__init__.py": "x = 1\n",
}

SPARED = {
    ("fat", "tests"): len(FAT["fat/tests/test_fat.py"]),
    ("fat", "C headers"): len(FAT["fat/include/fat.h"]),
    ("fat", "type stubs"): len(FAT["fat/__init__.pyi"]),
}

SPARED_TEXT = in_megabytes(sum(SPARED.values()))


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalIndex]:
    """One with a distribution that has what a bundle can do without."""
    folder = tmp_path_factory.mktemp("fat-index")
    make_wheel(folder, "fat", files=FAT)
    make_wheel(folder, "slim")
    with LocalIndex(folder) as server:
        yield server


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fat-cache")


@pytest.fixture
def project(tmp_path: Path) -> ProjectFolder:
    found = make_project(tmp_path / "project", "fat", "slim", app=APP)
    found.write("own.pyi", "mine: int\n")
    found.write("own.h", "int mine;\n")
    found.write("lib/tests/test_own.py", "import lib\n")
    return found


def cuts(report: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(cut["name"], cut["kind"]): cut["bytes"] for cut in report["trim"]["cuts"]}


def of_fat(built: Built) -> set[str]:
    paths = (path.removeprefix("_vendor/") for path in built.files())
    return {path for path in paths if path.startswith("fat/") and not path.endswith(".pyc")}


@pytest.mark.parametrize("strategy", ["auto", "pack"])
def test_safe_is_the_default(
    build: Callable[..., Built], project: ProjectFolder, strategy: str
) -> None:
    built = build(project, "--strategy", strategy)
    report = built.report
    assert of_fat(built) == {"fat/__init__.py", "fat/testing/__init__.py"}
    assert report["trim"]["level"] == "safe"
    assert cuts(report) == SPARED
    assert f"Trimmed {SPARED_TEXT} of 4 files" in built.err
    assert "### Trimmed" in (built.folder / "summary.md").read_text("utf-8")
    on_disk = sum((built.bundle / path).stat().st_size for path in built.files())
    assert on_disk == report["sizes"]["bundle_bytes"]
    own = {"own.pyi", "own.h", "lib/tests/test_own.py"}
    assert own <= built.files()


def test_record_lists_what_is_there(build: Callable[..., Built], project: ProjectFolder) -> None:
    built = build(project, "--strategy", "auto")
    vendor = built.bundle / "_vendor"
    with (vendor / "fat-1.0.dist-info/RECORD").open(encoding="utf-8", newline="") as stream:
        rows = {path: digest for path, digest, _ in csv.reader(stream)}
    there = of_fat(built) | {path for path in rows if path.startswith("fat-1.0.dist-info/")}
    assert rows.keys() == there
    for path, digest in rows.items():
        if digest:
            found = hashlib.sha256((vendor / path).read_bytes()).digest()
            assert digest == f"sha256={base64.urlsafe_b64encode(found).decode().rstrip('=')}"


def test_twice_the_same_as_planned_and_whole_again_without(
    build: Callable[..., Built],
    overflow: Callable[..., Result],
    project: ProjectFolder,
    index: LocalIndex,
) -> None:
    """uv's cache, which installed files are hard links to, is as it was."""
    first = build(project, "--strategy", "auto")
    content = (first.folder / "function.zip").read_bytes()
    second = build(project, "--strategy", "auto")
    assert (second.folder / "function.zip").read_bytes() == content
    report = second.report
    options = ["--public-index", index.url, "--python", "3.12", "--strategy", "auto"]
    planned = json.loads(overflow("plan", project.path, *options, "--json").out)
    assert planned["trim"] == report["trim"]
    assert planned["sizes"] == report["sizes"]
    text = overflow("plan", project.path, *options).out
    assert f"{SPARED_TEXT}  trimmed (safe), and not counted" in text
    whole = build(project, "--strategy", "auto", "--trim", "none")
    assert of_fat(whole) == FAT.keys()
    assert whole.report["trim"] == {"level": "none", "cuts": []}
    assert "### Trimmed" not in (whole.folder / "summary.md").read_text("utf-8")
    spared = sum(SPARED.values())
    rows = whole.report["sizes"]["vendored_bytes"] - report["sizes"]["vendored_bytes"]
    assert spared < rows < spared + 500, "RECORD is shorter, too"


def test_what_the_project_imports_stays(
    build: Callable[..., Built], project: ProjectFolder
) -> None:
    project.write("other.py", "def later():\n    from fat import tests\n")
    built = build(project, "--strategy", "auto")
    assert {path for path in FAT if "/tests/" in path} <= of_fat(built)
    assert ("fat", "tests") not in cuts(built.report)


class TestDefer:
    def test_nothing_goes_unless_asked_for(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        built = build(project, "--strategy", "defer")
        assert of_fat(built) == FAT.keys()
        assert built.report["trim"]["level"] == "none"

    def test_it_may_then_fit(self, build: Callable[..., Built], project: ProjectFolder) -> None:
        size = build(project, "--strategy", "defer").report["sizes"]["bundle_bytes"]
        limit = str((size - 20_000) / 1024**2)
        limits = ("--strategy", "defer", "--threshold-mb", limit)
        assert set(build(project, *limits).placements.values()) == {"deferred"}
        built = build(project, *limits, "--trim", "safe")
        assert set(built.placements.values()) == {"vendored"}
        assert cuts(built.report) == SPARED

    def test_what_is_deferred_is_installed_whole_and_counted_so(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        limits = ("--strategy", "defer", "--threshold-mb", "0.01")
        whole = build(project, *limits).report
        found = build(project, *limits, "--trim", "safe").report
        assert found["trim"] == {"level": "safe", "cuts": []}
        for key in ("sizes", "distributions", "function", "outcome", "warnings"):
            assert found[key] == whole[key]
