"""Stripping with the real strip, with ones that lie, and where there is none."""

from __future__ import annotations

import base64
import csv
import ctypes
import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from overflow.cache import Cache
from overflow.errors import InputFault
from overflow.loaded import load_alike
from overflow.stripping import KIND, Stripper, find_stripper
from tests.support.elves import REAL, fat, for_aarch64
from tests.support.index import LocalIndex
from tests.support.projects import make_project
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.conftest import Built
    from tests.support.projects import ProjectFolder

FAT = fat()
SLIM_BY = len(FAT) - len(REAL)
NATIVE: dict[str, str | bytes] = {
    "native/__init__.py": "",
    "native/fat.so": FAT,
    "native.libs/libfat.so.1": fat(seed=2),
    "native/script.so": "INPUT(libother.so)",
    "native/data_after.so": FAT + b"data",
    "native/signed.so": FAT,
    "native/.signed.so.hmac": "abc",
    "native/foreign.so": for_aarch64(FAT),
}
STRIPPED = {"native/fat.so", "native.libs/libfat.so.1"}

AGGRESSIVE = ("--strategy", "auto", "--trim", "aggressive")


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalIndex]:
    folder = tmp_path_factory.mktemp("native-index")
    make_wheel(folder, "native", files=NATIVE)
    make_wheel(folder, "pure", files={"pure.py": ""})
    with LocalIndex(folder) as server:
        yield server


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("native-cache")


@pytest.fixture
def project(tmp_path: Path) -> ProjectFolder:
    return make_project(tmp_path / "project", "native", "pure")


def content(built: Built) -> dict[str, bytes]:
    return {path: (built.bundle / "_vendor" / path).read_bytes() for path in NATIVE}


def wanted(path: str) -> bytes:
    data = NATIVE[path]
    return data if isinstance(data, bytes) else data.encode()


class TestBuild:
    def test_what_only_debuggers_read_goes_and_the_rest_stays(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        """What is signed, for another machine, or has data after it stays as it is."""
        built = build(project, *AGGRESSIVE)
        found = content(built)
        assert {path for path in NATIVE if found[path] != wanted(path)} == STRIPPED
        for path in STRIPPED:
            assert len(found[path]) < len(wanted(path)) - 45_000
            assert load_alike(found[path], wanted(path))
        ctypes.CDLL(str(built.bundle / "_vendor/native/fat.so"))
        (cut,) = built.report["trim"]["cuts"]
        spared = sum(len(wanted(path)) - len(found[path]) for path in STRIPPED)
        assert cut == {"name": "native", "kind": "symbols", "files": 2, "bytes": spared}
        assert built.report["trim"]["level"] == "aggressive"

    def test_record_has_the_new_hash(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        built = build(project, *AGGRESSIVE)
        found = content(built)
        record = built.bundle / "_vendor/native-1.0.dist-info/RECORD"
        rows = {row[0]: row[1:] for row in csv.reader(record.read_text("utf-8").splitlines())}
        for path, data in found.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            assert rows[path] == [f"sha256={digest}", str(len(data))]

    def test_the_cache_changes_nothing_and_uvs_is_as_it_was(
        self,
        build: Callable[..., Built],
        project: ProjectFolder,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "ours"))
        first = (build(project, *AGGRESSIVE).folder / "function.zip").read_bytes()
        with monkeypatch.context() as patched:
            patched.setattr(Stripper, "_run", None)
            second = (build(project, *AGGRESSIVE).folder / "function.zip").read_bytes()
        assert second == first
        whole = build(project, "--strategy", "auto", "--trim", "safe")
        assert content(whole) == {path: wanted(path) for path in NATIVE}

    def test_without_strip_it_is_an_error_that_says_what_to_do(
        self,
        build: Callable[..., Built],
        project: ProjectFolder,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        monkeypatch.setattr("overflow.stripping.FORMATS", {"x86_64": "elf64-none"})
        built = build(project, *AGGRESSIVE, exit_code=2)
        assert "error[strip-missing]" in built.err
        assert "--trim safe" in built.err

    def test_where_nothing_is_to_be_stripped_none_is_needed(
        self,
        build: Callable[..., Built],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("overflow.stripping.FORMATS", {"x86_64": "elf64-none"})
        built = build(make_project(tmp_path / "project", "pure"), *AGGRESSIVE)
        assert built.report["trim"] == {"level": "aggressive", "cuts": []}


def a_strip(folder: Path, script: str) -> Stripper:
    """One that does as it likes: `$5` is what it is given, `$4` what it is to write."""
    program = folder / "strip"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return Stripper(
        program=str(program),
        version="lies",
        machine="x86_64",
        environ=os.environ,
        cache=Cache(folder=folder / "cache"),
    )


@pytest.mark.parametrize(
    "script",
    [
        "exit 1",
        "true",
        ': > "$4"',
        'cp "$5" "$4"',
        'head -c 1000 "$5" > "$4"',
        'head -c "$(($(wc -c < "$5") - 60000))" "$5" > "$4"',
        'sed "s/PyInit/PyExit/" "$0.real" > "$4"',
    ],
)
def test_strip_is_checked_and_not_trusted(script: str, tmp_path: Path) -> None:
    (tmp_path / "strip.real").write_bytes(REAL)
    (tmp_path / "fat.so").write_bytes(FAT)
    stripper = a_strip(tmp_path, script)
    assert list(stripper.strip([tmp_path / "fat.so"])) == []
    (entry,) = (tmp_path / "cache" / KIND).iterdir()
    assert entry.stat().st_size <= 4, "that it is to stay is known from then on"


def test_where_strip_is_cut_off_it_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overflow.stripping.SECONDS", 0.2)
    (tmp_path / "strip.real").write_bytes(REAL)
    (tmp_path / "fat.so").write_bytes(FAT)
    assert list(a_strip(tmp_path, 'cp "$0.real" "$4"; sleep 60').strip([tmp_path / "fat.so"])) == []
    monkeypatch.undo()
    again = a_strip(tmp_path, 'cp "$0.real" "$4"')
    assert [content for _, content in again.strip([tmp_path / "fat.so"])] == [REAL]


def test_what_is_smaller_and_loads_alike_is_taken(tmp_path: Path) -> None:
    (tmp_path / "strip.real").write_bytes(REAL)
    (tmp_path / "fat.so").write_bytes(FAT)
    stripper = a_strip(tmp_path, 'cp "$0.real" "$4"')
    assert list(stripper.strip([tmp_path / "fat.so"])) == [(tmp_path / "fat.so", REAL)]
    again = a_strip(tmp_path, "exit 1")
    assert list(again.strip([tmp_path / "fat.so"])) == [(tmp_path / "fat.so", REAL)]
    assert (tmp_path / "fat.so").read_bytes() == FAT


@pytest.mark.parametrize("name", ["strip", "aarch64-linux-gnu-strip"])
def test_a_strip_for_another_machine_is_found_by_what_it_knows(name: str, tmp_path: Path) -> None:
    program = tmp_path / name
    knows = "strip: supported targets: elf64-littleaarch64 elf64-bigaarch64"
    program.write_text(f"#!/bin/sh\necho '{knows}'\n", encoding="utf-8")
    program.chmod(0o755)
    environ = {"PATH": str(tmp_path)}
    found = find_stripper("aarch64", environ, Cache(folder=None))
    assert found.program == str(program)
    with pytest.raises(InputFault) as raised:
        find_stripper("x86_64", environ, Cache(folder=None))
    assert raised.value.code == "strip-missing"
    assert "binutils-x86-64-linux-gnu" in raised.value.hint


def test_no_strip_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputFault):
        find_stripper("aarch64", {"PATH": str(tmp_path)}, Cache(folder=None))
