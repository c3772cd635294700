"""Locking: project and lock on disk, with uv played by a stand-in."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from overflow import locking
from overflow.errors import InputFault, UvFault
from overflow.report import Place
from tests.unit.builders import lock_toml, target, write

if TYPE_CHECKING:
    from overflow.uv import Uv

PROJECT = '[project]\nname = "app"\n'
WORKSPACE = '[tool.uv.workspace]\nmembers = ["app/*"]\nexclude = ["app/not"]\n'
LOCK = lock_toml('name = "alpha"\nversion = "1.0"')
PYTHON = Path("/python")


class Stand:
    """Stands in for Uv: writes the lock that it is told to."""

    def __init__(self, lock: str | None = LOCK) -> None:
        self.text = lock
        self.did: list[str] = []

    def check_lock(self, project: Path, python: Path) -> None:
        self.did.append("check")

    def lock(self, project: Path, python: Path) -> None:
        self.did.append("lock")
        if self.text is not None:
            (project / "uv.lock").write_text(self.text)

    def add_requirements(self, project: Path, requirements: Path, python: Path) -> None:
        self.did.append(f"add {requirements.read_text()}")
        self.lock(project, python)


def locked(folder: Path, stand: Stand) -> locking.Locked:
    return locking.lock_project(folder, uv=cast("Uv", stand), python=PYTHON, kept=True)


def test_project_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": PROJECT, "requirements.txt": "x"})
    found = locking.read_project(tmp_path)
    assert found is not None
    assert found.name == "app"


def test_requirements_stand_in_for_a_project(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "alpha"})
    assert locking.read_project(tmp_path) is None
    stand = Stand()
    found = locking.lock_requirements(
        tmp_path, tmp_path / "work", cast("Uv", stand), PYTHON, target("3.12")
    )
    assert stand.did == ["add alpha", "lock"]
    assert found.folder == tmp_path / "work"
    assert "requirements.txt" in found.made
    assert found.declared == {"alpha": Place(file="requirements.txt", line=1)}
    made = locking.read_project(tmp_path / "work")
    assert made is not None
    assert (made.name, made.requires_python) == (locking.requirements_project().name, "==3.12.*")


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (None, "pyproject-missing", "pyproject.toml: does not exist"),
        (b"[project", "pyproject-invalid", "not valid TOML"),
        (b"x" * 9_000_000, "pyproject-too-large", "at most 8.0 MB is read"),
    ],
    ids=["missing", "invalid", "too large"],
)
def test_project_that_cannot_be_read(
    tmp_path: Path, text: bytes | None, code: str, said: str
) -> None:
    if text is not None:
        write(tmp_path, {"pyproject.toml": text})
    with pytest.raises(InputFault) as raised:
        locking.read_project(tmp_path)
    assert raised.value.code == code
    assert said in raised.value.message


def test_file_in_place_of_the_project(tmp_path: Path) -> None:
    write(tmp_path, {"afile": b""})
    with pytest.raises(InputFault) as raised:
        locking.read_project(tmp_path / "afile")
    assert raised.value.code == "pyproject-missing"
    assert raised.value.message == f"{tmp_path}/afile: is a file, not a folder"
    assert raised.value.hint.startswith("name the project's folder")


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").mkdir()
    with pytest.raises(InputFault) as raised:
        locking.read_project(tmp_path)
    assert raised.value.code == "not-readable"


@pytest.mark.parametrize(
    ("text", "pinned"),
    [(None, None), ("3.12\n", "3.12"), ("\n 3.12 \n3.11\n", "3.12"), ("", None), ("\xff", "\xff")],
)
def test_pinned_python(tmp_path: Path, text: str | None, pinned: str | None) -> None:
    if text is not None:
        write(tmp_path, {".python-version": text})
    assert locking.read_pinned_python(tmp_path) == pinned


def test_lock_that_is_there_is_checked(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": PROJECT, "uv.lock": LOCK})
    stand = Stand()
    found = locked(tmp_path, stand)
    assert stand.did == ["check"]
    assert [package.name for package in found.lock.packages] == ["alpha"]
    assert found.made == ""
    assert found.declared == {"alpha": Place(file="uv.lock", line=6)}


def test_lock_that_is_missing_is_made_and_said(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": PROJECT})
    stand = Stand()
    found = locked(tmp_path, stand)
    assert "there was no uv.lock" in found.made
    assert found.declared == {}, "nobody sees a line of a lock that is not committed"
    assert stand.did == ["lock"]
    assert (tmp_path / "uv.lock").is_file()


def test_uv_that_makes_no_lock(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": PROJECT})
    with pytest.raises(UvFault) as raised:
        locked(tmp_path, Stand(lock=None))
    assert raised.value.code == "lock-failed"


def stop() -> None:
    raise KeyError


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("was_there", [False, True])
def test_lock_that_was_made_meanwhile_is_taken_back(
    tmp_path: Path, was_there: bool, fails: bool
) -> None:
    if was_there:
        write(tmp_path, {"uv.lock": "old"})
    outcome = pytest.raises(KeyError) if fails else nullcontext()
    with outcome, locking.lock_taken_back(tmp_path):
        write(tmp_path, {"uv.lock": "new"})
        if fails:
            stop()
    assert (tmp_path / "uv.lock").exists() is was_there


def test_lock_of_the_workspace(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": WORKSPACE, "uv.lock": LOCK, "app/x/pyproject.toml": ""})
    assert locking.find_lock(tmp_path / "app" / "x") == tmp_path / "uv.lock"


def test_where_a_member_of_a_workspace_declares(tmp_path: Path) -> None:
    """Its own pyproject.toml comes first; the lock's path is relative to the member."""
    asks = PROJECT + 'dependencies = ["Beta"]\n'
    text = lock_toml('name = "alpha"\nversion = "1.0"', 'name = "beta"\nversion = "1.0"')
    files = {"pyproject.toml": WORKSPACE, "uv.lock": text, "app/x/pyproject.toml": asks}
    write(tmp_path, files)
    assert locked(tmp_path / "app" / "x", Stand()).declared == {
        "alpha": Place(file="../../uv.lock", line=6),
        "beta": Place(file="pyproject.toml", line=3),
    }


def test_project_that_is_no_text_declares_nothing_and_fails_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": b"\xff\xfe[project]\n", "uv.lock": LOCK})
    assert set(locked(tmp_path, Stand()).declared) == {"alpha"}


@pytest.mark.parametrize("place", ["app/not", "elsewhere/x", "app/x/deeper"])
def test_lock_of_a_workspace_that_we_are_no_member_of(tmp_path: Path, place: str) -> None:
    write(tmp_path, {"pyproject.toml": WORKSPACE, "uv.lock": LOCK, f"{place}/pyproject.toml": ""})
    assert locking.find_lock(tmp_path / place) is None


@pytest.mark.parametrize("line", ["--index-url https://x/simple", "-i https://x", "-f wheels"])
def test_requirements_that_choose_an_index_are_refused(tmp_path: Path, line: str) -> None:
    write(tmp_path, {"requirements.txt": "-r more.txt\n", "more.txt": f"alpha\n  {line}\n"})
    with pytest.raises(InputFault) as raised:
        locking.check_requirements(tmp_path / "requirements.txt")
    assert raised.value.code == "requirements-option"
    assert raised.value.message.startswith("more.txt, line 2: -")


def test_requirements_that_name_each_other(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "-r more.txt\n", "more.txt": "-c requirements.txt\n"})
    assert locking.check_requirements(tmp_path / "requirements.txt") == frozenset()
    (tmp_path / "more.txt").unlink()
    with pytest.raises(InputFault) as raised:
        locking.check_requirements(tmp_path / "requirements.txt")
    assert raised.value.code == "requirements-missing"


@pytest.mark.parametrize("above", [None, "", PROJECT, "tool = 3\n", "[tool]\nuv = 1\n"])
def test_lock_of_a_stranger_above_is_not_ours(tmp_path: Path, above: str | None) -> None:
    write(tmp_path, {"uv.lock": LOCK, "app/pyproject.toml": PROJECT})
    if above is not None:
        write(tmp_path, {"pyproject.toml": above})
    assert locking.find_lock(tmp_path / "app") is None


def test_lock_too_large_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "uv.lock").open("wb") as stream:
        stream.truncate(200 * 1024 * 1024)
    with pytest.raises(InputFault) as raised:
        locking.read_lock(tmp_path / "uv.lock")
    assert "uv.lock: 200.0 MB, at most 128.0 MB is read" in raised.value.message
