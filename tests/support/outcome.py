"""What a run of the action came to, and what is held against it; projects to run it on."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from overflow.uv import Uv
from tests.support.action import ROOT, Repository, make_repository
from tests.support.docker import PYTHON
from tests.support.pythons import target_python

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.act import ActRun, Job
    from tests.support.artifacts import ArtifactService
    from tests.support.github_api import GitHubApi

GOLDENS = ROOT / "tests" / "e2e" / "goldens"

TOKEN = "ghs_" + "PlantedToken0" * 3
SECRET = "planted-secret-4d2f8b"
PLANTED = {"AWS_SECRET_ACCESS_KEY": SECRET, "SOME_TOKEN": SECRET}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run of the action came to."""

    run: ActRun
    artifacts: ArtifactService
    api: GitHubApi

    def job(self, **leg: str) -> Job:
        return self.run.job("bundle", **leg)

    def outputs(self, **leg: str) -> dict[str, str]:
        look = self.job(**leg).steps["look"].outputs
        found: dict[str, str] = json.loads(look["outputs"])
        return found

    def zip(self, **leg: str) -> bytes:
        return self.artifacts.artifacts[self.outputs(**leg)["artifact-name"]].content

    def record(self, name: str = "report.json") -> dict[str, Any]:
        """A file of the one report artifact."""
        (found,) = [
            one
            for name, one in self.artifacts.artifacts.items()
            if name.startswith("overflow-report-")
        ]
        with zipfile.ZipFile(io.BytesIO(found.content)) as opened:
            content: dict[str, Any] = json.loads(opened.read(name))
        return content

    def comment(self) -> str:
        (comment,) = self.api.comments[7]
        return str(comment["body"])


def uv(*arguments: str, folder: Path) -> None:
    command = [Uv.bundled(os.environ).binary, *arguments, "--python", str(target_python(PYTHON))]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)


def pull_request(folder: Path, before: Path, after: Path, *, branch: str = "feature") -> Repository:
    repository = make_repository(folder, before, branch=branch)
    shutil.copytree(after, folder, dirs_exist_ok=True, symlinks=True)
    repository.commit("The change")
    return repository


def small_project(folder: Path, *, private: int = 0, name: str = "small") -> Path:
    """A project with one small public distribution, and a private one of so many bytes."""
    folder.mkdir(parents=True)
    needs, sources = ['"blinker==1.9.0"'], ""
    if private:
        needs.append('"inhouse"')
        sources = '\n[tool.uv.sources]\ninhouse = {path = "inhouse"}\n'
        inner = folder / "inhouse" / "inhouse"
        inner.mkdir(parents=True)
        (inner / "__init__.py").write_text("")
        (inner / "data.bin").write_bytes(b"\0" * private)
        (folder / "inhouse" / "pyproject.toml").write_text(
            '[project]\nname = "inhouse"\nversion = "1.0"\n'
            '[build-system]\nrequires = ["uv_build"]\nbuild-backend = "uv_build"\n'
            '[tool.uv.build-backend]\nmodule-root = ""\n'
        )
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1.0"\nrequires-python = ">=3.12"\n'
        "dependencies = [\n" + "".join(f"    {one},\n" for one in needs) + "]\n" + sources
    )
    (folder / "app.py").write_text("def handler(event, context):\n    return {}\n")
    uv("lock", folder=folder)
    return folder


def steady(text: str) -> str:
    """Without what changes from commit to commit of this repository and of PyPI's mirrors."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "SHA256", text)
    text = re.sub(r"\b[0-9a-f]{20}\b", "KEY", text)
    text = re.sub(r"\b[0-9a-f]{7,40}\b", "COMMIT", text)
    text = re.sub(r"\b\d+\.\d\d s\b", "SECONDS", text)
    # How it was started, and whether that was remembered, depends on where the build ran.
    text = re.sub(r"(?m)^(Started in .*?\)?\.) Note: .*$", r"\1", text)
    text = re.sub(r"artifacts/\d+", "artifacts/ID", text)
    return re.sub(r"\b\d{1,3}(,\d{3})+(?= \|)", "BYTES", text)


def check_golden(name: str, text: str) -> None:
    golden = GOLDENS / name
    if os.environ.get("OVERFLOW_UPDATE_GOLDENS") == "1":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(steady(text), encoding="utf-8")
    assert steady(text) == golden.read_text(encoding="utf-8")


def check_no_secret(outcome: Outcome) -> None:
    """Nothing planted is in a log, an artifact, a file in one, a summary or a comment."""
    places = [outcome.run.log, json.dumps(outcome.api.comments)]
    places += [job.summary for job in outcome.run.jobs]
    contents = [one.content for one in outcome.artifacts.artifacts.values()]
    for content in list(contents):
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            contents += [opened.read(name) for name in opened.namelist()]
    for secret in (TOKEN, SECRET):
        assert not any(secret in text for text in places)
        assert not any(secret.encode() in content for content in contents)
