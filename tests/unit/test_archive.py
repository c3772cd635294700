"""Archive: what any unzip gets back, and the same bytes for the same files."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow import archive
from overflow.archive import Archive, Member, write_zip
from overflow.pieces import PIECE
from tests.unit.builders import NO_CACHE, write

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = {
    "empty": b"",
    "a/text.txt": b"hello " * 1000,
    "a/ünï cödé/日本.py": b"x = 1\n",
    "a/new\nline.txt": b"odd",
    "bin/tool": b"#!/bin/sh\n",
}


def zipped(
    folder: Path, files: Mapping[str, bytes], environ: Mapping[str, str] | None = None
) -> bytes:
    write(folder / "in", files)
    members = [
        Member(
            name=name,
            path=f"{folder}/in/{name}",
            size=len(content),
            executable=name.startswith("bin/"),
        )
        for name, content in files.items()
    ]
    written = write_zip(folder / "out.zip", members, environ=environ or {}, cache=NO_CACHE)
    content = (folder / "out.zip").read_bytes()
    assert written == Archive(size=len(content), sha256=hashlib.sha256(content).hexdigest())
    return content


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as read:
        assert read.testzip() is None
        return {name: read.read(name) for name in read.namelist()}


@pytest.mark.parametrize("piece", [1, 7, 6000, PIECE])
def test_round_trip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(archive, "PIECE", piece)
    assert unzipped(zipped(tmp_path, FILES)) == FILES


def test_order_is_kept(tmp_path: Path) -> None:
    assert list(unzipped(zipped(tmp_path, FILES))) == list(FILES)


def test_no_members(tmp_path: Path) -> None:
    assert unzipped(zipped(tmp_path, {})) == {}


CONTENTS = st.lists(st.binary(max_size=300) | st.just(b"repeat" * 200), max_size=5)


@given(CONTENTS, st.integers(1, 400))
def test_any_contents(contents: list[bytes], piece: int) -> None:
    files = {f"file-{number}": content for number, content in enumerate(contents)}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "PIECE", piece)
        patch.setattr(archive, "BATCH", 2 * piece)
        patch.setattr(archive, "READ_AHEAD", 2)
        assert unzipped(zipped(Path(folder), files)) == files


def test_same_bytes_whatever_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PIECE", 100)
    first = zipped(tmp_path / "one", FILES)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    second = zipped(tmp_path / "two", FILES)
    assert first == second


def test_dates_and_modes_are_not_the_disks(tmp_path: Path) -> None:
    first = zipped(tmp_path, FILES)
    for path in (tmp_path / "in").rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
        if path.is_file():
            path.chmod(0o600)
    assert zipped(tmp_path, FILES) == first


def test_modes(tmp_path: Path) -> None:
    zipped(tmp_path, FILES)
    with zipfile.ZipFile(tmp_path / "out.zip") as read:
        modes = {info.filename: info.external_attr >> 16 for info in read.infolist()}
        assert {info.create_system for info in read.infolist()} == {3}
    assert modes.pop("bin/tool") == 0o100755
    assert set(modes.values()) == {0o100644}


@pytest.mark.parametrize(
    ("epoch", "date"),
    [
        (None, (1980, 1, 1, 0, 0, 0)),
        ("", (1980, 1, 1, 0, 0, 0)),
        ("0", (1980, 1, 1, 0, 0, 0)),
        ("-1", (1980, 1, 1, 0, 0, 0)),
        ("yesterday", (1980, 1, 1, 0, 0, 0)),
        ("1700000000", (2023, 11, 14, 22, 13, 20)),
    ],
)
def test_source_date_epoch(
    tmp_path: Path, epoch: str | None, date: tuple[int, int, int, int, int, int]
) -> None:
    zipped(tmp_path, {"a": b"x"}, {} if epoch is None else {"SOURCE_DATE_EPOCH": epoch})
    with zipfile.ZipFile(tmp_path / "out.zip") as read:
        assert read.getinfo("a").date_time == date


@pytest.mark.parametrize("epoch", ["²", "99999999999", "9" * 30, "4354819200"])
def test_source_date_epoch_that_no_zip_can_hold(tmp_path: Path, epoch: str) -> None:
    zipped(tmp_path, {"a": b"x"}, {"SOURCE_DATE_EPOCH": epoch})
    with zipfile.ZipFile(tmp_path / "out.zip") as read:
        assert (1980,) <= read.getinfo("a").date_time < (2108,)


def test_file_that_is_empty_by_now_is_not_silently_missing(tmp_path: Path) -> None:
    write(tmp_path, {"a": b""})
    member = Member(name="a", path=f"{tmp_path}/a", size=PIECE, executable=False)
    try:
        write_zip(tmp_path / "out.zip", [member], environ={}, cache=NO_CACHE)
    except OSError:
        return
    assert unzipped((tmp_path / "out.zip").read_bytes()) == {"a": b""}


def test_member_over_4_gib_gets_a_zip64_header() -> None:
    member = Member(name="a", path="a", size=5 << 30, executable=False)
    last = archive._Piece(member=member, data=b"12", size=5 << 30, crc=0, is_last=True)
    header = archive._header([last], archive.EARLIEST).FileHeader()
    # Tag 1 (zip64), 16 bytes, then both sizes (APPNOTE 4.5.3).
    assert header.endswith(struct.pack("<HHQQ", 1, 16, 5 << 30, 2))
