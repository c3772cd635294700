"""Builds of small projects with real uv and a local index: what ends up where, to the byte."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from tests.integration.conftest import VERSION
from tests.support.projects import ASGI, WSGI, ProjectFolder, make_project

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Built, Result
    from tests.support.index import LocalIndex

SCHEMA = Path(__file__).parents[2] / "docs" / "report.schema.json"
OVERFLOWING = ("--strategy", "defer", "--threshold-mb", "0.01")


def sizes_on_disk(folder: Path) -> dict[str, int]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.lstat().st_size for path in found}


def sizes_in_zip(path: Path) -> dict[str, int]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {info.filename: info.file_size for info in archive.infolist()}


class TestBundle:
    def test_a_project_that_fits_is_vendored_whole(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        built = build(project)
        assert built.report["outcome"] == "fits"
        assert built.placements == {"alpha": "vendored", "beta": "vendored"}
        assert not (built.bundle / "_uv").exists()
        assert (built.bundle / "_vendor/beta/data.txt").stat().st_size == 9000

    def test_one_over_the_threshold_is_deferred(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        built = build(project, *OVERFLOWING)
        assert built.report["outcome"] == "overflows"
        assert built.placements == {"alpha": "deferred", "beta": "deferred"}
        requirements = (built.bundle / "_uv/_runtime_requirements.txt").read_text("utf-8")
        assert [line.split("=")[0] for line in requirements.splitlines()[::2]] == ["alpha", "beta"]
        assert requirements.count("--hash=sha256:") == 2
        uv = built.bundle / "_uv/uv"
        assert os.access(uv, os.X_OK)

    @pytest.mark.parametrize("options", [(), OVERFLOWING])
    def test_sums_agree_to_the_byte_and_the_schema_holds(
        self, build: Callable[..., Built], project: ProjectFolder, options: tuple[str, ...]
    ) -> None:
        built = build(project, *options)
        report = built.report
        jsonschema.validate(report, json.loads(SCHEMA.read_text("utf-8")))
        on_disk = sizes_on_disk(built.bundle)
        assert on_disk == sizes_in_zip(built.folder / "function.zip")
        vendored = sum(
            row["bytes"] for row in report["distributions"] if row["placement"] == "vendored"
        )
        sizes = report["sizes"]
        assert vendored == sizes["vendored_bytes"]
        assert sum(on_disk.values()) == sizes["bundle_bytes"] == report["artifact"]["bundle_bytes"]
        parts = ("project_bytes", "vendored_bytes", "support_bytes", "bytecode_bytes")
        assert sum(sizes[part] for part in parts) == sizes["bundle_bytes"]

    def test_two_builds_give_the_same_zip(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        first = (build(project, *OVERFLOWING).folder / "function.zip").read_bytes()
        (project.path / "app.py").touch()
        assert (build(project, *OVERFLOWING).folder / "function.zip").read_bytes() == first

    def test_the_zip_keeps_executable_bits_and_normalises_the_rest(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        project.write("tool.sh", "#!/bin/sh\n")
        (project.path / "tool.sh").chmod(0o700)
        (project.path / "app.py").chmod(0o600)
        built = build(project, *OVERFLOWING)
        with zipfile.ZipFile(built.folder / "function.zip") as archive:
            modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
        assert modes["tool.sh"] == modes["_uv/uv"] == 0o100755
        assert modes["app.py"] == 0o100644

    def test_arm64_gets_its_own_uv_and_wheels(
        self, build: Callable[..., Built], tmp_path: Path, index: LocalIndex
    ) -> None:
        project = make_project(tmp_path / "project", "arm-and-intel", app="def handler(e, c): 0")
        intel = build(project)
        assert "x86_64" in wheel_tags(intel)
        assert "aarch64" in wheel_tags(build(project, "--architecture", "arm64"))

    def test_links_out_of_the_project_stay_out(
        self, build: Callable[..., Built], project: ProjectFolder, tmp_path: Path
    ) -> None:
        (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
        (project.path / "link.txt").symlink_to(tmp_path / "secret.txt")
        built = build(project)
        assert "link.txt" not in built.files()
        assert "left out: link link.txt" in built.report["notes"]

    def test_project_files_are_copies_and_not_links(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        assert (build(project).bundle / "app.py").stat().st_nlink == 1


def wheel_tags(built: Built) -> str:
    return "".join(p.read_text("utf-8") for p in built.bundle.glob("_vendor/*.dist-info/WHEEL"))


class TestAdapters:
    @pytest.mark.parametrize(
        ("source", "handler", "expected"),
        [
            (WSGI, "app:app", {"apig-wsgi"}),
            (ASGI, "app:app", {"apig-wsgi", "mangum", "typing-extensions"}),
            ("def handler(event, context): return 1\n", "app.handler", set()),
        ],
        ids=["wsgi", "asgi", "function"],
    )
    def test_added_when_needed(
        self,
        build: Callable[..., Built],
        tmp_path: Path,
        source: str,
        handler: str,
        expected: set[str],
    ) -> None:
        project = make_project(tmp_path / "project", "gamma", app=source)
        built = build(project, "--handler", handler)
        added = {name for name, why in built.reasons.items() if why == "added by overflow"}
        assert added == expected


class TestOutcomes:
    def test_private_alone_over_the_limit(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        project.write("model.bin", b"\0" * 400_000)
        built = build(project, *OVERFLOWING, "--limit-mb", "0.2", exit_code=3)
        assert built.report["outcome"] == "too-large"
        assert "what cannot be deferred" in built.report["bound_by"]
        assert not (built.folder / "function.zip").exists()
        assert "Too large" in (built.folder / "summary.md").read_text("utf-8")
        assert any("--exclude" in remedy for remedy in built.report["remedies"])

    def test_runtime_install_off_is_judged_against_the_limit(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        options = ("--no-runtime-install", "--threshold-mb", "0.01")
        assert build(project, *options).report["outcome"] == "fits"
        built = build(project, *options, "--limit-mb", "0.02", exit_code=3)
        assert "drop --no-runtime-install" in built.report["remedies"][0]

    def test_layers_count(self, build: Callable[..., Built], project: ProjectFolder) -> None:
        built = build(project, "--layers-mb", "249.99", exit_code=3)
        assert built.report["limits"]["layers_bytes"] == 262_133_514
        assert any("layers take 250.0 MB" in remedy for remedy in built.report["remedies"])

    def test_an_overflow_larger_than_tmp_is_said(
        self, build: Callable[..., Built], project: ProjectFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("overflow.limits.TMP_DEFAULT_MB", 0)
        monkeypatch.setattr("overflow.inputs.TMP_DEFAULT_MB", 0)
        assert "EphemeralStorage" in build(project, *OVERFLOWING).report["warnings"][0]
        monkeypatch.setenv("MAXIMISE_TMP_SPACE", "1")
        assert build(project, *OVERFLOWING).report["warnings"] == []

    def test_a_too_large_build_leaves_an_earlier_bundle(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        build(project)
        small = ("--threshold-mb", "0.01", "--limit-mb", "0.02")
        built = build(project, "--no-runtime-install", *small, exit_code=3)
        assert (built.folder / "function.zip").exists()
        assert "earlier" in built.err


class TestPlan:
    def test_prints_the_plan_and_writes_nothing(
        self,
        overflow: Callable[..., Result],
        offline: None,
        index: LocalIndex,
        project: ProjectFolder,
        tmp_path: Path,
    ) -> None:
        before = set(tmp_path.rglob("*"))
        options = ("--public-index", index.url, "--python", VERSION)
        result = overflow("plan", project.path, *options, *OVERFLOWING)
        assert result.exit_code == 0, result.err
        assert "Overflows:" in result.out
        assert "alpha 1.0 (public: on 127.0.0.1)" in result.out
        assert "made one with uv" not in result.err
        assert "there is no uv.lock: this is of what uv would lock now" in result.err
        assert set(tmp_path.rglob("*")) == before

    def test_json_is_the_report(
        self,
        overflow: Callable[..., Result],
        offline: None,
        index: LocalIndex,
        project: ProjectFolder,
    ) -> None:
        options = ("--public-index", index.url, "--python", VERSION, "--json")
        report = json.loads(overflow("plan", project.path, *options).out)
        jsonschema.validate(report, json.loads(SCHEMA.read_text("utf-8")))
        assert report["artifact"] is None
