"""Measurement: each file of site-packages once, with the owner that RECORD gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from overflow.measure import UNOWNED, Distribution, measure
from tests.unit.builders import install, write

if TYPE_CHECKING:
    from pathlib import Path


def names(root: Path) -> list[str]:
    return [one.name for one in measure(root).distributions]


def one(root: Path, name: str) -> Distribution:
    return measure(root).by_name[name]


def on_disk(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def test_distribution_as_installed(tmp_path: Path) -> None:
    install(
        tmp_path,
        "Zope.Alpha",
        "1.0.0-rc1",
        files={"alpha/__init__.py": "x" * 10, "alpha/data.bin": "y" * 90},
        tags=["cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-manylinux2014_x86_64"],
    )
    (found,) = measure(tmp_path).distributions
    info = "Zope.Alpha-1.0.0-rc1.dist-info"
    assert found == Distribution(
        name="zope-alpha",
        version="1.0.0rc1",
        files=(
            f"{info}/METADATA",
            f"{info}/RECORD",
            f"{info}/WHEEL",
            "alpha/__init__.py",
            "alpha/data.bin",
        ),
        size=on_disk(tmp_path),
        import_packages=frozenset({"alpha"}),
        tags=("cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-manylinux2014_x86_64"),
        recorded=True,
    )


def test_sum_is_what_is_on_disk(tmp_path: Path) -> None:
    install(tmp_path, "alpha", files={"alpha.py": "1" * 50})
    install(tmp_path, "beta", files={"beta/__init__.py": "2" * 70})
    write(tmp_path, {"stray.txt": "3" * 5})
    found = measure(tmp_path)
    assert found.size == on_disk(tmp_path)
    files = [path for distribution in found.distributions for path in distribution.files]
    assert len(files) == len(set(files))


def test_scripts_outside_site_packages_are_not_counted(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.12" / "site-packages"
    write(tmp_path, {"bin/tool": "#!" * 500, "etc/passwd": "root"})
    install(site, "alpha", record=["../../../bin/tool", "/etc/passwd", "x/../../../../etc/passwd"])
    assert one(site, "alpha").size == on_disk(site)


def test_way_through_the_parent_that_ends_inside(tmp_path: Path) -> None:
    write(tmp_path, {"alpha.py": "x"})
    install(tmp_path, "alpha", record=["alpha/../alpha.py"])
    assert "alpha.py" in one(tmp_path, "alpha").files
    assert names(tmp_path) == ["alpha"]


def test_recorded_file_that_is_not_there_is_not_counted(tmp_path: Path) -> None:
    install(tmp_path, "alpha", record=["gone.py"])
    assert "gone.py" not in one(tmp_path, "alpha").files
    assert one(tmp_path, "alpha").size == on_disk(tmp_path)


def test_file_with_two_owners_counts_once_and_ties_both(tmp_path: Path) -> None:
    install(tmp_path, "alpha", files={"shared/__init__.py": "x" * 9, "shared/a.py": "a"})
    install(tmp_path, "beta", files={"shared/__init__.py": "x" * 9})
    alpha, beta = one(tmp_path, "alpha"), one(tmp_path, "beta")
    assert "shared/__init__.py" in alpha.files
    assert "shared/__init__.py" not in beta.files
    assert alpha.size + beta.size == on_disk(tmp_path)
    assert alpha.import_packages == beta.import_packages == frozenset({"shared"})


def test_without_record_only_metadata_is_known(tmp_path: Path) -> None:
    install(tmp_path, "alpha", files={"alpha.py": "x"})
    (tmp_path / "alpha-1.0.dist-info" / "RECORD").unlink()
    found = measure(tmp_path)
    alpha = found.by_name["alpha"]
    assert not alpha.recorded
    assert alpha.files == ("alpha-1.0.dist-info/METADATA",)
    assert "alpha.py" in found.by_name[UNOWNED].files
    assert found.size == on_disk(tmp_path)


def test_files_of_nobody_come_last_under_their_own_name(tmp_path: Path) -> None:
    install(tmp_path, "zulu")
    write(tmp_path, {"stray/__init__.py": "12345", "old.egg-info/PKG-INFO": "Name: old\n"})
    found = measure(tmp_path).distributions
    assert [distribution.name for distribution in found] == ["zulu", UNOWNED]
    assert found[-1].files == ("old.egg-info/PKG-INFO", "stray/__init__.py")
    assert found[-1].import_packages == frozenset({"stray"})
    assert not found[-1].recorded


def test_bytecode_and_what_uv_adds_are_left_out(tmp_path: Path) -> None:
    install(
        tmp_path,
        "alpha",
        files={"alpha.py": "x", "legacy.pyc": "p", "__pycache__/alpha.cpython-312.pyc": "p"},
    )
    write(tmp_path, {"_virtualenv.py": "v", "_virtualenv.pth": "v"})
    assert names(tmp_path) == ["alpha"]
    assert [path for path in one(tmp_path, "alpha").files if "alpha.py" in path] == ["alpha.py"]


@pytest.mark.parametrize("metadata", ["", "Name:\n", "Version: 1\n", "\x00\x01", "Name : x\n"])
def test_metadata_without_a_name_owns_nothing(tmp_path: Path, metadata: str) -> None:
    install(tmp_path, "alpha", files={"alpha.py": "x"})
    write(tmp_path, {"alpha-1.0.dist-info/METADATA": metadata})
    assert names(tmp_path) == [UNOWNED]
    assert measure(tmp_path).size == on_disk(tmp_path)


def test_version_that_is_none_stays_as_it_is(tmp_path: Path) -> None:
    install(tmp_path, "alpha", "not a version")
    assert one(tmp_path, "alpha").version == "not a version"


def test_dist_info_below_a_folder_is_data(tmp_path: Path) -> None:
    install(tmp_path / "vendored", "inner", files={"inner.py": "x"})
    assert names(tmp_path) == [UNOWNED]


def test_record_quotes_names_with_commas(tmp_path: Path) -> None:
    write(tmp_path, {"a,b.txt": "x"})
    install(tmp_path, "alpha", record=['"a,b.txt"'])
    assert "a,b.txt" in one(tmp_path, "alpha").files


@pytest.mark.parametrize("row", ["\x00", '"' + "x" * 200_000, '"', ",,,", "\u2028", "\x0c"])
def test_damaged_record_is_no_crash(tmp_path: Path, row: str) -> None:
    install(tmp_path, "alpha", files={"alpha.py": "x"}, record=[row])
    assert measure(tmp_path).size == on_disk(tmp_path)


def test_record_with_a_line_separator_in_a_name(tmp_path: Path) -> None:
    write(tmp_path, {"a\u2028b.txt": "x"})
    install(tmp_path, "alpha", record=["a\u2028b.txt"])
    assert names(tmp_path) == ["alpha"]


def test_only_folders_with_init_are_import_packages(tmp_path: Path) -> None:
    files = ["ns/sub/__init__.py", "ns/sub/deep/data.txt", "flat/x.py", "top.py"]
    install(tmp_path, "alpha", files=dict.fromkeys(files, "x"))
    assert one(tmp_path, "alpha").import_packages == frozenset({"ns/sub"})


def test_files_in_the_package_of_another_are_seen(tmp_path: Path) -> None:
    install(tmp_path, "alpha", files={"pkg/__init__.py": "x"})
    install(tmp_path, "beta", files={"pkg/plugins/beta.py": "x"})
    assert one(tmp_path, "beta").import_packages == frozenset({"pkg"})


def test_empty_folder(tmp_path: Path) -> None:
    found = measure(tmp_path)
    assert (found.distributions, found.size) == ((), 0)
