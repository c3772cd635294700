"""Results: what a build left behind, when other people's code could write there."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from overflow import results
from overflow.errors import InputFault, UvFault
from overflow.report import Failure, Report, Written
from overflow.results import read_plan, read_result
from overflow.wire import failure_to_json, to_json
from tests.unit.reports import as_read, failure, fits, report, too_large

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ARCHIVE = b"PK archive"


def built(content: bytes = ARCHIVE) -> Report:
    digest = hashlib.sha256(content).hexdigest()
    written = Written(bundle_bytes=10, zip_bytes=len(content), zip_sha256=digest)
    return replace(fits(), written=written)


class NoHash:
    """Stands in for sha256 where nothing may be hashed."""

    def update(self, data: bytes) -> None:
        raise AssertionError("it is hashed")

    def hexdigest(self) -> str:
        return "0" * 64


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """What a build that went well leaves."""
    folder = tmp_path / "output"
    folder.mkdir()
    (folder / "report.json").write_text(to_json(built()))
    (folder / "function.zip").write_bytes(ARCHIVE)
    return folder


def refused(output: Path, exit_code: int = 0) -> Failure:
    """Read for a result that must not be believed; it is a failure, and nothing is raised."""
    found = read_result(output, exit_code)
    assert isinstance(found, Failure)
    assert (found.code, found.exit_code) == ("report-invalid", 2)
    assert "build hooks" in found.hint or "overflow wrote" in found.hint
    return found


def test_build_that_went_well(output: Path) -> None:
    assert read_result(output, 0) == as_read(built())


def test_too_large(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(to_json(too_large()))
    assert read_result(tmp_path, 3) == as_read(too_large())


def test_plan_has_no_archive(output: Path) -> None:
    """What lies beside its report is not looked at."""
    plan = as_read(report({"alpha": 1}))
    (output / "report.json").write_text(to_json(plan))
    (output / "function.zip").unlink()
    os.mkfifo(output / "function.zip")
    assert read_plan(output, 0) == plan
    (output / "report.json").write_text(to_json(too_large()))
    assert read_plan(output, 3) == as_read(too_large())


@pytest.mark.parametrize(("made", "exit_code"), [(report({"alpha": 1}), 3), (too_large(), 0)])
def test_plan_that_does_not_fit_the_exit_code(output: Path, made: Report, exit_code: int) -> None:
    (output / "report.json").write_text(to_json(made))
    found = read_plan(output, exit_code)
    assert isinstance(found, Failure)
    assert found.message == f"report.json does not fit exit code {exit_code}"


@pytest.mark.parametrize("read", [read_plan, read_result])
@pytest.mark.parametrize("exit_code", [0, 2, 3, 125])
@pytest.mark.parametrize("kind", ["link", "broken link", "file", "pipe"])
def test_output_that_was_replaced(
    output: Path, read: Callable[[Path, int], Report | Failure], exit_code: int, kind: str
) -> None:
    """Even by a link to all that a good build leaves, and however the build ended."""
    (output / "fault.json").write_text(failure_to_json(failure("from elsewhere")))
    output.rename(output.with_name("elsewhere"))
    if kind == "file":
        output.write_text("x")
    elif kind == "pipe":
        os.mkfifo(output)
    else:
        output.symlink_to("elsewhere" if kind == "link" else "gone")
    found = read(output, exit_code)
    assert isinstance(found, Failure)
    assert (found.code, found.message) == ("report-invalid", "the output folder was replaced")


def test_output_that_was_removed(tmp_path: Path) -> None:
    """A build hook can do that; it is the build's failure, not ours."""
    assert refused(tmp_path / "gone").message == "the output folder was replaced"


@pytest.mark.parametrize("name", ["report.json", "function.zip"])
def test_missing(output: Path, name: str) -> None:
    (output / name).unlink()
    assert refused(output).message.startswith(f"{name} cannot be read: No such file")


@pytest.mark.parametrize("name", ["report.json", "function.zip"])
@pytest.mark.parametrize("target", ["real", "../outside", "gone"])
def test_link_is_not_followed(output: Path, name: str, target: str) -> None:
    """Even to a file that would do: what is uploaded must not be chosen by a build hook."""
    (output.parent / "outside").write_text("x")
    (output / name).rename(output / "real")
    (output / name).symlink_to(target)
    assert refused(output).message.startswith(f"{name} cannot be read: ")


@pytest.mark.parametrize("name", ["report.json", "function.zip"])
def test_pipe_is_not_waited_for(output: Path, name: str) -> None:
    (output / name).unlink()
    os.mkfifo(output / name)
    assert refused(output).message == f"{name} is no regular file"


@pytest.mark.parametrize("name", ["report.json", "function.zip"])
def test_folder(output: Path, name: str) -> None:
    (output / name).unlink()
    (output / name).mkdir()
    assert refused(output).message == f"{name} is no regular file"


def test_report_that_is_too_large_is_not_read_whole(output: Path) -> None:
    with (output / "report.json").open("r+b") as stream:
        stream.truncate(1 << 40)
    assert "larger than 20.0 MB" in refused(output).message


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00", b"[" * 100_000, b"null"])
def test_report_that_is_none(output: Path, content: bytes) -> None:
    (output / "report.json").write_bytes(content)
    assert refused(output).message.startswith("report.json: ")


@pytest.mark.parametrize("content", [b"PK archivE", b"", ARCHIVE + b"\n", ARCHIVE * 200_000])
def test_other_archive_than_the_report_describes(output: Path, content: bytes) -> None:
    (output / "function.zip").write_bytes(content)
    assert refused(output).message.startswith("function.zip is not the file")


@pytest.mark.parametrize("claims", [False, True])
def test_archive_that_was_made_from_nothing(
    output: Path, monkeypatch: pytest.MonkeyPatch, claims: bool
) -> None:
    """A sparse file takes no room; hashing 8 TB of it takes hours, also where its size is told."""
    size = 8 << 40
    with (output / "function.zip").open("r+b") as stream:
        stream.truncate(size)
    if claims:
        said = replace(fits(), written=Written(bundle_bytes=1, zip_bytes=size, zip_sha256="0" * 64))
        (output / "report.json").write_text(to_json(said))
    monkeypatch.setattr(hashlib, "sha256", NoHash)
    assert refused(output).message.startswith("function.zip is not the file")


def test_largest_archive_that_is_hashed(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "LARGEST_ZIP", len(ARCHIVE))
    assert isinstance(read_result(output, 0), Report)
    monkeypatch.setattr(results, "LARGEST_ZIP", len(ARCHIVE) - 1)
    assert refused(output).message.startswith("function.zip is not the file")


def test_archive_whose_hash_alone_is_right(output: Path) -> None:
    digest = hashlib.sha256(ARCHIVE).hexdigest()
    written = Written(bundle_bytes=10, zip_bytes=len(ARCHIVE) + 1, zip_sha256=digest)
    (output / "report.json").write_text(to_json(replace(fits(), written=written)))
    assert refused(output).message.startswith("function.zip is not the file")


def test_archive_of_more_than_one_piece_is_hashed_whole(output: Path) -> None:
    content = bytes(range(256)) * 10_000
    (output / "function.zip").write_bytes(content)
    (output / "report.json").write_text(to_json(built(content)))
    assert isinstance(read_result(output, 0), Report)


@pytest.mark.parametrize(
    ("made", "exit_code"),
    [
        (built(), 3),
        (report({"alpha": 1}), 0),
        (report({"alpha": 1}), 3),
        (too_large(), 0),
        (replace(too_large(), written=built().written), 0),
        (replace(too_large(), written=built().written), 3),
    ],
    ids=["fits, 3", "a plan, 0", "a plan, 3", "too large, 0", "too large, built, 0", "and 3"],
)
def test_report_that_does_not_fit_the_exit_code(output: Path, made: Report, exit_code: int) -> None:
    (output / "report.json").write_text(to_json(made))
    assert refused(output, exit_code).message == f"report.json does not fit exit code {exit_code}"


@pytest.mark.parametrize("exit_code", [1, 2, 4, 99, 143])
def test_build_that_failed(output: Path, exit_code: int) -> None:
    """The report beside is that of an earlier build, or made up."""
    said = replace(failure("uv.lock: stale", details="uv's words"), exit_code=exit_code)
    (output / "fault.json").write_text(failure_to_json(said))
    assert read_result(output, exit_code) == said


@pytest.mark.parametrize("claimed", [0, 2, 256, 2**40])
def test_fault_cannot_choose_the_exit_code(tmp_path: Path, claimed: int) -> None:
    text = failure_to_json(replace(failure(), exit_code=claimed))
    (tmp_path / "fault.json").write_text(text)
    assert read_result(tmp_path, 4).exit_code == 4


@pytest.mark.parametrize("kind", ["missing", "link", "pipe", "invalid", "too large", "negative"])
@pytest.mark.parametrize(
    ("exit_code", "code", "ends"), [(137, "build-ended", 137), (125, "container-failed", 2)]
)
def test_build_that_ended_without_a_word(
    tmp_path: Path, kind: str, exit_code: int, code: str, ends: int
) -> None:
    place = tmp_path / "fault.json"
    text = failure_to_json(failure())
    if kind == "link":
        (tmp_path / "real").write_text(text)
        place.symlink_to("real")
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "too large":
        place.write_text(text + " " * (21 << 20))
    elif kind == "negative":
        place.write_text(json.dumps({"schema": 1, "fault": {**vars(failure()), "exit_code": -1}}))
    elif kind == "invalid":
        place.write_text("{}")
    found = read_result(tmp_path, exit_code)
    assert isinstance(found, Failure)
    assert (found.code, found.exit_code) == (code, ends)
    assert code == "container-failed" or str(exit_code) in found.message


def test_docker_that_fails_after_a_build_that_said_why(tmp_path: Path) -> None:
    """125 is docker's, unless the build wrote down a fault."""
    (tmp_path / "fault.json").write_text(failure_to_json(failure()))
    found = read_result(tmp_path, results.ENGINE_FAILED)
    assert isinstance(found, Failure)
    assert found.code == "pyproject-invalid"


@pytest.mark.parametrize(("kind", "exit_code"), [(InputFault, 2), (UvFault, 4)])
def test_fault_as_a_failure(kind: type[InputFault | UvFault], exit_code: int) -> None:
    found = Failure.of(kind("a-code", "m", hint="h", details="d"))
    assert found == Failure(code="a-code", message="m", hint="h", details="d", exit_code=exit_code)
