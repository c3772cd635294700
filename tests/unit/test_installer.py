"""Installer and generated files: what a bundle carries beside project and distributions."""

from __future__ import annotations

import ast
import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from overflow.classify import PYPI
from overflow.generated import FETCHING, Generated, fetching_size, generate
from overflow.installer import ARM64, ARM64_MUSL, UV_VERSION, X86_64, Installer, installer_for
from overflow.resources import adapter_files, runtime_files, templates_folder
from overflow.runtime.manifest import Group, Wheel, from_json
from tests.unit.builders import HASH, distribution, handler, public, target

if TYPE_CHECKING:
    from overflow.handler import Handler

ROOT = Path(__file__).parents[2]
EXTRA = "https://wheels.example.com/simple"


@pytest.mark.parametrize(
    ("python", "architecture", "installer"),
    [
        ("3.11", "x86_64", X86_64),
        ("3.14", "x86_64", X86_64),
        ("3.11", "arm64", ARM64_MUSL),
        ("3.12", "arm64", ARM64),
    ],
)
def test_installer_starts_in_the_runtime(
    python: str, architecture: str, installer: Installer
) -> None:
    assert installer_for(target(python, architecture)) is installer


def test_pins_are_whole_and_all_different() -> None:
    pins = [one for each in (X86_64, ARM64, ARM64_MUSL)
            for one in (each.wheel_sha256, each.binary_sha256)]  # fmt: skip
    assert len(set(pins)) == 6
    assert all(re.fullmatch("[0-9a-f]{64}", pin) for pin in pins)
    assert version("uv") == UV_VERSION


def generated(*names: str, extra: str = PYPI, one: Handler | None = None) -> Generated:
    members = [distribution(name, size=10) for name in names]
    verdicts = {name: public(index=extra) for name in names}
    return generate(target=target(), handler=one or handler(), deferred=members, verdicts=verdicts)


def test_nothing_deferred() -> None:
    found = generated()
    assert found.installer is None
    assert not [path for path in found.files if path.startswith("_uv/")]
    manifest = from_json(found.files["_overflow/manifest.json"].decode())
    assert (manifest.python, manifest.handler, manifest.deferred) == ("3.12", "app:handler", None)
    assert found.size == sum(map(len, found.files.values()))


def test_deferred() -> None:
    found = generated("beta", "alpha")
    assert found.installer is X86_64
    requirements = found.files["_uv/_runtime_requirements.txt"].decode()
    assert requirements.startswith("alpha==1.0 ")
    manifest = from_json(found.files["_overflow/manifest.json"].decode())
    assert manifest.deferred is not None
    assert manifest.deferred.size == 20
    assert manifest.deferred.indexes == ()
    assert found.size == sum(map(len, found.files.values())) + X86_64.size


def test_other_public_index_is_in_the_manifest() -> None:
    found = generated("alpha", extra=EXTRA)
    manifest = from_json(found.files["_overflow/manifest.json"].decode())
    assert manifest.deferred is not None
    assert manifest.deferred.indexes == (EXTRA,)


def test_build_is_named_after_what_is_installed() -> None:
    def build(*names: str) -> str:
        return from_json(generated(*names).files["_overflow/manifest.json"].decode()).build

    assert build("alpha") == build("alpha")
    assert len({build(), build("alpha"), build("beta"), build("alpha", "beta")}) == 4


def test_build_is_another_for_another_target_or_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(python: str = "3.12", architecture: str = "x86_64") -> str:
        found = generate(
            target=target(python, architecture), handler=handler(), deferred=[], verdicts={}
        )
        return from_json(found.files["_overflow/manifest.json"].decode()).build

    builds = {build(), build("3.11"), build(architecture="arm64")}
    monkeypatch.setattr("overflow.generated.UV_VERSION", "99")
    assert len(builds | {build()}) == 4


def test_runtime_package_is_carried_as_it_is() -> None:
    """What fetches is only carried where something is fetched, and counted so."""
    sources = {
        f"_overflow/{path.name}": path.read_bytes()
        for path in (ROOT / "overflow" / "runtime").glob("*.py")
    }
    wheel = Wheel(url="https://files.example/a.whl", sha256=HASH, size=1)
    packed = Group(name="0-a", size=1, sha256=HASH)
    of = {
        group: generate(
            target=target(), handler=handler(), deferred=(), verdicts={}, groups=(group,)
        )
        for group in (packed, packed._replace(wheels=(wheel,)))
    }
    less, more = of.values()
    assert sources.items() <= more.files.items()
    assert {name for name in sources if name not in less.files} == {
        f"_overflow/{name}" for name in FETCHING
    }
    manifests = [len(one.files["_overflow/manifest.json"]) for one in (less, more)]
    assert more.size - less.size == fetching_size() + manifests[1] - manifests[0]
    assert {f"_overflow/{name}" for name in runtime_files()} == sources.keys()


@pytest.mark.parametrize("name", ["app:handler", "src.app:make.app", "ünïcode:naïve"])
def test_trampoline_is_python_and_names_the_handler(name: str) -> None:
    source = generated(one=handler(name)).files["overflow_trampoline.py"].decode()
    assert name in (ast.get_docstring(ast.parse(source)) or "")
    assert "$" not in source
    assert source.endswith("\n")


def test_trampoline_is_python_before_rendering() -> None:
    ast.parse((templates_folder() / "trampoline.py").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["mangum", "apig-wsgi", "typing-extensions"])
def test_adapters_are_whole_and_the_same_on_every_machine(name: str) -> None:
    found = adapter_files(name)
    assert all(".." not in path and not path.endswith(".pyc") for path in found)
    (record,) = (text for path, text in found.items() if path.endswith(".dist-info/RECORD"))
    listed = {line.split(",")[0] for line in record.decode().splitlines()}
    assert listed == set(found)
    assert not [path for path in found if path.endswith(("/INSTALLER", "/REQUESTED"))]
    assert any(path.endswith(".dist-info/METADATA") for path in found)
