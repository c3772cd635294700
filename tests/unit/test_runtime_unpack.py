"""Unpack: what a crate holds is in /tmp, whole or not at all, whatever happens on the way."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from overflow.crate import Item, write_crate
from overflow.runtime import ready, unpack
from overflow.runtime.manifest import PACKED_FOLDER, Group, Manifest
from overflow.runtime.ready import InstallError
from tests.unit.builders import NO_CACHE, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILES = {"alpha/__init__.py": "x = 1", "alpha/empty.py": "", "alpha/run": "#!/bin/sh", "z.py": ""}


def packed(root: Path, name: str, files: Mapping[str, str | bytes]) -> Group:
    """A crate of these files in a bundle; those called `run` are executable."""
    write(root / "sources" / name, files)
    items = [
        Item(
            path=path,
            source=str(root / "sources" / name / path),
            size=len(content),
            executable=path.endswith("run"),
        )
        for path, content in files.items()
    ]
    (root / PACKED_FOLDER).mkdir(parents=True, exist_ok=True)
    crate = write_crate(root / PACKED_FOLDER / name, {name: items}, NO_CACHE)
    return Group(name=name, size=crate.unpacked, sha256=crate.sha256)


def raw(root: Path, index: object, content: bytes = b"", *, name: str = "0-raw") -> Group:
    """A crate that we would not write, with the right hash."""
    engine = zlib.compressobj(wbits=-15)
    line = index if isinstance(index, bytes) else json.dumps(index).encode() + b"\n"
    data = engine.compress(line + content) + engine.flush()
    write(root, {f"{PACKED_FOLDER}/{name}": data})
    return Group(name=name, size=len(content), sha256=hashlib.sha256(data).hexdigest())


@pytest.fixture
def overflow(tmp_path: Path) -> Path:
    return tmp_path / "tmp" / "_vc_deps_overflow"


@pytest.fixture(autouse=True)
def nothing_is_left_aside(overflow: Path) -> Any:
    overflow.parent.mkdir()
    yield
    assert {path.name for path in overflow.parent.iterdir()} <= {
        "_vc_deps_overflow",
        "_vc_deps_overflow.lock",
    }


def content_of(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ready.MARKER)
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files}


def test_files_with_modes_and_marker(tmp_path: Path, overflow: Path) -> None:
    group = packed(tmp_path, "0-alpha", FILES)
    unpack.fill(str(overflow), [group], str(tmp_path))
    assert content_of(overflow / "0-alpha") == FILES
    assert os.access(overflow / "0-alpha/alpha/run", os.X_OK)
    assert not os.access(overflow / "0-alpha/z.py", os.X_OK)
    assert ready.is_marked(str(overflow / "0-alpha"), group.sha256)


@pytest.mark.parametrize("cpus", [{0}, {0, 1, 2}], ids=["one CPU", "three CPUs"])
def test_many_groups_larger_than_a_chunk(
    tmp_path: Path, overflow: Path, monkeypatch: pytest.MonkeyPatch, cpus: set[int]
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cpus)
    monkeypatch.setattr(unpack, "CHUNK", 7)
    contents = {f"{at}-g": {f"g{at}/{n}.txt": f"{n}" * n for n in range(60)} for at in range(5)}
    groups = [packed(tmp_path, name, files) for name, files in contents.items()]
    unpack.fill(str(overflow), groups, str(tmp_path))
    for name, files in contents.items():
        assert content_of(overflow / name) == files


def test_crate_with_nothing_in_it(tmp_path: Path, overflow: Path) -> None:
    unpack.fill(str(overflow), [packed(tmp_path, "0-none", {})], str(tmp_path))
    assert content_of(overflow / "0-none") == {}


def damaged(data: bytes, kind: str) -> bytes:
    middle = len(data) // 2
    if kind == "changed":
        return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    return data[:middle] if kind == "truncated" else data + b"more"


@pytest.mark.parametrize("kind", ["changed", "truncated", "longer", "missing"])
def test_what_was_not_built_is_one_clear_error(tmp_path: Path, overflow: Path, kind: str) -> None:
    group = packed(tmp_path, "0-alpha", {"a.bin": os.urandom(9000)})
    other = packed(tmp_path, "1-beta", {"b.py": "y"})
    archive = tmp_path / PACKED_FOLDER / "0-alpha"
    if kind == "missing":
        archive.unlink()
    else:
        archive.write_bytes(damaged(archive.read_bytes(), kind))
    with pytest.raises(InstallError, match=r"0-alpha is not what was built.*deploy function.zip"):
        unpack.fill(str(overflow), [group, other], str(tmp_path))
    assert not (overflow / "0-alpha").exists()


@pytest.mark.parametrize(
    "path",
    ["../out.py", "a/../../out.py", "/out.py", "a//b", "", ".", "a/./b", "a\0b"],
)
def test_paths_stay_inside(tmp_path: Path, overflow: Path, path: str) -> None:
    group = raw(tmp_path, [["fine.py", 1, 0], [path, 1, 0]], b"xy")
    with pytest.raises(InstallError, match="its index has"):
        unpack.fill(str(overflow), [group], str(tmp_path))
    assert not list(tmp_path.rglob("out.py"))
    assert not (overflow / "0-raw").exists()


@pytest.mark.parametrize(
    ("index", "content"),
    [
        ([["a", 2, 0]], b"x"),
        ([["a", 1, 0]], b"xy"),
        ([["a", -1, 0]], b""),
        ([["a", 1]], b"x"),
        (b"not json\n", b""),
        (b"[]", b""),
    ],
    ids=["too little", "too much", "negative", "no entry", "no json", "no end"],
)
def test_index_that_does_not_fit_is_refused(
    tmp_path: Path, overflow: Path, index: object, content: bytes
) -> None:
    with pytest.raises(InstallError, match="is not what was built"):
        unpack.fill(str(overflow), [raw(tmp_path, index, content)], str(tmp_path))


def test_link_in_the_way_is_not_followed(tmp_path: Path, overflow: Path) -> None:
    """Left in /tmp by whom ever: neither the folder nor a group's folder may lead elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    overflow.symlink_to(tmp_path / "elsewhere")
    group = packed(tmp_path, "0-alpha", FILES)
    unpack.fill(str(overflow), [group], str(tmp_path))
    assert not overflow.is_symlink()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (overflow / "0-alpha").rename(tmp_path / "elsewhere/0-alpha")
    (overflow / "0-alpha").symlink_to(tmp_path / "elsewhere/0-alpha")
    unpack.fill(str(overflow), [group], str(tmp_path))
    assert not (overflow / "0-alpha").is_symlink()


def test_whole_groups_are_kept_and_all_others_go(tmp_path: Path, overflow: Path) -> None:
    """What a killed start got done counts; what it had half done and what was before does not."""
    groups = [packed(tmp_path, name, {f"{name}.py": name}) for name in ("0-a", "1-b")]
    unpack.fill(str(overflow), groups, str(tmp_path))
    before = (overflow / "0-a/0-a.py").stat().st_ino
    (overflow / "1-b" / ready.MARKER).unlink()
    write(overflow, {"2-old/x.py": "old", "stray.py": "", "1-b/half.py": "half"})
    write(overflow.parent, {"_vc_deps_overflow.work/1-b/half.py": "half"})
    unpack.fill(str(overflow), groups, str(tmp_path))
    assert sorted(path.name for path in overflow.iterdir()) == ["0-a", "1-b"]
    assert content_of(overflow / "1-b") == {"1-b.py": "1-b"}
    assert (overflow / "0-a/0-a.py").stat().st_ino == before


def test_lazy_groups_are_left_to_come_and_kept_once_they_have(
    tmp_path: Path, overflow: Path
) -> None:
    eager, late, old = (
        packed(tmp_path, name, {f"{name}.py": name}) for name in ("0-a", "1-b", "2-c")
    )
    lazy = [one._replace(provides={}) for one in (late, old._replace(sha256="0" * 64))]
    unpack.fill(str(overflow), [eager, *lazy], str(tmp_path))
    assert [path.name for path in overflow.iterdir()] == ["0-a"]
    unpack.place(late, f"{overflow}/1-b", str(tmp_path))
    unpack.place(old, f"{overflow}/2-c", str(tmp_path))  # another build's, by its marker
    before = (overflow / "1-b/1-b.py").stat().st_ino
    unpack.fill(str(overflow), [eager, *lazy], str(tmp_path))
    assert sorted(path.name for path in overflow.iterdir()) == ["0-a", "1-b"]
    assert (overflow / "1-b/1-b.py").stat().st_ino == before


def test_one_group_goes_into_place_whatever_was_there(tmp_path: Path, overflow: Path) -> None:
    group = packed(tmp_path, "0-alpha", FILES)
    write(overflow, {"0-alpha/old.py": "", "0-alpha.work/half.py": "", "1-other/x.py": ""})
    unpack.place(group, f"{overflow}/0-alpha", str(tmp_path))
    assert content_of(overflow / "0-alpha") == FILES
    assert sorted(path.name for path in overflow.iterdir()) == ["0-alpha", "1-other"]
    with pytest.raises(InstallError, match="ephemeral storage"):
        unpack.place(group._replace(size=1 << 62), f"{overflow}/0-alpha", str(tmp_path))


def test_no_room_is_said_before_anything_is_written(tmp_path: Path, overflow: Path) -> None:
    group = Group(name="0-alpha", size=1 << 62, sha256="0" * 64)
    with pytest.raises(InstallError, match="ephemeral storage"):
        unpack.fill(str(overflow), [group], str(tmp_path))
    assert not overflow.exists()


def test_two_starts_unpack_once(
    tmp_path: Path, overflow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = Manifest(
        build="b",
        python="3.12",
        handler="a:b",
        interface="function",
        overflow_folder=str(overflow),
        groups=(packed(tmp_path, "0-alpha", FILES),),
    )

    def begin() -> None:
        ready.ensure(manifest, lambda: unpack.fill(str(overflow), manifest.groups, str(tmp_path)))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = capsys.readouterr().out.splitlines()
    assert said.count("Installing runtime dependencies...") == 1
    assert said.count("Using cached runtime dependencies") == 3
