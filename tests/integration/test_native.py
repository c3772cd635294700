"""Native: overflow's libraries on the runner, by uv where it is there, else by pip."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from overflow import native
from overflow.errors import InputFault
from overflow.native import REQUIREMENTS, tools_python
from overflow.process import Completed
from overflow.uv import Uv

if TYPE_CHECKING:
    from tests.support.index import LocalIndex

UV = f"""\
#!{sys.executable} -I
import json, os, pathlib, sys
log = pathlib.Path(__file__).parent / "calls.jsonl"
with log.open("a") as stream:
    stream.write(json.dumps([sys.argv[1:], dict(os.environ)]) + "\\n")
if (pathlib.Path(__file__).parent / "fails").exists():
    sys.stderr.write("x" * 9000 + "no such wheel")
    sys.exit(1)
if sys.argv[1] == "venv":
    (pathlib.Path(sys.argv[-1]) / "bin").mkdir(parents=True)
"""
"""Stands in for uv: writes down what it is asked."""


@pytest.fixture
def action(tmp_path: Path, index: LocalIndex) -> Path:
    """An action that needs one distribution of the local index."""
    folder = tmp_path / "action"
    folder.mkdir()
    digest = hashlib.sha256(next(index.folder.glob("beta-*.whl")).read_bytes()).hexdigest()
    (folder / REQUIREMENTS).write_text(f"beta==1.0 --hash=sha256:{digest}\n")
    return folder


@pytest.fixture
def uv(tmp_path: Path) -> Path:
    """A folder for PATH with the stand-in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "uv").write_text(UV)
    (folder / "uv").chmod(0o755)
    return folder


def calls(uv: Path) -> list[tuple[list[str], dict[str, str]]]:
    log = uv / "calls.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def made(action: Path, tmp_path: Path, **environ: str) -> Path:
    (tmp_path / "temp").mkdir(exist_ok=True)
    return tools_python(action, str(tmp_path / "temp"), environ)


def test_uv_is_asked_for_hashes_and_nothing_else(action: Path, uv: Path, tmp_path: Path) -> None:
    python = made(action, tmp_path, PATH=str(uv))
    folder = python.parent.parent
    venv, install = (" ".join(arguments) for arguments, _ in calls(uv))
    assert venv == f"venv --quiet --no-config --python {sys.executable} {folder}"
    hashes = f"--require-hashes --requirement {action / REQUIREMENTS}"
    assert install == f"pip install --quiet --no-config --python {python} {hashes}"
    assert folder.parent == tmp_path / "temp" / "overflow-tools"


def test_made_once(action: Path, uv: Path, tmp_path: Path) -> None:
    first = made(action, tmp_path, PATH=str(uv))
    assert made(action, tmp_path, PATH=str(uv)) == first
    assert len(calls(uv)) == 2


def test_other_requirements_are_another_environment(action: Path, uv: Path, tmp_path: Path) -> None:
    first = made(action, tmp_path, PATH=str(uv))
    (action / REQUIREMENTS).write_text("other\n")
    assert made(action, tmp_path, PATH=str(uv)) != first


def test_other_interpreter_is_another_environment(
    action: Path, uv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(action, tmp_path, PATH=str(uv))
    monkeypatch.setattr(sys, "executable", "/elsewhere/python3")
    assert made(action, tmp_path, PATH=str(uv)) != first


def test_one_that_was_left_half_made_is_made_anew(action: Path, uv: Path, tmp_path: Path) -> None:
    folder = made(action, tmp_path, PATH=str(uv)).parent.parent
    (folder / "complete").unlink()
    (folder / "left").write_text("x")
    assert made(action, tmp_path, PATH=str(uv)).parent.parent == folder
    assert len(calls(uv)) == 4
    assert not (folder / "left").exists()
    assert (folder / "complete").exists()


@pytest.mark.parametrize("cache", ["there", "gone", ""])
def test_kept_in_the_tool_cache(action: Path, uv: Path, tmp_path: Path, cache: str) -> None:
    (tmp_path / "there").mkdir()
    place = str(tmp_path / cache) if cache else ""
    python = made(action, tmp_path, PATH=str(uv), RUNNER_TOOL_CACHE=place)
    assert python.is_relative_to(tmp_path / ("there" if cache == "there" else "temp"))


def test_tool_cache_that_may_not_be_written(
    action: Path, uv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked of the system, since root may write everywhere."""
    (tmp_path / "there").mkdir()
    access = os.access

    def may(path: str | Path, mode: int) -> bool:
        return str(path) != str(tmp_path / "there") and access(path, mode)

    monkeypatch.setattr(os, "access", may)
    python = made(action, tmp_path, PATH=str(uv), RUNNER_TOOL_CACHE=str(tmp_path / "there"))
    assert python.is_relative_to(tmp_path / "temp")


def test_failure_says_why_and_leaves_nothing_that_counts(
    action: Path, uv: Path, tmp_path: Path
) -> None:
    (uv / "fails").touch()
    with pytest.raises(InputFault) as raised:
        made(action, tmp_path, PATH=str(uv))
    assert raised.value.code == "tools-unavailable"
    assert raised.value.details.endswith("no such wheel")
    assert len(raised.value.details) == 4000
    (uv / "fails").unlink()
    made(action, tmp_path, PATH=str(uv))
    assert len(calls(uv)) == 3


def test_installers_see_the_index_and_no_token(action: Path, uv: Path, tmp_path: Path) -> None:
    given = {"PIP_INDEX_URL": "https://i.example", "UV_DEFAULT_INDEX": "https://u.example"}
    secrets = dict.fromkeys(["GITHUB_TOKEN", "OVERFLOW_TOKEN", "ACTIONS_RUNTIME_TOKEN"], "s3cret")
    made(action, tmp_path, PATH=str(uv), **given, **secrets)
    for _, environ in calls(uv):
        assert given.items() <= environ.items()
        assert "s3cret" not in environ.values()


def installed(python: Path) -> str:
    code = "import beta; print(beta.__file__)"
    command = [str(python), "-I", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.usefixtures("offline")
def test_with_the_real_uv(action: Path, tmp_path: Path) -> None:
    folder = Path(Uv.bundled(os.environ).binary).parent
    path = f"{folder}:{os.environ['PATH']}"
    python = made(action, tmp_path, **{**os.environ, "PATH": path})
    assert str(tmp_path) in installed(python)
    wrong = (action / REQUIREMENTS).read_text().replace("sha256:", "sha256:0000")[:-5]
    (action / REQUIREMENTS).write_text(wrong)
    with pytest.raises(InputFault):
        made(action, tmp_path, **{**os.environ, "PATH": path})


def nothing(name: str, *, path: str | None) -> None:
    assert name == "uv"


def test_pip_is_asked_for_wheels_by_hash_and_nothing_else(
    action: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> Completed:
        asked.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir()
        return Completed(exit_code=0, output="", errors="")

    monkeypatch.setattr(native, "run", run)
    python = made(action, tmp_path, PATH=str(tmp_path))
    venv, install = asked
    assert venv == [sys.executable, "-I", "-m", "venv", str(python.parent.parent)]
    assert install[:5] == [str(python), "-I", "-m", "pip", "install"]
    assert {"--no-deps", "--only-binary=:all:", "--require-hashes"} <= set(install)
    assert install[-1] == str(action / REQUIREMENTS)


@pytest.mark.usefixtures("offline")
def test_with_pip_where_there_is_no_uv(
    action: Path, tmp_path: Path, index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", nothing)
    environ = {
        "PATH": os.environ["PATH"],
        "PIP_INDEX_URL": index.url,
        "PIP_CONFIG_FILE": os.devnull,
    }
    assert str(tmp_path) in installed(made(action, tmp_path, **environ))
