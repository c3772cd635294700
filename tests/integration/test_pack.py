"""Strategy `pack`, with real uv and Python: what is carried, what is recorded, and real starts."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from overflow.bytecode import Compiler
from overflow.cache import Cache
from overflow.limits import MARGIN, MIB
from tests.integration.conftest import own_tmp
from tests.support.projects import ProjectFolder, make_project, make_source_package
from tests.support.pythons import target_python

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Built, Result
    from tests.support.index import LocalIndex
    from tests.support.lambda_api import LambdaRun

PACK = ("--strategy", "pack")
TIGHT = (*PACK, "--threshold-mb", "0.13", "--limit-mb", "0.1925")
"""Too little for all of the project's distributions, enough for them packed."""

IMPORTS = {"import": ["alpha", "beta"]}
INSTALLING = "Installing runtime dependencies..."
CACHED = "Using cached runtime dependencies"


def wide(folder: Path, *, text: str = "compressible " * 20_000) -> ProjectFolder:
    """alpha and beta from the index, and two private ones of which one is large."""
    make_source_package(folder / "big", "big", files={"big/__init__.py": "", "big/data.txt": text})
    small = {"little/__init__.py": "", "little/data.txt": text[:50_000]}
    make_source_package(folder / "little", "little", files=small)
    sources = '[tool.uv.sources]\nbig = {path = "../big"}\nlittle = {path = "../little"}'
    return make_project(folder / "project", "alpha", "big", "little", more=sources)


@pytest.fixture
def project(tmp_path: Path) -> ProjectFolder:
    return wide(tmp_path)


class TestBuild:
    def test_what_does_not_fit_is_carried_compressed(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        """Private ones too; nothing is installed at run time, so no uv is carried."""
        built = build(project, *TIGHT)
        report = built.report
        sizes = report["sizes"]
        assert report["outcome"] == "overflows"
        assert built.placements["big"] == "packed"
        assert "source" in built.reasons["big"]
        on_disk = {path: (built.bundle / path).stat().st_size for path in built.files()}
        assert sum(on_disk.values()) == sizes["bundle_bytes"] == report["artifact"]["bundle_bytes"]
        assert sizes["bundle_bytes"] <= 0.13 * MIB == 0.1925 * MIB - MARGIN
        archives = sum(size for path, size in on_disk.items() if "/packed/" in path)
        assert archives == sizes["packed_bytes"]
        compressed = {row["name"]: row["compressed_bytes"] for row in report["distributions"]}
        assert sum(compressed.values()) == archives
        bytecode = {path: size for path, size in on_disk.items() if path.endswith(".pyc")}
        assert sum(bytecode.values()) == sizes["bytecode_bytes"] > 0
        assert "_overflow/__pycache__/start.cpython-312.pyc" in bytecode
        assert "__pycache__/app.cpython-312.pyc" in bytecode
        assert not (built.bundle / "_uv").exists()

    def test_twice_the_same_and_as_planned(
        self,
        build: Callable[..., Built],
        overflow: Callable[..., Result],
        project: ProjectFolder,
        index: LocalIndex,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        first = build(project, *TIGHT)
        content = (first.folder / "function.zip").read_bytes()
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
        second = build(project, *TIGHT)
        assert (second.folder / "function.zip").read_bytes() == content
        report = second.report
        options = ["--public-index", index.url, "--python", "3.12", "--json"]
        planned = json.loads(overflow("plan", project.path, *TIGHT, *options).out)
        for key in ("sizes", "distributions", "outcome", "bound_by", "function"):
            assert planned[key] == report[key]

    def test_what_fits_is_vendored_with_its_bytecode(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        """The project's own is no worse off, imported at start-up or later."""
        project.write("views.py", "")
        built = build(project, *PACK)
        assert built.report["outcome"] == "fits"
        assert set(built.placements.values()) == {"vendored"}
        assert "_vendor/alpha/__pycache__/__init__.cpython-312.pyc" in built.files()
        assert "__pycache__/views.cpython-312.pyc" in built.files()

    def test_even_packed_it_can_be_too_large(
        self, build: Callable[..., Built], tmp_path: Path
    ) -> None:
        noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=400_000))
        limits = (*TIGHT, "--limit-mb", "0.2")
        built = build(wide(tmp_path, text=noise), *limits, exit_code=3)
        assert built.report["bound_by"].startswith("even packed it takes ")
        assert not (built.folder / "function.zip").exists()

    def test_nothing_is_packed_where_run_time_install_is_off(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        limits = ("--no-runtime-install", "--limit-mb", "0.2")
        built = build(project, *TIGHT, *limits, exit_code=3)
        assert built.report["bound_by"].endswith("and nothing may be packed")


SETS = """
class Sets:
    def one(self, key):
        return key in {"FIRST_OF_TWO", "SECOND_OF_TWO"}

    def other(self, key):
        if key not in {"ANOTHER_FIRST_OF_TWO", "ANOTHER_SECOND_OF_TWO"}:
            yield 1
        elif key in {"FIRST_OF_TWO", "SECOND_OF_TWO"}:
            yield 2
"""
"""Python 3.12 makes one constant of the sets that are alike, or two if their strings are new."""


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_bytecode_does_not_depend_on_the_order(version: str, tmp_path: Path) -> None:
    """Marshal writes which objects are shared, so what was compiled before could show."""
    names = ("json/decoder.py", "argparse.py", "enum.py", "ast.py", "dataclasses.py", "typing.py")
    python = target_python(version)
    library = python.parents[1] / f"lib/python{version}"
    sources = {f"/var/task/{name}": library / name for name in names}
    for name in ("sets.py", "tets.py", "zets.py"):  # two of them in one process of two
        sources[f"/var/task/{name}"] = tmp_path / name
        (tmp_path / name).write_text(SETS + f"{name[0]} = 1\n")
    results = []
    for number, order in enumerate((list(sources), list(sources)[::-1])):
        cache = Cache(folder=tmp_path / str(number))
        compiler = Compiler(python=python, environ=os.environ, cache=cache)
        for name in order:
            compiler.compile({name: sources[name]})
        results.append(compiler.compile({**sources, "/var/task/bad.py": library / "LICENSE.txt"}))
    together = Compiler(python=python, environ=os.environ, cache=Cache(folder=None))
    at_once = together.compile({name: sources[name] for name in reversed(sources)})
    assert results[0] == results[1] == at_once
    assert at_once.keys() == sources.keys(), "what does not compile is missing"


class TestRecord:
    def build_app(
        self, build: Callable[..., Built], project: ProjectFolder, app: str, *options: str
    ) -> Built:
        project.write("app.py", app + "\ndef handler(event, context): pass\n")
        return build(project, *TIGHT, *options)

    def test_it_can_be_left_out(
        self, build: Callable[..., Built], project: ProjectFolder, index: LocalIndex
    ) -> None:
        built = self.build_app(build, project, "import alpha")
        assert "Imported the handler" in built.err
        assert built.report["seconds"]["start"] > 0
        without = self.build_app(build, project, "import alpha", "--no-start-record")
        assert "start" not in without.report["seconds"]

    @pytest.mark.parametrize(
        ("app", "said"),
        [
            ("import alpha, not_there", "ModuleNotFoundError: No module named 'not_there'"),
            ("import alpha, os\nos.environ['TABLE']", "KeyError: 'TABLE'"),
            ("import sys\nsys.exit('no')", "SystemExit: no"),
            ("import os\nos._exit(7)", "it ended with 7"),
            ("import socket\nsocket.create_connection(('127.0.0.1', 9))", "there is no network"),
            ("import os\nopen(__file__ + '.new', 'w')", "Read-only file system"),
            ("import alpha\nopen(alpha.__file__, 'a')", "Read-only file system"),
        ],
    )
    def test_an_app_that_cannot_be_imported_is_built_with_a_note(
        self, build: Callable[..., Built], project: ProjectFolder, app: str, said: str
    ) -> None:
        built = self.build_app(build, project, app, "--no-verify")
        (note,) = [one for one in built.report["notes"] if "import" in one]
        assert said in note
        assert (built.folder / "function.zip").exists()

    def test_it_sees_no_secret_and_leaves_nothing(
        self, build: Callable[..., Built], project: ProjectFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("UV_INDEX_X_PASSWORD", "hush")
        monkeypatch.setenv("GITHUB_TOKEN", "hush")
        seen = "import os\nassert 'hush' not in str(dict(os.environ)), 'seen'\n"
        seen += "open(os.path.expanduser('~/x'), 'w').close()\n"
        before = sorted(project.path.rglob("*"))
        built = self.build_app(build, project, seen, "--no-verify")
        assert [one for one in built.report["notes"] if "import" in one] == []
        assert sorted(path for path in project.path.rglob("*") if path.name != "uv.lock") == before

    def test_for_another_machine_it_is_not_known(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        built = build(project, *TIGHT, "--architecture", "arm64")
        assert any("cannot run what is for aarch64" in one for one in built.report["notes"])


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.13"])
def test_other_pythons_record_compile_and_unpack(
    overflow: Callable[..., Result],
    offline: None,
    index: LocalIndex,
    project: ProjectFolder,
    tmp_path: Path,
    version: str,
) -> None:
    python, output = target_python(version), tmp_path / "output"
    options = ("--public-index", index.url, "--python", version, "--output", output)
    result = overflow("build", project.path, *TIGHT, *options)
    assert result.exit_code == 0, result.err
    assert "could not be imported" not in result.err
    own_tmp(output / "bundle", tmp_path)
    assert list(
        output.glob(f"bundle/_overflow/__pycache__/*.cpython-{version.replace('.', '')}.pyc")
    )
    asked = f"overflow_trampoline.handler({IMPORTS!r}, None)"
    done = subprocess.run(
        [python, "-X", "importtime", "-c", f"import overflow_trampoline; print({asked})"],
        cwd=output / "bundle",
        env={"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert INSTALLING in done.stdout
    assert "alpha" in done.stdout.splitlines()[-1]
    assert " subprocess" not in done.stderr, "it is for uv alone"


@pytest.mark.pypi
class TestStart:
    def test_cold_and_warm(
        self,
        start: Callable[..., LambdaRun],
        build: Callable[..., Built],
        project: ProjectFolder,
        tmp_path: Path,
    ) -> None:
        bundle = build(project, *TIGHT).bundle
        everything = {"import": ["alpha", "beta", "big", "little"]}
        nowhere = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/", "HTTPS_PROXY": "http://127.0.0.1:9"}
        cold = start(bundle, [everything], **nowhere)
        assert cold.init_error is None, cold.log
        first, second = cold.log.splitlines()[:2]
        assert first == INSTALLING
        assert second.startswith("Runtime dependencies installed in ")
        folder = tmp_path / "_vc_deps_overflow"
        assert cold.responses[0]["big"].startswith(f"{folder}/")
        warm = start(bundle, [everything], **nowhere)
        assert warm.log.splitlines() == [CACHED]
        assert warm.responses == cold.responses

    def test_killed_half_way_it_goes_on_with_what_is_missing(
        self, build: Callable[..., Built], project: ProjectFolder, python: Path, tmp_path: Path
    ) -> None:
        """One group is whole and another, read from a pipe that nobody fills, is under way."""
        bundle = build(project, *TIGHT).bundle
        own_tmp(bundle, tmp_path)
        groups = json.loads((bundle / "_overflow/manifest.json").read_text("utf-8"))["groups"]
        largest, *_, smallest = sorted(groups, key=lambda one: -one["size"])
        archive = bundle / "_overflow/packed" / smallest["name"]
        aside = archive.rename(tmp_path / "aside")
        os.mkfifo(archive)
        folder = tmp_path / "_vc_deps_overflow"
        command = [str(python), "-c", "import overflow_trampoline"]
        with subprocess.Popen(command, cwd=bundle, start_new_session=True) as child:
            deadline = time.monotonic() + 30
            while not (folder / largest["name"]).exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.05)
            os.killpg(child.pid, signal.SIGKILL)
        assert not (folder / ".installed").exists()
        assert not (folder / smallest["name"]).exists()
        before = (folder / largest["name"]).stat().st_ino
        archive.unlink()
        aside.rename(archive)
        subprocess.run(command, cwd=bundle, check=True)
        assert (folder / largest["name"]).stat().st_ino == before
        assert (folder / smallest["name"] / ".installed").exists()
        assert (folder / ".installed").exists()
        assert not (tmp_path / "_vc_deps_overflow.work").exists()
