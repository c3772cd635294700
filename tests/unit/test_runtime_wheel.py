"""Wheel: what is listed at its end is written as its bytes come, and nothing leads out."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.runtime import wheel
from overflow.runtime.wheel import End, members, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INFO = "alpha-1.0.dist-info/METADATA"


def archive(
    files: Mapping[str, bytes] | Sequence[tuple[str, bytes]],
    *,
    stored: bool = False,
    modes: Mapping[str, int] | None = None,
) -> bytes:
    """A wheel's bytes; those of its files without a mode can be read and written."""
    stream = io.BytesIO()
    pairs = files if not hasattr(files, "items") else list(files.items())
    with zipfile.ZipFile(stream, "w") as made:
        for name, data in pairs:
            entry = zipfile.ZipInfo(name)
            entry.create_system = 3
            entry.external_attr = (modes or {}).get(name, 0o100644) << 16
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            made.writestr(entry, data)
    return stream.getvalue()


def unpacked(data: bytes, folder: Path, *, chunk: int = 50, known: int = 1 << 20) -> str:
    """As fetch.py does it, with so many bytes of its end known first."""
    earlier = lambda first, last: data[first:last]  # noqa: E731
    listed = members(End(len(data), data[-known:], earlier))
    chunks = (data[at : at + chunk] for at in range(0, len(data), chunk))
    return write(chunks, listed, str(folder))


def content_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_files_and_modes(tmp_path: Path) -> None:
    files = {"alpha/__init__.py": b"x = 1", "alpha/run": b"#!", "alpha/": b"", INFO: b""}
    data = archive(files, modes={"alpha/run": 0o100755, INFO: 0o100400})
    assert unpacked(data, tmp_path) == hashlib.sha256(data).hexdigest()
    assert content_of(tmp_path) == {name: files[name] for name in files if name != "alpha/"}
    modes = {path: (tmp_path / path).stat().st_mode & 0o777 for path in ("alpha/run", INFO)}
    umask = os.umask(0)
    os.umask(umask)
    assert modes == {"alpha/run": 0o755 & ~umask, INFO: 0o644 & ~umask}


NAMES = st.lists(st.sampled_from(["a", "b.py", "ç", "d-1.dist-info"]), min_size=1, max_size=3)
FILES = st.dictionaries(NAMES.map("/".join), st.binary(max_size=300), max_size=6)


def is_a_tree(files: Mapping[str, bytes]) -> bool:
    return not any(other.startswith(f"{name}/") for name in files for other in files)


@given(FILES.filter(is_a_tree), st.booleans(), st.integers(1, 400), st.integers(0, 400))
def test_any_wheel_however_it_comes(
    files: dict[str, bytes], stored: bool, chunk: int, known: int
) -> None:
    """Whatever pieces it comes in, and however much of its end is known first."""
    data = archive(files, stored=stored)
    with tempfile.TemporaryDirectory() as folder:
        digest = unpacked(data, Path(folder), chunk=chunk, known=known or 1)
        assert content_of(Path(folder)) == files
    assert digest == hashlib.sha256(data).hexdigest()


@given(st.binary(max_size=200), st.integers(0, 10_000), st.integers(0, 255))
def test_damage_is_an_error_or_another_hash(content: bytes, at: int, byte: int) -> None:
    data = archive({"alpha.py": content, INFO: b"Name: alpha"})
    damaged = bytearray(data)
    damaged[at % len(data)] = byte
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder) / "in"
        inner.mkdir()
        try:
            digest = unpacked(bytes(damaged), inner)
        except (ValueError, zlib.error, zipfile.BadZipFile, NotImplementedError, OSError):
            digest = ""
        assert (digest == hashlib.sha256(data).hexdigest()) == (bytes(damaged) == data)
        assert [path.name for path in Path(folder).iterdir()] == ["in"]


@pytest.mark.parametrize(
    "name",
    ["../out.py", "a/../../out.py", "/out.py", "a//b", "./a", "a/./b", "..", ".", "a/.."],
)
def test_paths_stay_inside(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    data = archive({"fine.py": b"", name: b"x"})
    with pytest.raises(ValueError, match="leads out of it"):
        unpacked(data, tmp_path / "in")
    assert content_of(tmp_path) == {}


def test_paths_of_data_stay_inside(tmp_path: Path) -> None:
    data = archive({INFO: b"", "alpha-1.0.data/purelib/../../../out.py": b"x"})
    with pytest.raises(ValueError, match="leads out of it"):
        unpacked(data, tmp_path)
    data = archive({INFO: b"", "alpha-1.0.data/purelib/": b"", "alpha-1.0.data/purelib": b"x"})
    unpacked(data, tmp_path)
    assert content_of(tmp_path) == {INFO: b""}


def test_a_link_becomes_a_file(tmp_path: Path) -> None:
    """As with other installers: nothing but files and folders is ever made."""
    data = archive({"link": b"/etc/passwd"}, modes={"link": stat.S_IFLNK | 0o777})
    unpacked(data, tmp_path)
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").read_bytes() == b"/etc/passwd"


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        data = archive([("a.py", b"1"), ("a.py", b"2")])
    with pytest.raises(FileExistsError):
        unpacked(data, tmp_path)


def test_a_file_where_a_folder_is_is_refused(tmp_path: Path) -> None:
    data = archive([("a", b"1"), ("a/b", b"2")])
    with pytest.raises((FileExistsError, NotADirectoryError)):
        unpacked(data, tmp_path)


def test_data_of_the_wheel_is_put_where_it_belongs(tmp_path: Path) -> None:
    names = ["purelib/pure.py", "platlib/plat/x.so", "scripts/run", "headers/a.h", "data/share/b"]
    own = {f"alpha-1.0.data/{name}": b"1" for name in names}
    data = archive({"alpha.py": b"2", **own, "beta-1.0.data/purelib/c": b"3", INFO: b""})
    unpacked(data, tmp_path)
    assert content_of(tmp_path).keys() == {
        "alpha.py",
        "pure.py",
        "plat/x.so",
        "beta-1.0.data/purelib/c",
        INFO,
    }


def changed(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def test_methods_that_wheels_do_not_have_are_refused(tmp_path: Path) -> None:
    data = archive({"a.py": b"1"})
    entry = data.index(b"PK\x01\x02")
    for at, value in ((8, b"\x01\x00"), (10, b"\x0c\x00")):
        with pytest.raises(ValueError, match="encrypted or not deflated"):
            unpacked(changed(data, entry + at, value), tmp_path)


def test_sizes_that_are_not_true_are_refused(tmp_path: Path) -> None:
    """Those in the list: bytes would be missing, or fill a disk."""
    data = archive({"a.py": b"12345"})
    entry = data.index(b"PK\x01\x02")
    for size in (4, 6):
        (tmp_path / str(size)).mkdir()
        with pytest.raises(ValueError, match="not as long as it is listed"):
            unpacked(changed(data, entry + 24, bytes([size])), tmp_path / str(size))
    (tmp_path / "short").mkdir()
    with pytest.raises((ValueError, zlib.error)):
        unpacked(changed(data, entry + 20, b"\x01"), tmp_path / "short")


def test_files_that_overlap_are_refused(tmp_path: Path) -> None:
    """As in a bomb that has the same bytes a thousand times."""
    data = archive({"a.py": b"1" * 90, "b.py": b"2" * 90}, stored=True)
    second = data.rindex(b"PK\x01\x02")
    with pytest.raises((ValueError, zipfile.BadZipFile)):
        unpacked(changed(data, second + 42, b"\x05\x00\x00\x00"), tmp_path)


def test_a_list_without_files_is_refused(tmp_path: Path) -> None:
    data = archive({"a.py": b"1"})
    with pytest.raises(ValueError, match="has no header"):
        unpacked(b"XX" + data[2:], tmp_path)


def test_a_list_may_not_be_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "LONGEST_LIST", 10)
    data = archive({"a.py": b"1", "b.py": b"2"})
    with pytest.raises(ValueError, match="too long"):
        members(End(len(data), data[-22:], lambda first, last: data[first:last]))
