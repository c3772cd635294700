"""Steps: the names that artifacts get, a gate that closes, inputs that are none."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from overflow import steps
from overflow.comparison import KnownBase
from overflow.record import Record, read_record, record_files
from overflow.report import Failure
from overflow.settings import LONGEST_NAME, read_settings
from overflow.steps import Step, artifact_name
from tests.support.workspace import effective_commands
from tests.unit.reports import HOSTILE, failure, fits, overflows, report, too_large
from tests.unit.test_context import context

if TYPE_CHECKING:
    from pathlib import Path

    from overflow.report import Report

MATRIX = '{"python": "3.12"}'


def of_project(name: str) -> Report:
    return replace(fits(), project=name)


def test_project_job_and_target() -> None:
    report = of_project("shop")
    target = f"{report.function.runtime}-{report.function.architecture}"
    assert artifact_name(report, context()) == f"shop-build-{target}"


@pytest.mark.parametrize("more", [{"OVERFLOW_MATRIX": MATRIX}, {"OVERFLOW_PROJECT": "api"}])
def test_mark_where_another_leg_may_have_the_name(more: dict[str, str]) -> None:
    found = context(None, **more)
    name = artifact_name(of_project("shop"), found)
    assert name == f"{artifact_name(of_project('shop'), context())}-{found.key[:6]}"


@pytest.mark.parametrize("project", ["x" * 300, HOSTILE, "-.a b.-", "é", "../../x"])
@pytest.mark.parametrize("matrix", ["", MATRIX])
def test_any_name_becomes_one_that_artifacts_and_files_may_have(project: str, matrix: str) -> None:
    found = context(OVERFLOW_MATRIX=matrix)
    name = artifact_name(of_project(project), found)
    assert len(f"{name}.zip") <= LONGEST_NAME
    assert re.fullmatch(r"[A-Za-z0-9._+-]+", name)
    assert name.endswith(found.key[:6]) is bool(matrix)


def test_ends_of_words_leave_no_gaps() -> None:
    assert artifact_name(of_project("-.a b.-"), context()).startswith("a-b-build-")


def step_in(temp: Path, **environ: str) -> Step:
    given = {
        "GITHUB_STEP_SUMMARY": str(temp / "summary.md"),
        "GITHUB_OUTPUT": str(temp / "output"),
        **environ,
    }
    return Step(
        context=context(RUNNER_TEMP=str(temp)),
        settings=read_settings(given),
        action=temp / "action",
        environ=given,
    )


def gated(temp: Path, result: Report | Failure, gate: str) -> tuple[int, str]:
    """The gate's exit code, and what it adds to the summary."""
    step = step_in(temp, OVERFLOW_FAIL_ON=gate)
    base = KnownBase(report=report({"alpha": 1}), sha="b" * 40, exact=True)
    record = Record(result=result, base=base, leg="", head="a" * 40, artifact="")
    step.folder.mkdir(parents=True)
    for name, content in record_files(record).items():
        (step.folder / name).write_text(content, encoding="utf-8")
    exit_code = steps.gate(step)
    summary = temp / "summary.md"
    return exit_code, summary.read_text("utf-8") if summary.exists() else ""


@pytest.mark.parametrize(
    ("gate", "result", "why"),
    [
        ("threshold", overflows(), "over the threshold of 200.0 MB"),
        ("growth", report({"alpha": 100}), "grows by 99.0 MB"),
    ],
)
def test_closed_gate_is_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], gate: str, result: Report, why: str
) -> None:
    exit_code, summary = gated(tmp_path, result, gate)
    assert exit_code == 6
    [(name, properties, message)] = effective_commands(capsys.readouterr().out)
    assert (name, properties["title"]) == ("error", f"Gate ({gate})")
    assert message.startswith(why)
    assert re.fullmatch(rf"\n\*\*Gate closed:\*\* {re.escape(why)}.*\n", summary)


@pytest.mark.parametrize(
    ("gate", "result", "expected"),
    [("limit", too_large(), 3), ("limit", failure(HOSTILE), 2), ("never", overflows(), 0)],
)
def test_what_is_annotated_by_the_build_is_not_annotated_again(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    gate: str,
    result: Report | Failure,
    expected: int,
) -> None:
    assert gated(tmp_path, result, gate) == (expected, "")
    assert effective_commands(capsys.readouterr().out) == []


def test_inputs_are_read_before_an_image_is_pulled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pull(*_: object) -> None:
        pytest.fail("an image was looked for")

    monkeypatch.setattr(steps, "choose_sandbox", pull)
    step = step_in(tmp_path, OVERFLOW_THRESHOLD_MB="many")
    assert steps.build(step) == 0
    record = read_record({path.name: path.read_bytes() for path in step.folder.iterdir()})
    assert isinstance(record.result, Failure)
    assert (record.result.code, record.artifact) == ("option-invalid", "")
    assert record.result.message == "OVERFLOW_THRESHOLD_MB: 'many'"
