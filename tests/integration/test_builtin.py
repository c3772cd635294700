"""Strategy `defer` with the builtin installer: no uv in the bundle, and real starts."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import own_tmp
from tests.integration.test_start import CACHED, IMPORTS, INSTALLED, INSTALLING, lines
from tests.support.projects import make_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Built
    from tests.support.index import LocalIndex
    from tests.support.lambda_api import LambdaRun
    from tests.support.projects import ProjectFolder

BUILTIN = ("--threshold-mb", "0.01", "--strategy", "defer", "--installer", "builtin")


def groups(bundle: Path) -> list[dict[str, Any]]:
    content = json.loads((bundle / "_overflow/manifest.json").read_text("utf-8"))
    found: list[dict[str, Any]] = content["groups"]
    return found


class TestBuild:
    def test_no_uv_and_the_wheels_by_url(
        self, build: Callable[..., Built], project: ProjectFolder, index: LocalIndex
    ) -> None:
        built = build(project, *BUILTIN)
        report = built.report
        assert built.placements == {"alpha": "deferred", "beta": "deferred"}
        assert report["function"]["installer"] == "builtin"
        assert not (built.bundle / "_uv").exists()
        on_disk = sum((built.bundle / path).stat().st_size for path in built.files())
        assert on_disk == report["sizes"]["bundle_bytes"]
        sizes = {row["name"]: row["bytes"] for row in report["distributions"]}
        (alpha, beta), files = groups(built.bundle), index.url.removesuffix("simple") + "files/"
        assert (alpha["name"], beta["name"]) == ("0-alpha", "1-beta")
        assert (alpha["size"], beta["size"]) == (sizes["alpha"], sizes["beta"])
        (wheel,) = alpha["wheels"]
        assert wheel["url"] == f"{files}alpha-1.0-py3-none-any.whl"
        assert wheel["size"] == (index.folder / "alpha-1.0-py3-none-any.whl").stat().st_size

    def test_uv_is_the_default(self, build: Callable[..., Built], project: ProjectFolder) -> None:
        built = build(project, *BUILTIN[:4])
        assert built.report["function"]["installer"] == "uv"
        assert (built.bundle / "_uv/uv").exists()
        assert groups(built.bundle) == []

    def test_a_project_that_fits_names_no_installer(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        built = build(project, "--installer", "builtin")
        assert built.report["function"]["installer"] == ""

    def test_the_wheel_is_the_one_that_uv_chose(
        self, build: Callable[..., Built], tmp_path: Path
    ) -> None:
        project = make_project(tmp_path / "project", "arm-and-intel", "newer-glibc")
        bundle = build(project, *BUILTIN).bundle
        assert [one["wheels"][0]["url"].rpartition("-")[2] for one in groups(bundle)] == [
            "manylinux_2_17_x86_64.whl",
            "manylinux_2_28_x86_64.whl",
        ]


@pytest.mark.pypi
class TestStart:
    @pytest.fixture
    def bundle(self, build: Callable[..., Built], project: ProjectFolder) -> Path:
        return build(project, *BUILTIN).bundle

    def test_cold_and_warm(
        self, start: Callable[..., LambdaRun], bundle: Path, tmp_path: Path, index: LocalIndex
    ) -> None:
        cold = start(bundle, [IMPORTS])
        assert cold.init_error is None, cold.log
        assert lines(cold)[0] == INSTALLING
        assert lines(cold)[1].startswith(INSTALLED)
        folder = tmp_path / "_vc_deps_overflow"
        assert cold.responses[0]["alpha"] == f"{folder}/0-alpha/alpha/__init__.py"
        before = len(index.requests)
        warm = start(bundle, [IMPORTS])
        assert lines(warm) == [CACHED]
        assert warm.responses == cold.responses
        assert len(index.requests) == before

    def test_another_file_than_the_locked_one_is_refused(
        self, start: Callable[..., LambdaRun], bundle: Path, tmp_path: Path
    ) -> None:
        path = bundle / "_overflow/manifest.json"
        manifest = json.loads(path.read_text("utf-8"))
        manifest["groups"][0]["wheels"][0]["sha256"] = "0" * 64
        path.write_text(json.dumps(manifest), encoding="utf-8")
        run = start(bundle, [IMPORTS])
        assert run.init_error is not None
        message = run.init_error["errorMessage"]
        assert message.startswith("alpha-1.0-py3-none-any.whl is not the locked one")
        assert not (tmp_path / "_vc_deps_overflow/0-alpha").exists()

    def test_an_index_that_fails_is_named_and_the_next_start_goes_on(
        self, start: Callable[..., LambdaRun], bundle: Path, index: LocalIndex
    ) -> None:
        index.fail = True
        run = start(bundle, [IMPORTS])
        assert run.init_error is not None
        message = run.init_error["errorMessage"]
        assert re.search(r"could not be fetched from \S+: 3 tries, the last.*status 503", message)
        index.fail = False
        assert start(bundle, [IMPORTS]).responses

    def test_killed_while_fetching_then_whole(
        self,
        start: Callable[..., LambdaRun],
        bundle: Path,
        index: LocalIndex,
        tmp_path: Path,
        python: Path,
    ) -> None:
        own_tmp(bundle, tmp_path)
        index.slow = 30.0
        try:
            with subprocess.Popen(
                [python, "-c", "import overflow_trampoline"],
                cwd=bundle,
                env={},
                stdout=subprocess.PIPE,
                start_new_session=True,
            ) as child:
                assert child.stdout is not None
                assert child.stdout.readline().decode().strip() == INSTALLING
                os.killpg(child.pid, 9)
        finally:
            index.slow = 0.0
            index.stop_waiting()
        run = start(bundle, [IMPORTS])
        assert lines(run)[0] == INSTALLING
        assert run.responses, run.log
