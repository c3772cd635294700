"""Output: all of a result or the one from before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from overflow.errors import InputFault
from overflow.output import leave_failure, publish, staging
from overflow.wire import failure_from_json
from tests.unit.builders import write
from tests.unit.reports import failure

RESULT = ("bundle/app.py", "function.zip", "report.json", "summary.md")


def made(root: Path, text: str) -> None:
    write(root, dict.fromkeys(RESULT, text))


def listing(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def test_new_result(tmp_path: Path, project: Path) -> None:
    output = tmp_path / "a" / "b"
    with staging(output, project) as aside:
        assert aside.parent == output
        made(aside, "new")
        publish(aside, output)
    assert listing(output) == dict.fromkeys(RESULT, "new")


def test_earlier_result_is_replaced_whole(tmp_path: Path, project: Path) -> None:
    output = tmp_path / "out"
    made(output, "old")
    write(output, {"bundle/gone.py": "old", "mine.txt": "mine"})
    with staging(output, project) as aside:
        made(aside, "new")
        publish(aside, output)
    assert listing(output) == {**dict.fromkeys(RESULT, "new"), "mine.txt": "mine"}


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_earlier_result(
    tmp_path: Path, project: Path, failure: type[BaseException]
) -> None:
    output = tmp_path / "out"
    made(output, "old")
    with pytest.raises(failure), staging(output, project) as aside:
        made(aside, "half")
        raise failure
    assert listing(output) == dict.fromkeys(RESULT, "old")
    assert sorted(path.name for path in output.iterdir()) == sorted(
        ["bundle", "function.zip", "report.json", "summary.md"]
    )


def test_failure_removes_an_output_that_was_made(tmp_path: Path, project: Path) -> None:
    with pytest.raises(ValueError, match="x"), staging(tmp_path / "out", project):
        raise ValueError("x")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_named(tmp_path: Path, project: Path) -> None:
    with pytest.raises(OSError, match="No space") as raised, staging(tmp_path / "out", project):
        Path("/dev/full").write_bytes(b"x")
    assert raised.value.filename == str(tmp_path / "out")
    with pytest.raises(OSError, match="nowhere"), staging(tmp_path / "out", project):
        Path("/nowhere").read_bytes()


def test_failure_keeps_an_empty_output_that_was_there(tmp_path: Path, project: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match="x"), staging(tmp_path / "out", project):
        raise ValueError("x")
    assert list((tmp_path / "out").iterdir()) == []


def test_earlier_that_is_a_broken_link_is_replaced(tmp_path: Path, project: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "function.zip").symlink_to("gone")
    with staging(output, project) as aside:
        made(aside, "new")
        publish(aside, output)
    assert not (output / "function.zip").is_symlink()
    assert listing(output) == dict.fromkeys(RESULT, "new")


@pytest.mark.parametrize("inside", ["", "build", "a/b/c", "../project/out", "../link/out"])
def test_output_inside_the_project(tmp_path: Path, project: Path, inside: str) -> None:
    (tmp_path / "link").symlink_to(project)
    with pytest.raises(InputFault) as raised, staging(project / inside, project):
        pass
    assert raised.value.code == "output-inside-project"
    assert list(project.iterdir()) == []


def test_project_inside_the_bundle_that_is_replaced(tmp_path: Path) -> None:
    project = tmp_path / "out" / "bundle" / "project"
    project.mkdir(parents=True)
    with pytest.raises(InputFault) as raised, staging(tmp_path / "out", project):
        pass
    assert raised.value.code == "output-inside-project"
    assert project.is_dir()


def test_output_beside_with_a_longer_name(tmp_path: Path, project: Path) -> None:
    with staging(tmp_path / "project-build", project):
        pass


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_output_that_cannot_be_a_folder(tmp_path: Path, project: Path, place: str) -> None:
    write(tmp_path, {"file": "x"})
    with pytest.raises(InputFault) as raised, staging(tmp_path / place, project):
        pass
    assert raised.value.code == "output-unwritable"
    assert str(tmp_path / place) in raised.value.message
    assert listing(tmp_path) == {"file": "x"}


@pytest.mark.parametrize("moves", range(8))
def test_interrupted_while_publishing_leaves_the_earlier_result(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    output = tmp_path / "out"
    made(output, "old")
    real = Path.rename
    done: list[Path] = []

    def rename(path: Path, target: Path) -> Path:
        if len(done) == moves:
            done.append(path)
            raise KeyboardInterrupt
        done.append(path)
        return real(path, target)

    with pytest.raises(KeyboardInterrupt), staging(output, project) as aside:
        made(aside, "new")
        monkeypatch.setattr(Path, "rename", rename)
        publish(aside, output)
    assert listing(output) == dict.fromkeys(RESULT, "old")


def test_failure_is_left_beside_an_earlier_result(tmp_path: Path) -> None:
    made(tmp_path, "old")
    leave_failure(str(tmp_path), failure("first"))
    leave_failure(str(tmp_path), failure("second"))
    left = listing(tmp_path)
    assert failure_from_json(left.pop("fault.json").encode()) == failure("second")
    assert left == dict.fromkeys(RESULT, "old")


def test_failure_is_gone_with_the_next_result(tmp_path: Path, project: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    leave_failure(str(output), failure())
    with staging(output, project) as aside:
        made(aside, "new")
        publish(aside, output)
    assert listing(output) == dict.fromkeys(RESULT, "new")


@pytest.mark.parametrize("output", [None, "", "gone", "file"])
def test_failure_without_an_output_is_left_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"file": "x"})
    leave_failure(output, failure())
    assert listing(tmp_path) == {"file": "x"}


def test_failure_is_not_left_in_the_project(project: Path) -> None:
    leave_failure(str(project), replace(failure(), code="output-inside-project"))
    assert listing(project) == {}


@pytest.mark.parametrize("target", ["theirs", "gone"])
def test_failure_is_not_written_through_a_link(tmp_path: Path, target: str) -> None:
    """A build hook can leave one in the output."""
    output = tmp_path / "out"
    write(tmp_path, {"theirs": "x", "out/other": "x"})
    (output / "fault.json").symlink_to(tmp_path / target)
    leave_failure(str(output), failure())
    assert (tmp_path / "theirs").read_text() == "x"
    assert not (tmp_path / "gone").exists()
    assert not (output / "fault.json").is_symlink()
    assert failure_from_json((output / "fault.json").read_bytes()) == failure()


def test_failure_that_cannot_be_written_is_no_second_one(tmp_path: Path) -> None:
    (tmp_path / "fault.json").mkdir()
    leave_failure(str(tmp_path), failure())
    assert listing(tmp_path) == {}
