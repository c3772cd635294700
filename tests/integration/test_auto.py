"""Strategy `auto`: what leaves first, how full the bundle is, and real starts of what is lazy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from overflow.limits import MARGIN, MIB
from tests.integration.test_pack import CACHED, INSTALLING, wide
from tests.support.projects import make_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Built
    from tests.support.index import LocalIndex
    from tests.support.lambda_api import LambdaRun
    from tests.support.projects import ProjectFolder

TIGHT = ("--strategy", "auto", "--threshold-mb", "0.13", "--limit-mb", "0.25")
"""Too little for all of the project's distributions: `big` is larger than that by itself."""

APP = """
import importlib
import alpha
from importlib.metadata import version

def handler(event, context):
    versions = {f"{name} version": version(name) for name in event["import"]}
    return versions | {name: importlib.import_module(name).__file__ for name in event["import"]}
"""


@pytest.fixture
def project(tmp_path: Path) -> ProjectFolder:
    found = wide(tmp_path)
    found.write("app.py", APP)
    return found


def groups(built: Built) -> list[dict[str, Any]]:
    content = json.loads((built.bundle / "_overflow/manifest.json").read_text("utf-8"))
    found: list[dict[str, Any]] = content["groups"]
    return found


def test_what_start_up_does_not_import_leaves_first_and_is_lazy(
    build: Callable[..., Built], project: ProjectFolder
) -> None:
    """It counts to the byte, its dist-info and the names in the manifest included."""
    built = build(project, *TIGHT)
    report = built.report
    assert report["strategy"] == "auto"
    assert built.placements["alpha"] == "vendored"
    assert built.placements["big"] == "packed"
    notes = {row["name"]: row["note"] for row in report["distributions"]}
    assert notes["big"] == "unpacked on first import"
    assert {"big": "package"} in [one["provides"] for one in groups(built)]
    later = sum(one["size"] for one in groups(built) if one["provides"] is not None)
    assert later == report["sizes"]["on_import_bytes"] == report["sizes"]["unpacked_bytes"] > 0
    on_disk = sum((built.bundle / path).stat().st_size for path in built.files())
    assert on_disk == report["sizes"]["bundle_bytes"] <= 0.25 * MIB - MARGIN


def test_what_is_not_imported_leaves_although_more_of_it_would_be_unpacked(
    build: Callable[..., Built], project: ProjectFolder
) -> None:
    """Either of the two would make room enough: `little` is a fifth of `big`."""
    project.write("app.py", APP.replace("import alpha", "import alpha, little"))
    sizes = build(project, "--strategy", "auto").report["sizes"]
    limit = str((sizes["bundle_bytes"] - 30_000 + MARGIN) / MIB)
    built = build(project, *TIGHT[:-1], limit)
    assert built.placements["big"] == "packed"
    assert built.placements["little"] == "vendored"


def test_without_lazy_all_is_unpacked_at_start(
    build: Callable[..., Built], project: ProjectFolder
) -> None:
    built = build(project, *TIGHT, "--no-lazy")
    assert built.placements["big"] == "packed"
    assert all("provides" not in one for one in groups(built))
    assert all(row["note"] == "" for row in built.report["distributions"])
    assert built.report["sizes"]["on_import_bytes"] == 0


def test_up_to_the_threshold_nothing_overflows_for_want_of_room_for_bytecode(
    build: Callable[..., Built], project: ProjectFolder
) -> None:
    first = build(project, "--strategy", "auto")
    sizes = first.report["sizes"]
    assert sizes["bytecode_bytes"] > 1000
    plain = sizes["bundle_bytes"] - sizes["bytecode_bytes"]
    limit = str((plain + MARGIN + 1000) / MIB)
    built = build(project, "--strategy", "auto", "--threshold-mb", limit, "--limit-mb", limit)
    assert built.report["outcome"] == "fits"
    assert set(built.placements.values()) == {"vendored"}
    assert built.report["sizes"]["bytecode_bytes"] <= 1000


ROOMY = (*TIGHT[:-1], "0.4")
"""Enough for all but the one that is 0.4 MB of noise."""


@pytest.fixture
def noisy(tmp_path: Path) -> ProjectFolder:
    """What no compressing makes fit."""
    return make_project(tmp_path / "noisy", "alpha", "noise", app=APP)


def test_what_fits_in_no_other_way_is_fetched_and_said(
    build: Callable[..., Built], noisy: ProjectFolder
) -> None:
    """Beside what is vendored; counted as it is once installed, to the byte of the bundle."""
    built = build(noisy, *ROOMY)
    report = built.report
    assert built.placements == {"alpha": "vendored", "beta": "vendored", "noise": "deferred"}
    assert report["function"]["installer"] == "builtin"
    size = {row["name"]: row["bytes"] for row in report["distributions"]}["noise"]
    assert size > 400_000 + 3_500, "it comes whole"
    assert "noise" not in json.dumps(report["trim"]), "so nothing of it was left out"
    assert "  what is fetched comes whole: 3.4 KB of 1 files are not trimmed\n" in built.err
    (warning,) = report["warnings"]
    assert "for 0.4 MB: noise; with --no-network" in warning
    assert "--no-network" in warning
    notes = {row["name"]: row["note"] for row in report["distributions"]}
    assert notes["noise"] == "fetched on first import"
    assert report["sizes"]["on_import_bytes"] == size == report["sizes"]["deferred_bytes"]
    (group,) = groups(built)
    assert group["provides"] == {"noise": "package"}
    assert group["wheels"][0]["url"].endswith("/noise-1.0-py3-none-any.whl")
    assert not (built.bundle / "_uv").exists()
    for name in ("connection", "fetch", "wheel"):
        assert f"_overflow/__pycache__/{name}.cpython-312.pyc" in built.files()
    on_disk = sum((built.bundle / path).stat().st_size for path in built.files())
    assert on_disk == report["sizes"]["bundle_bytes"] <= 0.4 * MIB - MARGIN


@pytest.mark.parametrize("option", ["--no-network", "--no-runtime-install"])
def test_nothing_is_fetched_where_that_is_not_wanted(
    build: Callable[..., Built], noisy: ProjectFolder, option: str
) -> None:
    built = build(noisy, *ROOMY, option, exit_code=3)
    assert "deferred" not in built.placements.values()


def test_only_auto_fetches_what_it_need_not(
    build: Callable[..., Built], noisy: ProjectFolder
) -> None:
    build(noisy, "--strategy", "pack", *ROOMY[2:], exit_code=3)


@pytest.mark.pypi
@pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "at start"])
def test_what_is_fetched_under_the_real_client(
    start: Callable[..., LambdaRun],
    build: Callable[..., Built],
    noisy: ProjectFolder,
    *,
    lazy: bool,
) -> None:
    bundle = build(noisy, *ROOMY, *(() if lazy else ("--no-lazy",))).bundle
    event = {"import": ["alpha", "noise"]}
    cold = start(bundle, [event, event])
    assert cold.init_error is None, cold.log
    assert (INSTALLING in cold.log) is not lazy
    assert ("Installed 2-noise on first import in " in cold.log) is lazy
    assert "/_vc_deps_overflow/2-noise/noise/" in cold.responses[0]["noise"]
    assert cold.responses[0]["noise version"] == "1.0"
    warm = start(bundle, [event])
    assert warm.responses[0] == cold.responses[0] == cold.responses[1]
    assert "on first import" not in warm.log


@pytest.mark.pypi
def test_an_index_that_is_away_is_told_where_it_is_needed_first(
    start: Callable[..., LambdaRun],
    build: Callable[..., Built],
    noisy: ProjectFolder,
    index: LocalIndex,
) -> None:
    """Not as an ImportError, which apps expect; and the next try may have it."""
    bundle = build(noisy, *ROOMY).bundle
    index.fail = True
    run = start(bundle, [{"import": ["alpha"]}, {"import": ["noise"]}])
    assert "alpha" in run.responses[0]
    assert "InstallError" in run.log
    assert "noise-1.0-py3-none-any.whl could not be fetched" in run.log
    index.fail = False
    assert "noise" in start(bundle, [{"import": ["noise"]}]).responses[0]


@pytest.mark.pypi
def test_cold_and_warm_under_the_real_client(
    start: Callable[..., LambdaRun], build: Callable[..., Built], project: ProjectFolder
) -> None:
    bundle = build(project, *TIGHT).bundle
    event = {"import": ["alpha", "big"]}
    cold = start(bundle, [event, event])
    assert cold.init_error is None, cold.log
    assert INSTALLING not in cold.log
    assert cold.log.count("on first import in ") == 1
    assert "/_vc_deps_overflow/" in cold.responses[0]["big"]
    assert cold.responses[0]["big version"] == "1.0", "asked before it is there"
    warm = start(bundle, [event])
    assert "on first import" not in warm.log
    assert CACHED not in warm.log
    assert warm.responses[0] == cold.responses[0] == cold.responses[1]
