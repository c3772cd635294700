"""Environment: what is added to what uv installed, and asked of it before it is used."""

from __future__ import annotations

from pathlib import Path

import pytest
from zlib_ng import zlib_ng

from overflow import environment as env
from overflow.elf import SharedObject
from overflow.errors import InputFault
from overflow.measure import Measurement, measure
from overflow.tree import read_tree
from tests.unit.builders import distribution, install, target, write


def test_adapters_that_are_missing_are_added(tmp_path: Path) -> None:
    install(tmp_path, "Typing_Extensions", "4.0")
    added = env.add_adapters(tmp_path, ("mangum", "typing-extensions"))
    assert added == {"mangum"}
    found = measure(tmp_path).by_name["mangum"]
    assert found.recorded
    assert "mangum/__init__.py" in found.files
    assert env.add_adapters(tmp_path, ("mangum",)) == frozenset()


def test_site_packages() -> None:
    assert env.site_packages(Path("/e"), target("3.12")) == Path("/e/lib/python3.12/site-packages")


BUILT_HERE = "cp312-cp312-linux_x86_64"


def built(tmp_path: Path, tag: str, content: bytes) -> Measurement:
    write(tmp_path, {"a/_a.so": content})
    one = distribution("alpha", tags=[tag], files=["a/_a.so"])
    return Measurement(tree=read_tree(tmp_path, lambda *_: False), distributions=(one,))


REAL = Path(zlib_ng.__file__).read_bytes()


@pytest.mark.parametrize(
    ("tag", "content", "refused"),
    [
        (BUILT_HERE, REAL, False),
        (BUILT_HERE, b"no ELF", False),
        # e_machine is at byte 18: 183 is AArch64.
        (BUILT_HERE, REAL[:18] + b"\xb7\x00" + REAL[20:], True),
        ("cp312-cp312-manylinux_2_17_x86_64", REAL[:18] + b"\xb7\x00" + REAL[20:], False),
    ],
)
def test_shared_objects_built_here(tmp_path: Path, tag: str, content: bytes, refused: bool) -> None:
    measurement = built(tmp_path, tag, content)
    if not refused:
        env.check_loadable(measurement, target("3.12"))
        return
    with pytest.raises(InputFault) as raised:
        env.check_loadable(measurement, target("3.12"))
    assert raised.value.code == "built-for-another-machine"
    assert "a/_a.so is for aarch64, the function runs on x86_64" in raised.value.message


def test_shared_object_that_needs_a_newer_glibc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = SharedObject(machine="x86_64", glibc=(2, 36))
    monkeypatch.setattr(env, "_read_shared_object", lambda *_: newer)
    measurement = built(tmp_path, BUILT_HERE, REAL)
    with pytest.raises(InputFault, match=r"needs glibc 2\.36, python3\.12 has 2\.34"):
        env.check_loadable(measurement, target("3.12"))


def test_nothing_but_the_project_is_nothing_to_do(tmp_path: Path) -> None:
    install(tmp_path, "app")
    install(tmp_path, "mangum")
    write(tmp_path, {"stray.txt": "x"})
    with pytest.raises(InputFault) as raised:
        env.check_not_empty(measure(tmp_path), "app", ["mangum"])
    assert raised.value.code == "no-dependencies"
    env.check_not_empty(measure(tmp_path), "app", [])


def test_record_is_made_portable_and_uvs_cache_is_left_alone(tmp_path: Path) -> None:
    install(tmp_path, "alpha", record=["../../../bin/tool", "alpha/..data.txt"])
    record = tmp_path / "alpha-1.0.dist-info" / "RECORD"
    (tmp_path / "cache").hardlink_to(record)
    before = record.read_text()
    env.make_portable(tmp_path)
    assert record.read_text() == before.replace("../../../bin/tool,,\n", "")
    assert (tmp_path / "cache").read_text() == before
