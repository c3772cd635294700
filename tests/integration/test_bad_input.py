"""Bad input gets one clear error: code, place, what to do; and an earlier good result stays."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import VERSION
from tests.support.projects import ProjectFolder, make_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Built, Result
    from tests.support.index import LocalIndex


def lock(text: str) -> Callable[[ProjectFolder], None]:
    return lambda project: project.write("uv.lock", text)


def pyproject(text: str | bytes) -> Callable[[ProjectFolder], None]:
    return lambda project: project.write("pyproject.toml", text)


def cut_lock(project: ProjectFolder) -> None:
    text = (project.path / "uv.lock").read_text("utf-8")
    project.write("uv.lock", text[: len(text) // 2])


def edited_lock(before: str, after: str) -> Callable[[ProjectFolder], None]:
    def edit(project: ProjectFolder) -> None:
        text = (project.path / "uv.lock").read_text("utf-8")
        assert before in text
        project.write("uv.lock", text.replace(before, after, 1))

    return edit


def huge(name: str, size: int) -> Callable[[ProjectFolder], None]:
    def make(project: ProjectFolder) -> None:
        with (project.path / name).open("wb") as stream:
            stream.truncate(size)

    return make


def remove(name: str) -> Callable[[ProjectFolder], None]:
    return lambda project: (project.path / name).unlink()


def nothing(project: ProjectFolder) -> None:
    del project


@dataclass(frozen=True)
class Case:
    code: str
    says: str
    spoil: Callable[[ProjectFolder], None] = nothing
    options: tuple[str, ...] = ()


CASES = {
    "no pyproject": Case(
        "pyproject-missing", "pyproject.toml: does not exist", remove("pyproject.toml")
    ),
    "no project": Case("pyproject-missing", "nowhere", nothing, ("nowhere",)),
    "malformed pyproject": Case("pyproject-invalid", "at line 1", pyproject("[project\n")),
    "pyproject not text": Case("pyproject-invalid", "not UTF-8", pyproject(b"\xff\xfe")),
    "no project table": Case("pyproject-invalid", "no [project] table", pyproject("[tool.x]\n")),
    "name missing": Case(
        "pyproject-invalid", "project.name", pyproject("[project]\nversion='1'\n")
    ),
    "name of a wrong type": Case(
        "pyproject-invalid", "project.name", pyproject("[project]\nname=1\n")
    ),
    "hostile name": Case(
        "pyproject-invalid",
        "is not a valid name",
        pyproject('[project]\nname = "a\\n::error::$(id)`|<b>"\nversion = "1"\n'),
    ),
    "requires-python": Case(
        "pyproject-invalid",
        "not a version specifier",
        pyproject('[project]\nname="x"\nversion="1"\nrequires-python="three"\n'),
    ),
    "old python only": Case(
        "python-not-supported",
        "admits none",
        pyproject('[project]\nname="x"\nversion="1"\nrequires-python="<3.9"\n'),
        ("--python=",),
    ),
    "huge pyproject": Case("pyproject-too-large", "at most", huge("pyproject.toml", 9 << 20)),
    "huge lock": Case("lock-too-large", "uv.lock", huge("uv.lock", 200 << 20)),
    "lock cut off": Case("lock-invalid", "uv.lock", cut_lock),
    "lock is empty": Case("lock-invalid", "version", lock("")),
    "lock is no toml": Case("lock-invalid", "not valid TOML", lock("<<<<<<< HEAD\n")),
    "lock of wrong types": Case("lock-invalid", "package", lock('version = 1\npackage = "x"\n')),
    "lock source": Case(
        "lock-invalid", "package[0].source", edited_lock("source = { registry", "source = { regis")
    ),
    "lock hash": Case("lock-invalid", "hash", edited_lock('hash = "sha256:', 'hash = "sha256:--')),
    "lock name": Case(
        "lock-invalid", "is not a valid name", edited_lock('name = "alpha"', 'name = "--index"')
    ),
    "lock is newer": Case("lock-version", "2 is not known", lock("version = 2\n")),
    "lock that only uv refuses": Case(
        "lock-invalid", "uv cannot read it", edited_lock('version = "1.0"\n', "")
    ),
    "unknown python": Case("python-not-supported", "'2.7'", nothing, ("--python", "2.7")),
    "nonsense python": Case("python-not-supported", "'$(id)'", nothing, ("--python", "$(id)")),
    "handler module": Case("handler-unknown", "'nope'", nothing, ("--handler", "nope.handler")),
    "handler attribute": Case("handler-unknown", "'nope'", nothing, ("--handler", "app:nope")),
    "handler form": Case("handler-unknown", "form", nothing, ("--handler", "app:a;b")),
    "handler in a broken file": Case(
        "handler-unknown", "app.py:1: ", lambda project: project.write("app.py", "def handler(:\n")
    ),
    "no handler at all": Case("handler-unknown", "no handler found", remove("app.py")),
    "extra": Case("extra-unknown", "no extra 'x'", nothing, ("--extra", "x")),
    "group": Case("group-unknown", "no group 'x'", nothing, ("--group", "x")),
    "threshold": Case("option-invalid", "--threshold-mb", nothing, ("--threshold-mb", "much")),
    "negative": Case("option-invalid", "--limit-mb", nothing, ("--limit-mb=-1",)),
    "nan": Case("option-invalid", "--layers-mb", nothing, ("--layers-mb", "nan")),
    "architecture": Case("option-invalid", "'sparc'", nothing, ("--architecture", "sparc")),
    "index": Case("index-invalid", "--public-index", nothing, ("--public-index", "ftp://x")),
    "index with password": Case(
        "index-invalid", "without user name", nothing, ("--public-index", "https://u:p@x/simple")
    ),
    "no dependencies": Case(
        "no-dependencies",
        "no dependencies",
        pyproject('[project]\nname="small"\nversion="1"\nrequires-python=">=3.10"\n'),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_clear_error_and_the_earlier_result_stays(
    overflow: Callable[..., Result],
    build: Callable[..., Built],
    index: LocalIndex,
    project: ProjectFolder,
    name: str,
) -> None:
    case = CASES[name]
    earlier = snapshot(build(project).folder)
    if name == "no dependencies":
        (project.path / "uv.lock").unlink()
    case.spoil(project)
    output = project.path.parent / "output"
    options = case.options
    folder = project.path
    if options == ("nowhere",):
        folder, options = project.path / "nowhere", ()
    result = overflow("build", folder, "--output", output, "--python", VERSION, *options)
    assert result.exit_code == 2, result.err
    assert_one_error(result, case.code, case.says)
    left = snapshot(output)
    assert json.loads(left.pop("fault.json"))["fault"]["code"] == case.code
    assert left == earlier


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def assert_one_error(result: Result, code: str, says: str) -> None:
    assert "Traceback" not in result.err
    found = re.findall(r"(?m)^error\[([a-z-]+)\]: (.*)$", result.err)
    assert [one for one, _ in found] == [code], result.err
    assert says in found[0][1]
    assert re.search(r"(?m)^  hint: \S", result.err)
    assert not re.search(r"(?m)^\s*::", result.err), "a workflow command got through"
    assert result.out == ""


class TestOutput:
    @pytest.mark.parametrize("place", [".", "build", "../project/deep/er"])
    def test_inside_the_project(
        self, overflow: Callable[..., Result], offline: None, project: ProjectFolder, place: str
    ) -> None:
        before = snapshot(project.path)
        result = overflow("build", project.path, "--output", project.path / place)
        assert result.exit_code == 2
        assert_one_error(result, "output-inside-project", "is inside the project")
        assert snapshot(project.path) == before

    def test_unwritable(
        self, overflow: Callable[..., Result], offline: None, project: ProjectFolder, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("", encoding="utf-8")
        result = overflow("build", project.path, "--output", tmp_path / "file" / "output")
        assert result.exit_code == 2
        assert_one_error(result, "output-unwritable", "cannot be written")

    def test_missing(
        self, overflow: Callable[..., Result], offline: None, project: ProjectFolder
    ) -> None:
        result = overflow("build", project.path)
        assert result.exit_code == 2
        assert_one_error(result, "option-invalid", "--output")

    def test_a_new_folder_is_gone_after_a_failure(
        self, overflow: Callable[..., Result], offline: None, project: ProjectFolder, tmp_path: Path
    ) -> None:
        result = overflow("build", project.path, "--output", tmp_path / "new", "--handler", "no.no")
        assert result.exit_code == 2
        assert not (tmp_path / "new").exists()


class TestUvFails:
    def test_index_down_when_locking(
        self,
        overflow: Callable[..., Result],
        offline: None,
        index: LocalIndex,
        project: ProjectFolder,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cold-cache"))
        index.fail = True
        options = ("--output", tmp_path / "output", "--python", VERSION)
        result = overflow("build", project.path, *options)
        assert result.exit_code == 4
        assert_one_error(result, "lock-failed", "exit code")
        assert "  | " in result.err, "uv's own words are shown"
        assert not (project.path / "uv.lock").exists()

    def test_index_down_when_installing(
        self,
        build: Callable[..., Built],
        index: LocalIndex,
        project: ProjectFolder,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        build(project)
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cold-cache"))
        index.fail = True
        assert "error[install-failed]" in build(project, exit_code=4).err

    def test_unsatisfiable(self, build: Callable[..., Built], tmp_path: Path) -> None:
        project = make_project(tmp_path / "project", "alpha>=7")
        built = build(project, exit_code=4)
        assert "error[lock-failed]" in built.err
        assert "alpha" in built.err


def test_python_that_is_not_here(
    overflow: Callable[..., Result],
    offline: None,
    project: ProjectFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr("overflow.pythons.sys.version_info", (3, 9, 0))
    monkeypatch.setattr("overflow.uv.Uv.find_python", lambda *_: None)
    result = overflow("build", project.path, "--output", tmp_path / "output", "--python", "3.13")
    assert result.exit_code == 2
    assert_one_error(result, "python-missing", "Python 3.13")
    assert "uv python install 3.13" in result.err
    assert not (project.path / "uv.lock").exists(), "said before anything else"


def test_a_bug_of_ours_is_told_from_a_fault(
    overflow: Callable[..., Result],
    offline: None,
    project: ProjectFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("::error::oops")

    monkeypatch.setattr("overflow.preparation.measure", broken)
    options = ("--output", tmp_path / "output", "--python", VERSION)
    result = overflow("build", project.path, *options)
    assert result.exit_code == 1
    assert "error[bug]" in result.err
    assert "ZeroDivisionError" in result.err


def test_a_full_disk_is_a_fault(
    overflow: Callable[..., Result],
    offline: None,
    project: ProjectFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "function.zip")

    monkeypatch.setattr("overflow.pipeline.write_zip", full)
    options = ("--output", tmp_path / "output", "--python", VERSION)
    result = overflow("build", project.path, *options)
    assert result.exit_code == 2
    assert_one_error(result, "file-system", "No space left on device")
    assert not (tmp_path / "output").exists()
