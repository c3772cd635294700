"""fault.json: why a build failed, left where the action's host side looks for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from overflow.report import Report
from overflow.results import read_plan, read_result
from overflow.wire import failure_from_json

if TYPE_CHECKING:
    from tests.support.index import LocalIndex
    from tests.support.projects import ProjectFolder

ENTRYPOINT = Path(__file__).parents[2] / "entrypoint.py"
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


def ended(project: ProjectFolder, output: Path, *command: str, **environ: str) -> int:
    """`python entrypoint.py`, as a sandbox runs it; gives the exit code."""
    settings = {
        "OVERFLOW_PROJECT": str(project.path),
        "OVERFLOW_OUTPUT": str(output),
        "OVERFLOW_PYTHON": PYTHON,
    }
    done = subprocess.run(
        [sys.executable, "-I", str(ENTRYPOINT), *command],
        env={**os.environ, **settings, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "output").mkdir()
    return tmp_path / "output"


@pytest.mark.usefixtures("offline")
def test_stale_lock_then_none(project: ProjectFolder, output: Path, index: LocalIndex) -> None:
    """The failure is that of the last build, and gone with one that goes well."""
    project.write("uv.lock", 'version = 1\nrevision = 3\nrequires-python = ">=3.10"\n')
    assert ended(project, output) == 2
    left = failure_from_json((output / "fault.json").read_bytes())
    assert (left.code, left.exit_code) == ("lock-stale", 2)
    assert left.message.startswith("uv.lock")
    assert read_result(output, 2) == left

    (project.path / "uv.lock").unlink()
    assert ended(project, output, OVERFLOW_PUBLIC_INDEX=index.url) == 0
    assert sorted(path.name for path in output.iterdir()) == [
        "bundle",
        "function.zip",
        "report.json",
        "summary.md",
    ]
    assert isinstance(read_result(output, 0), Report)


@pytest.mark.usefixtures("offline")
def test_too_large_is_no_failure(project: ProjectFolder, output: Path) -> None:
    limits = {"OVERFLOW_LIMIT_MB": "0.001", "OVERFLOW_NO_RUNTIME_INSTALL": "1"}
    assert ended(project, output, **limits) == 3
    assert not (output / "fault.json").exists()
    report = read_result(output, 3)
    assert isinstance(report, Report)
    assert (report.outcome.value, report.written) == ("too-large", None)


@pytest.mark.usefixtures("offline")
def test_plan_leaves_its_report_alone(
    project: ProjectFolder, output: Path, index: LocalIndex
) -> None:
    assert ended(project, output, "plan", OVERFLOW_PUBLIC_INDEX=index.url) == 0
    assert [path.name for path in output.iterdir()] == ["report.json"]
    report = read_plan(output, 0)
    assert isinstance(report, Report)
    assert report.written is None


@pytest.mark.parametrize("command", [[], ["plan"]])
@pytest.mark.parametrize(
    ("environ", "code"),
    [({"OVERFLOW_ARCHITECTURE": "mips"}, "option-invalid"), ({}, "pyproject-missing")],
)
def test_failure_before_anything_is_read(
    project: ProjectFolder, output: Path, environ: dict[str, str], code: str, command: list[str]
) -> None:
    (project.path / "pyproject.toml").unlink()
    assert ended(project, output, *command, **environ) == 2
    assert [path.name for path in output.iterdir()] == ["fault.json"]
    content: dict[str, Any] = json.loads((output / "fault.json").read_text("utf-8"))
    assert content["fault"]["code"] == code
