"""Bundle: the plan, file by file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from overflow.bundle import Bundle, write_bundle
from overflow.bytecode import Compiled
from overflow.crate import Crate, Item, write_crate
from overflow.decision import Decision
from overflow.files import read_project_files
from overflow.generated import Generated
from overflow.installer import X86_64
from overflow.measure import measure
from overflow.plan import Outcome, Strategy, decide
from tests.unit.builders import NO_CACHE, install, limits, private, public, write


def written(
    tmp_path: Path,
    *,
    overflows: bool = True,
    record: tuple[str, ...] = (),
    crates: tuple[Crate, ...] = (),
    bytecode: Mapping[str, Compiled] = MappingProxyType({}),
) -> Bundle:
    """app.py, public alpha, private beta; alpha is deferred where the threshold is zero."""
    write(tmp_path / "project", {"app.py": "app", "bin/run.sh": "#!", ".env": "secret"})
    (tmp_path / "project/bin/run.sh").chmod(0o755)
    install(tmp_path / "site", "alpha", files={"alpha.py": "a" * 100})
    install(tmp_path / "site", "beta", files={"beta/__init__.py": "b"}, record=record)
    write(tmp_path, {"uv": "uv!"})
    project = read_project_files(tmp_path / "project", exclude=(), include=()).tree
    measurement = measure(tmp_path / "site")
    plan = decide(
        measurement.distributions,
        verdicts={"alpha": public(), "beta": private()},
        groups=[frozenset({"alpha"}), frozenset({"beta"})],
        project_size=project.size,
        support_of=lambda _: 0,
        strategy=Strategy.DEFER,
        limits=limits(0 if overflows else 240),
        runtime_install=True,
    )
    generated = Generated(files={"_overflow/start.py": b"start"}, installer=replace(X86_64, size=3))
    assert plan.outcome is (Outcome.OVERFLOWS if overflows else Outcome.FITS)
    return write_bundle(
        tmp_path / "bundle",
        project=project,
        measurement=measurement,
        decision=Decision(plan=plan, generated=generated, crates=crates, bytecode=bytecode),
        installer=tmp_path / "uv" if overflows else None,
    )


if TYPE_CHECKING:
    from collections.abc import Mapping

BETA = [f"_vendor/beta-1.0.dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL")]
PROJECT = ["app.py", "bin/run.sh"]


def test_deferred_ones_are_not_in_it(tmp_path: Path) -> None:
    bundle = written(tmp_path)
    assert sorted(bundle.sizes) == sorted(
        ["_overflow/start.py", "_uv/uv", *BETA, "_vendor/beta/__init__.py", *PROJECT]
    )


def test_all_are_in_it_where_they_fit(tmp_path: Path) -> None:
    bundle = written(tmp_path, overflows=False)
    assert "_vendor/alpha.py" in bundle.sizes
    assert "_uv/uv" not in bundle.sizes


def test_sizes_are_those_on_disk(tmp_path: Path) -> None:
    bundle = written(tmp_path)
    on_disk = {
        str(path.relative_to(bundle.root)): path.stat().st_size
        for path in bundle.root.rglob("*")
        if path.is_file()
    }
    assert bundle.sizes == on_disk
    assert bundle.size == sum(on_disk.values())


def test_project_files_are_copies_and_distributions_are_moved(tmp_path: Path) -> None:
    bundle = written(tmp_path)
    assert (tmp_path / "project/app.py").read_text() == (bundle.root / "app.py").read_text()
    assert (bundle.root / "_vendor/beta/__init__.py").read_text() == "b"
    assert not (tmp_path / "site/beta/__init__.py").exists()
    assert (tmp_path / "site/alpha.py").exists()


@pytest.mark.parametrize("stray", ["bytecode", "link"])
def test_what_is_in_no_plan_is_not_carried_along(tmp_path: Path, stray: str) -> None:
    """Although a folder may be moved whole."""
    if stray == "bytecode":
        write(tmp_path / "site", {"beta/__pycache__/x.pyc": "x"})
    else:
        (tmp_path / "site/beta").mkdir(parents=True)
        (tmp_path / "site/beta/out").symlink_to("/etc/hostname")
    bundle = written(tmp_path)
    on_disk = [path for path in (bundle.root / "_vendor/beta").rglob("*") if not path.is_dir()]
    assert on_disk == [bundle.root / "_vendor/beta/__init__.py"]


def test_members_are_sorted_and_know_what_is_executable(tmp_path: Path) -> None:
    members = written(tmp_path).members()
    assert [member.name for member in members] == sorted(member.name for member in members)
    assert [member.name for member in members if member.executable] == ["_uv/uv", "bin/run.sh"]
    assert all(Path(member.path).is_file() for member in members)


def test_link_in_site_packages_becomes_a_file(tmp_path: Path) -> None:
    """Its target may be deferred, and the folder it points into does not outlive the build."""
    (tmp_path / "site" / "beta").mkdir(parents=True)
    (tmp_path / "site" / "beta" / "link.py").symlink_to("../alpha.py")
    bundle = written(tmp_path, record=("beta/link.py",))
    found = bundle.root / "_vendor/beta/link.py"
    assert not found.is_symlink()
    assert found.read_text() == "a" * 100


def test_crates_and_bytecode_are_in_it_and_crates_are_not_compressed_again(tmp_path: Path) -> None:
    write(tmp_path, {"content": "c" * 5000})
    item = Item(path="alpha.py", source=str(tmp_path / "content"), size=5000, executable=False)
    crate = write_crate(tmp_path / "0-alpha", {"alpha": [item]}, NO_CACHE)
    place = "_vendor/beta/__pycache__/__init__.cpython-312.pyc"
    compiled = Compiled(content=b"bytecode")
    bundle = written(tmp_path, crates=(crate,), bytecode={place: compiled})
    assert bundle.sizes["_overflow/packed/0-alpha"] == crate.size
    assert (bundle.root / place).read_text() == "bytecode"
    stored = [member.name for member in bundle.members() if member.stored]
    assert stored == ["_overflow/packed/0-alpha"]
