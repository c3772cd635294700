"""The container image: what it is made from, and what it can do and holds, on a real engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from overflow.limits import RUNTIMES
from overflow.uv import Uv
from tests.e2e.conftest import SECRET
from tests.support.docker import PYTHON, REPOSITORY, docker

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "12345:12345"
"""Nobody that /etc/passwd knows, as a runner's user is."""


UNWANTED = re.compile(
    r"/(\.netrc|\.pypirc|\.git|\.git-credentials|\.docker|\.ssh|pip\.conf|uv\.toml|id_\w+)(/|$)"
    r"|/(overflow/__init__\.py|uv\.lock|trampoline\.py[.\w]*)$"
)
"""Files that hold credentials, and overflow's own."""

needs_network = pytest.mark.pypi


def in_container(image: str, *arguments: str, options: tuple[str, ...] = ()) -> str:
    """What a container prints that has no more rights than the action gives it."""
    rights = ["--user", USER, "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    files = ["--read-only", "--tmpfs", "/tmp:exec,mode=1777", "--env", "HOME=/tmp"]
    return docker("run", "--rm", *rights, *files, *options, image, *arguments).stdout


def shell(image: str, script: str) -> str:
    return in_container(image, "-euc", script, options=("--entrypoint", "/bin/sh"))


def test_requirements_are_what_uv_exports() -> None:
    export = ["export", "--frozen", "--no-dev", "--no-emit-project", "--no-header", "--quiet"]
    command = [Uv.bundled(os.environ).binary, *export, "--directory", str(REPOSITORY)]
    exported = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert (REPOSITORY / "requirements.txt").read_text("utf-8") == exported


def test_image_has_the_pythons_of_lambda() -> None:
    default = re.search(r'^ARG PYTHONS="(.*)"$', dockerfile(), re.MULTILINE)

    assert default is not None
    assert default[1].split() == [f"{major}.{minor}" for major, minor in RUNTIMES]


def test_default_base_is_pinned_by_digest() -> None:
    base = r"^ARG BASE=debian:bookworm-slim@sha256:[0-9a-f]{64}$"
    assert re.search(base, dockerfile(), re.MULTILINE)


def test_hadolint_has_nothing_to_say() -> None:
    command = [Path(sys.executable).parent / "hadolint", REPOSITORY / "Dockerfile"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "")


def dockerfile() -> str:
    return (REPOSITORY / "Dockerfile").read_text("utf-8")


@needs_network
def test_overflow_has_its_distributions_and_a_user_without_a_name_may_use_them(image: str) -> None:
    probe = (
        "import importlib.metadata as m, json, os, sys;"
        " found = {d.name.lower().replace('_', '-'): d.version for d in m.distributions()};"
        " top = [n for n in m.packages_distributions() if n.isidentifier()];"
        " [__import__(n) for n in top];"
        " print(json.dumps([os.getuid(), sys.flags.isolated, found, 'uv' in top]))"
    )
    answer: list[Any] = json.loads(in_container(image, "-c", probe))

    pinned = re.findall(r"^([a-z0-9-]+)==(\S+)", requirements(), re.MULTILINE)
    assert len(pinned) > 10
    assert answer == [12345, 1, dict(pinned), True]


def requirements() -> str:
    return (REPOSITORY / "requirements.txt").read_text("utf-8")


@needs_network
def test_uv_finds_the_target_python_where_the_image_keeps_it(image: str) -> None:
    found = shell(image, f"/opt/overflow/venv/bin/uv python find cpython@{PYTHON}").strip()

    assert found.startswith(f"/opt/python/cpython-{PYTHON}.")
    modules = "import bz2, ctypes, lzma, sqlite3, ssl, sys; print(sys.version_info[:2])"
    assert shell(image, f'{found} -I -c "{modules}"') == f"({PYTHON.replace('.', ', ')})\n"


@needs_network
@pytest.mark.parametrize("version", [PYTHON, "3.11"])
def test_extensions_compile_for_a_managed_python_and_for_debians(image: str, version: str) -> None:
    built = shell(
        image,
        f"python=$(/opt/overflow/venv/bin/uv python find --system cpython@{version}); cd /tmp;"
        " include=$($python -c 'import sysconfig; print(sysconfig.get_path(\"include\"))');"
        ' printf \'#include <Python.h>\\nstatic PyModuleDef d = {.m_name = "own"};\\n'
        "PyMODINIT_FUNC PyInit_own(void) { return PyModule_Create(&d); }\\n' > own.c;"
        ' cc -shared -fPIC -I "$include" own.c -o own.so;'
        " $python -c 'import own, sys; print(own.__name__, sys.version_info[1])'",
    )
    assert built == f"own {version.removeprefix('3.')}\n"


@needs_network
def test_source_builds_have_their_tools(image: str) -> None:
    tools = shell(image, "git --version; c++ --version; make --version; pkg-config --version")

    assert tools.startswith("git version 2.")


@needs_network
def test_code_comes_by_a_mount(image: str, tmp_path: Path) -> None:
    script = tmp_path / "entrypoint.py"
    script.write_text("import sys; print(sys.argv[1:], 'overflow' in sys.modules)")
    tmp_path.chmod(0o755)
    mount = ("--volume", f"{tmp_path}:{tmp_path}:ro")

    assert in_container(image, str(script), "build", options=mount) == "['build'] False\n"
    missing = "import importlib.util as u; print(u.find_spec('overflow'))"
    assert in_container(image, "-c", missing) == "None\n"


@needs_network
def test_nothing_secret_and_nothing_of_ours_is_in_a_layer(image: str, tmp_path: Path) -> None:
    config = json.loads(docker("image", "inspect", image).stdout)[0]["Config"]
    assert {line.split("=")[0] for line in config["Env"]} == {"PATH", "UV_PYTHON_INSTALL_DIR"}
    assert config["User"] == "65534:65534"
    saved = tmp_path / "image.tar"
    docker("save", "--output", str(saved), image)

    found = [(name, SECRET.encode() in content) for name, content in contents_of(saved)]
    saved.unlink()

    names = {name for name, _ in found}
    assert [name for name, leaks in found if leaks] == []
    assert any(name.endswith("/site-packages/rich/__init__.py") for name in names)
    assert [name for name in names if UNWANTED.search(name)] == []


def contents_of(saved: Path) -> Iterator[tuple[str, bytes]]:
    """Each file of each layer, also those that a later layer removes; and what describes them."""
    with tarfile.open(saved) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        layers = json.loads(manifest.read())[0]["Layers"]
        for member in archive:
            content = archive.extractfile(member)
            if content is None:
                continue
            if member.name not in layers:
                yield member.name, content.read()
                continue
            with tarfile.open(fileobj=content, mode="r|*") as layer:
                for entry in layer:
                    file = layer.extractfile(entry) if entry.isreg() else None
                    yield "/" + entry.name, file.read() if file else b""


@needs_network
def test_build_context_is_the_requirements_alone(image: str, tmp_path: Path) -> None:
    everything = tmp_path / "Dockerfile"
    everything.write_text(f"FROM {image}\nCOPY . /context\n")
    docker("build", "--tag", f"{image}-context", "--file", str(everything), str(REPOSITORY))

    listed = shell(f"{image}-context", "find /context -type f")
    docker("image", "rm", f"{image}-context")

    assert listed == "/context/requirements.txt\n"
