"""A job's workspace for tests: a real git repository, and the runner's variables and files."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support import wheels
from tests.unit.runner import parse_command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REPOSITORY = "octo/project"

GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Somebody",
    "GIT_AUTHOR_EMAIL": "somebody@example.org",
    "GIT_COMMITTER_NAME": "Somebody",
    "GIT_COMMITTER_EMAIL": "somebody@example.org",
}
"""Git as on a machine that nobody has set up."""


HOSTILE_OUTPUT = """
::error file=app.py,line=1::pwned
  ::set-output name=outcome::pwned
::add-mask::e
x ##[error]pwned ##[set-env name=PWNED;]yes
::stop-commands::pwned
::pwned::
"""

SPY = """

def _spy() -> None:
    import os
    import sys

    seen = Path({seen!r})
    seen.mkdir(parents=True, exist_ok=True)
    (seen / f"{{os.getpid()}}.json").write_text(json.dumps(dict(os.environ)))
    for stream in (sys.stdout, sys.stderr):
        stream.write({hostile!r})
        stream.flush()
    {more}


_spy()
"""


def git(folder: Path, *arguments: str) -> str:
    """Run git; gives what it prints."""
    environ = {"PATH": os.environ["PATH"], "HOME": os.devnull, **GIT}
    command = ["git", "-c", "protocol.file.allow=always", "-C", str(folder), *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout.strip()


def commit(folder: Path, message: str = "a change") -> str:
    """Commit everything in a folder, which becomes a repository; gives the commit's id."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file below a folder, with mode, time and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = str(path.readlink()).encode() if path.is_symlink() else b""
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, content)
    return found


def effective_commands(log: str) -> list[tuple[str, dict[str, str], str]]:
    """The workflow commands in a step's log that the runner would carry out.

    After actions/runner, ActionCommandManager.cs: between `stop-commands` and its token nothing
    counts; the old form `##[...]` counts anywhere in a line.
    """
    found, token = [], None
    for line in log.split("\n"):
        parsed = parse_command(line)
        if token is not None:
            token = None if parsed and parsed[0] == token else token
        elif parsed and parsed[0] == "stop-commands":
            token = parsed[2]
        elif parsed:
            found.append(parsed)
        elif "##[" in line:
            found.append(("##[", {}, line))
    assert token is None, "commands are stopped for good"
    return found


def spy_on(package: Path, seen: Path, more: str = "") -> None:
    """Have a package's build hook write its variables below `seen`, and print what it may not."""
    backend = package / f"{wheels.BACKEND}.py"
    code = SPY.format(seen=str(seen), hostile=HOSTILE_OUTPUT, more=more)
    backend.write_text(backend.read_text("utf-8") + code, encoding="utf-8")


def seen_by(seen: Path) -> list[dict[str, str]]:
    """The variables that each run of the hook saw."""
    return [json.loads(path.read_text("utf-8")) for path in sorted(seen.glob("*.json"))]


@dataclass(frozen=True, kw_only=True)
class Runner:
    """A runner's folders, and the variables that one job's steps get."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Runner:
        """A runner with an empty workspace."""
        runner = cls(folder=folder)
        for place in (runner.workspace, runner.temp):
            place.mkdir(parents=True)
        runner.event({})
        return runner

    @property
    def workspace(self) -> Path:
        return self.folder / "work" / "project" / "project"

    @property
    def temp(self) -> Path:
        return self.folder / "work" / "_temp"

    @property
    def work(self) -> Path:
        """The action's own folder."""
        return self.temp / "overflow"

    @property
    def boxes(self) -> list[Path]:
        """The sandboxes' folders that are there."""
        return sorted(self.work.glob("box-*"))

    def event(self, content: Mapping[str, Any]) -> None:
        """What the job runs for."""
        (self.folder / "event.json").write_text(json.dumps(content), encoding="utf-8")

    def pull_request(self, base: str, head: str, *, number: int = 7) -> None:
        """It runs for a pull request."""
        pull = {
            "number": number,
            "base": {"ref": "main", "sha": base},
            "head": {"ref": "change", "sha": head, "repo": {"full_name": REPOSITORY}},
        }
        self.event({"pull_request": pull})

    def environ(self, **more: str) -> dict[str, str]:
        """The variables of a step."""
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_API_URL": "http://127.0.0.1:9",
            "GITHUB_WORKFLOW": "CI",
            "GITHUB_JOB": "bundle",
            "GITHUB_RUN_ID": "77",
            "GITHUB_SHA": "c" * 40,
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(self.folder / "event.json"),
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "RUNNER_TEMP": str(self.temp),
            **more,
        }

    @property
    def outputs(self) -> dict[str, str]:
        """What was written to GITHUB_OUTPUT."""
        found: dict[str, str] = {}
        text = (self.folder / "output").read_bytes().decode()
        lines = iter(text.split("\n"))
        for line in lines:
            if line:
                name, _, delimiter = line.partition("<<")
                found[name] = "\n".join(iter(lines.__next__, delimiter))
        return found

    @property
    def summary(self) -> str:
        return (self.folder / "summary.md").read_text("utf-8")
