"""Lazy: a group is put into place by what needs it, and by nothing else; in this process."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import threading
from importlib import machinery, metadata
from typing import TYPE_CHECKING, Any

import pytest

from overflow.runtime import lazy, paths, ready, unpack
from overflow.runtime.manifest import INFO_FOLDER, PACKED_FOLDER, Group, Manifest
from overflow.runtime.ready import InstallError
from tests.unit.builders import write
from tests.unit.test_runtime_unpack import packed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Placed = Callable[[], list[str]]

RECORD = 'lzone/__init__.py,sha256=abc,5\n"lzone/a,b.txt",,\nlz_one-1.0.dist-info/RECORD,,\n'
INFO = {
    "lz_one-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: lz.one\nVersion: 1.0\n",
    "lz_one-1.0.dist-info/RECORD": RECORD,
}
ONE = {"lzone/__init__.py": "x = 1", "lzone/a,b.txt": "data", "lzmod.py": "y = 2", **INFO}
TWO = {"lzns/two/__init__.py": "", "lzns/single.py": ""}
PROVIDES = {
    "0-one": {"lzone": "package", "lzmod": "module", "lzgone": "module"},
    "1-two": {"lzns": "namespace", "lzns.two": "package", "lzns.single": "module"},
}


@pytest.fixture
def overflow(tmp_path: Path) -> Path:
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp" / "_vc_deps_overflow"


@pytest.fixture
def placed(tmp_path: Path, overflow: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Placed]:
    """Two lazy groups are claimed; says which of them are in place."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "path_hooks", list(sys.path_hooks))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    groups = tuple(
        packed(tmp_path, name, files)._replace(provides=PROVIDES[name])
        for name, files in (("0-one", ONE), ("1-two", TWO))
    )
    write(tmp_path / INFO_FOLDER / "0-one", INFO)
    manifest = Manifest(
        build="b",
        python="3.12",
        handler="a:b",
        interface="function",
        overflow_folder=str(overflow),
        groups=groups,
    )
    lazy.claim(manifest, str(tmp_path))
    paths.extend(str(tmp_path), [f"{overflow}/{one.name}" for one in groups])
    yield lambda: sorted(path.parent.name for path in overflow.glob("*/.installed"))
    for path in list(sys.path_importer_cache):
        if path.startswith(str(tmp_path)):
            del sys.path_importer_cache[path]


def test_import_puts_its_group_into_place_and_says_so(
    placed: Placed, overflow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module("lzone")
    assert placed() == ["0-one"]
    assert module.__file__ == f"{overflow}/0-one/lzone/__init__.py"
    assert importlib.import_module("lzmod").y == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Installed 0-one on first import in 0.")
    assert not (overflow / "0-one.work").exists()


def test_only_the_part_of_a_namespace_that_is_needed(placed: Placed, overflow: Path) -> None:
    assert list(importlib.import_module("lzns").__path__) == [f"{overflow}/1-two/lzns"]
    assert placed() == []
    importlib.import_module("lzns.two")
    assert placed() == ["1-two"]


def test_asking_whether_it_is_there_unpacks_nothing(placed: Placed) -> None:
    spec = importlib.util.find_spec("lzone")
    assert spec is not None
    assert spec.name == "lzone"
    assert placed() == []
    assert spec.origin is not None
    assert spec.origin.endswith("0-one/lzone/__init__.py")
    assert type(spec) is machinery.ModuleSpec
    assert placed() == ["0-one"]


def test_what_an_app_sets_of_a_spec_stays(placed: Placed) -> None:
    spec = importlib.util.find_spec("lzmod")
    assert spec is not None
    assert spec.loader is not None
    waiting = spec.loader
    spec.loader = importlib.util.LazyLoader(spec.loader)
    assert isinstance(spec.origin, str)
    assert isinstance(spec.loader, importlib.util.LazyLoader)
    assert type(waiting.get_code.__self__) is machinery.SourceFileLoader  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["lznothing", "lzgone", "lzone.nothing", "lzns.nothing"])
def test_what_is_not_there_is_not_found(placed: Placed, name: str) -> None:
    """Also where the manifest is wrong about it."""
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module(name)
    assert caught.value.name == name


def test_top_level_names_are_listed_without_unpacking(placed: Placed, overflow: Path) -> None:
    def listed(folder: str, prefix: str = "") -> list[tuple[str, bool]]:
        return [(one.name, one.ispkg) for one in pkgutil.iter_modules([folder], prefix)]

    assert ("lzone", True) in listed(f"{overflow}/0-one")
    assert listed(f"{overflow}/1-two") == []
    assert listed(f"{overflow}/1-two/lzns", "p.") == [("p.single", False), ("p.two", True)]
    assert placed() == []


def test_a_failure_is_loud_and_the_next_import_tries_again(
    placed: Placed, tmp_path: Path, overflow: Path
) -> None:
    archive = tmp_path / PACKED_FOLDER / "0-one"
    content = archive.read_bytes()
    archive.write_bytes(content[:-2])
    for _ in range(2):
        with pytest.raises(InstallError, match="is not what was built"):
            importlib.import_module("lzone")
    assert placed() == []
    assert sorted(path.name for path in overflow.iterdir()) == ["0-one.lock"]
    archive.write_bytes(content)
    importlib.import_module("lzone")
    assert placed() == ["0-one"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ImportError("no ssl")])
def test_no_failure_of_ours_is_an_import_error(
    placed: Placed, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(unpack, "place", fail)
    with pytest.raises(InstallError, match="0-one cannot be put into place: ") as caught:
        importlib.import_module("lzone")
    assert str(caught.value).endswith(str(error))


def test_what_placing_imports_does_not_come_from_a_lazy_group(
    placed: Placed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backport of a standard module, say, would wait for itself for ever."""
    place = unpack.place
    seen: list[object] = []

    def ours(group: Group, folder: str, root: str) -> None:
        seen.extend(importlib.util.find_spec(name) for name in ("lzone", "lzmod", "lzns"))
        place(group, folder, root)

    monkeypatch.setattr(unpack, "place", ours)
    importlib.import_module("lzone")
    assert seen == [None, None, None]


def test_threads_wait_for_one_unpacking(placed: Placed, capsys: pytest.CaptureFixture[str]) -> None:
    start, failed = threading.Barrier(6), list[Exception]()

    def work(name: str) -> None:
        start.wait()
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - looked at below
            failed.append(error)

    names = ["lzone", "lzmod", "lzns.two", "lzns.single", "lzone", "lzns"]
    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_what_another_process_put_there_is_used(
    placed: Placed, tmp_path: Path, overflow: Path, capsys: Any
) -> None:
    assert importlib.util.find_spec("lzone") is not None  # the folder is claimed
    overflow.mkdir()
    unpack.place(packed(tmp_path, "0-one", ONE), f"{overflow}/0-one", str(tmp_path))
    assert importlib.import_module("lzone").x == 1
    assert capsys.readouterr().out == ""


def test_importer_that_outlives_the_wait_still_finds(placed: Placed, overflow: Path) -> None:
    """A thread may have got it just before."""
    importer = pkgutil.get_importer(f"{overflow}/0-one")
    importlib.import_module("lzone")
    sys.path_importer_cache[f"{overflow}/0-one"] = importer
    assert importlib.import_module("lzmod").y == 2


def test_link_in_the_way_is_not_followed(placed: Placed, tmp_path: Path, overflow: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    overflow.symlink_to(elsewhere)
    importlib.import_module("lzone")
    assert not overflow.is_symlink()
    assert list(elsewhere.iterdir()) == []


class TestMetadata:
    def test_is_read_from_the_bundle(self, placed: Placed) -> None:
        assert metadata.version("LZ-one") == "1.0"
        names = [one.metadata["Name"] for one in metadata.distributions()]
        assert names.count("lz.one") == 1
        files = metadata.files("lz.one") or []
        assert [(str(one), one.size, one.hash and one.hash.value) for one in files] == [
            ("lzone/__init__.py", 5, "abc"),
            ("lzone/a,b.txt", None, None),
            ("lz_one-1.0.dist-info/RECORD", None, None),
        ]
        with pytest.raises(metadata.PackageNotFoundError):
            metadata.version("lz")
        assert placed() == []

    def test_to_locate_a_file_puts_it_there(self, placed: Placed) -> None:
        (file,) = [one for one in metadata.files("lz.one") or () if one.suffix == ".txt"]
        assert file.read_text() == "data"
        assert placed() == ["0-one"]
        names = [one.metadata["Name"] for one in metadata.distributions()]
        assert names.count("lz.one") == 1

    def test_belongs_to_its_path(self, placed: Placed, overflow: Path) -> None:
        def found(*path: str) -> int:
            return len(list(metadata.distributions(name="lz.one", path=list(path))))

        assert (found(f"{overflow}/1-two"), found(f"{overflow}/0-one")) == (0, 1)

    def test_without_a_record_the_files_are_not_known(self, placed: Placed, tmp_path: Path) -> None:
        (tmp_path / INFO_FOLDER / "0-one/lz_one-1.0.dist-info/RECORD").unlink()
        assert metadata.files("lz.one") is None
        assert placed() == []


def test_a_group_of_another_build_is_not_taken_for_ours(placed: Placed, overflow: Path) -> None:
    write(overflow / "0-one", {"lzone/__init__.py": "x = 'old'", ready.MARKER: "0" * 64})
    assert importlib.import_module("lzone").x == 1
    assert (overflow / "0-one/lzmod.py").exists()
