"""Fixtures: a package index on loopback, uv that knows no other, and the command itself."""

from __future__ import annotations

import json
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from overflow import launch
from overflow.cli import main
from overflow.uv import Uv
from tests.support.github_api import GitHubApi
from tests.support.index import LocalIndex
from tests.support.lambda_api import LambdaRun, install_ric, run_bundle
from tests.support.projects import ProjectFolder, make_project
from tests.support.pythons import target_python
from tests.support.steps import PYTHON, TOKEN
from tests.support.wheels import make_sdist, make_wheel
from tests.support.workspace import REPOSITORY, Runner, commit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

VERSION = "3.12"
NOISE = {"noise/__init__.py": "", "noise/types.pyi": "x: int\n" * 500}


@pytest.fixture(scope="session")
def python() -> Path:
    """The Python that the bundles are for."""
    return target_python(VERSION)


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalIndex]:
    """A public index of small distributions."""
    folder = tmp_path_factory.mktemp("index")
    make_wheel(folder, "alpha", requires=["beta"], files={"alpha/__init__.py": "x = 1\n" * 5000})
    make_wheel(folder, "beta", files={"beta/__init__.py": "", "beta/data.txt": "b" * 9000})
    noise = random.Random(1).randbytes(400_000)
    make_wheel(folder, "noise", files={**NOISE, "noise/data.bin": noise})
    make_wheel(folder, "gamma", "1.0")
    make_wheel(folder, "scripted", entry_points="[console_scripts]\nscripted = scripted:main\n")
    make_wheel(folder, "gamma", "2.0")
    make_wheel(folder, "extra-one", extras={"more": ["sourced"]})
    make_sdist(folder, "sourced")
    make_wheel(folder, "legacy-public", files=legacy("public"))
    make_wheel(folder, "cp314-only", tag="cp314-cp314-manylinux_2_17_x86_64")
    make_wheel(folder, "newer-glibc", tag="cp312-cp312-manylinux_2_28_x86_64")
    make_wheel(folder, "arm-and-intel", tag="cp312-cp312-manylinux_2_17_x86_64")
    make_wheel(folder, "arm-and-intel", tag="cp312-cp312-manylinux_2_17_aarch64")
    with LocalIndex(folder) as server:
        yield server


def legacy(part: str) -> dict[str, str]:
    """A legacy namespace package: each distribution has the same `__init__`."""
    extend = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    return {"legacy/__init__.py": extend, f"legacy/{part}.py": f"name = {part!r}\n"}


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """uv's cache for the local index."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def offline(index: LocalIndex, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """uv sees the local index only, whatever this machine is set up with."""
    for name in os.environ:
        if name.startswith(("UV_", "OVERFLOW_", "VERCEL_", "MAXIMISE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
    monkeypatch.setenv("UV_CACHE_DIR", str(cache))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "of-ours"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield
    index.fail = False


@dataclass(frozen=True, kw_only=True)
class Result:
    """What the command printed, and how it ended."""

    exit_code: int
    out: str
    err: str


@pytest.fixture
def overflow(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs the command in this process; argparse's own exits become exit codes."""

    def run(*arguments: str | Path) -> Result:
        capsys.readouterr()
        try:
            exit_code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            exit_code = int(str(stop.code))
        printed = capsys.readouterr()
        return Result(exit_code=exit_code, out=printed.out, err=printed.err)

    return run


@dataclass(frozen=True, kw_only=True)
class Built:
    """A build's output."""

    folder: Path
    err: str

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"

    @property
    def report(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "report.json").read_text("utf-8"))
        return content

    @property
    def placements(self) -> dict[str, str]:
        return {row["name"]: row["placement"] for row in self.report["distributions"]}

    @property
    def reasons(self) -> dict[str, str]:
        return {row["name"]: row["reason"] for row in self.report["distributions"]}

    def files(self) -> set[str]:
        root = self.bundle
        return {p.relative_to(root).as_posix() for p in root.rglob("*") if not p.is_dir()}


@pytest.fixture
def build(
    overflow: Callable[..., Result], index: LocalIndex, offline: None, tmp_path: Path
) -> Callable[..., Built]:
    """Builds a project with the local index as a public one; fails the test where that fails."""

    def run(project: ProjectFolder, *options: str, exit_code: int = 0) -> Built:
        output = tmp_path / "output"
        common = ["--output", output, "--public-index", index.url, "--python", VERSION]
        result = overflow("build", project.path, *common, *options)
        assert result.exit_code == exit_code, result.err
        return Built(folder=output, err=result.err)

    return run


@pytest.fixture
def project(tmp_path: Path) -> ProjectFolder:
    """A project with two public distributions."""
    return make_project(tmp_path / "project", "alpha")


@pytest.fixture(scope="session")
def ric(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AWS's runtime client, from PyPI."""
    return install_ric(Path(Uv.bundled(os.environ).binary), python, tmp_path_factory.mktemp("ric"))


@pytest.fixture
def start(python: Path, ric: Path, index: LocalIndex, tmp_path: Path) -> Callable[..., LambdaRun]:
    """Starts a bundle under the real runtime client, with a /tmp folder of this test's own."""

    def run(bundle: Path, events: Sequence[Mapping[str, Any]], **environment: str) -> LambdaRun:
        own_tmp(bundle, tmp_path)
        settings = {"UV_DEFAULT_INDEX": index.url, "NO_PROXY": "127.0.0.1", **environment}
        return run_bundle(bundle, events, python=python, ric=ric, env=settings)

    return run


def own_tmp(bundle: Path, folder: Path) -> None:
    """Point a bundle's manifest at an overflow folder below `folder`: tests share no /tmp."""
    path = bundle / "_overflow" / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    wanted = str(folder / "_vc_deps_overflow")
    if manifest["overflow_folder"] != wanted:
        manifest["overflow_folder"] = wanted
        path.write_text(json.dumps(manifest), encoding="utf-8")


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with GitHubApi(repository=REPOSITORY, token=TOKEN) as server:
        yield server
        assert server.faults == []


@pytest.fixture
def job(
    tmp_path: Path,
    offline: None,
    index: LocalIndex,
    api: GitHubApi,
    monkeypatch: pytest.MonkeyPatch,
) -> Runner:
    """A job whose workspace has a project in services/api, built natively and by ourselves."""
    made = Runner.make(tmp_path)
    make_project(made.workspace / "services" / "api", "alpha")
    environ = made.environ(
        GITHUB_API_URL=api.url,
        OVERFLOW_PROJECT="services/api",
        OVERFLOW_PYTHON=PYTHON,
        OVERFLOW_PUBLIC_INDEX=index.url,
        OVERFLOW_MODE="native",
        OVERFLOW_TOKEN=TOKEN,
        GITHUB_TOKEN=TOKEN,
        ACTIONS_RUNTIME_TOKEN=TOKEN,
    )
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(launch, "tools_python", lambda *_: Path(sys.executable))
    return made


@pytest.fixture
def log(capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What was printed since it was last asked for, by us and by what we started."""
    return lambda: capfd.readouterr().out


@pytest.fixture
def pull_request(job: Runner) -> str:
    """It runs for a pull request that adds beta's dependent; gives the base's commit."""
    project = make_project(job.workspace / "services" / "api", "beta")
    first = commit(job.workspace)
    make_project(project.path, "alpha")
    job.pull_request(first, commit(job.workspace))
    return first
