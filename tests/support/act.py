"""Run a workflow on this machine with nektos/act, and read back what GitHub would have kept."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_LEVELS = frozenset(["error", "warning", "notice"])
_COMMANDS = _LEVELS.union(
    "add-mask add-matcher add-path debug echo endgroup group internal-set-repo-path remove-matcher "
    "save-state set-env set-output stop-commands".split()
)
_V1 = re.compile(r"##\[([^ \]]*)([^\]]*)\](.*)", re.DOTALL)
_V2 = re.compile(r"\s*::(.*?)::(.*)", re.DOTALL)
_V1_ESCAPES = {"%3B": ";", "%0D": "\r", "%0A": "\n", "%5D": "]"}
# What stands for the percent sign comes last, or %250A would become a new line.
_DATA_ESCAPES = {"%0D": "\r", "%0A": "\n", "%25": "%"}
_PROPERTY_ESCAPES = {"%3A": ":", "%2C": ",", **_DATA_ESCAPES}

TOKEN = "ghs_" + "0Token1OfTheTests2" * 2
"""The GITHUB_TOKEN of a run that names no other."""


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """An error, warning or notice, with properties such as file, line and title."""

    level: str
    message: str
    properties: Mapping[str, str]


@dataclass(kw_only=True)
class Step:
    """One step that began: its outputs, summary and lines, without those of steps inside it.

    `result` is success, failure or, where act broke off, empty. `lines` has what the step printed,
    workflow commands included.
    """

    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    lines: list[str] = field(default_factory=list)
    result: str = ""

    @property
    def annotations(self) -> list[Annotation]:
        """What GitHub's runner would make of the lines; it would keep ten of each level."""
        return list(_annotations(self.lines))


@dataclass(kw_only=True)
class Job:
    """One job, or one leg of a matrix; steps in a composite have names such as `build.upload`.

    A step without an id has its number, from 0. A step that was skipped isn't there. act has one
    `result` for all legs: a leg that ends after another failed has failed too.
    """

    id: str
    matrix: Mapping[str, Any]
    steps: dict[str, Step] = field(default_factory=dict)
    result: str = ""

    @property
    def summary(self) -> str:
        """The summaries of all steps, one after the other."""
        return "".join(step.summary for step in self.steps.values())

    @property
    def annotations(self) -> list[Annotation]:
        """Those of all steps."""
        return [one for step in self.steps.values() for one in step.annotations]


@dataclass(frozen=True, kw_only=True)
class ActRun:
    """A finished run; `log` has all that was printed, nothing masked, one line a message."""

    exit_code: int
    log: str
    jobs: tuple[Job, ...]

    def job(self, name: str, **matrix: object) -> Job:
        """Give the one job of that id, and of that leg where it has a matrix."""
        found = [
            job
            for job in self.jobs
            if job.id == name and matrix.items() <= dict(job.matrix).items()
        ]
        if len(found) != 1:
            raise LookupError(f"{len(found)} jobs are {name} {matrix}:\n{self.log}")
        return found[0]


def missing_tools() -> list[str]:
    """Name what is needed and not on this machine."""
    return [name for name in ("act", "git", "node", "npm") if _find(name) is None]


def run_workflow(
    repository: Path,
    workflow: str,
    *,
    event: Mapping[str, Any],
    event_name: str = "pull_request",
    env: Mapping[str, str],
    secrets: Mapping[str, str] | None = None,
    local: Mapping[str, Path],
    job: str | None = None,
    matrix: Mapping[str, str] | None = None,
    timeout: float = 120.0,
    user: int | None = None,
    path: str = "",
) -> ActRun:
    """Run `workflow`, a path in the git repository `repository`, and give what came of it.

    `env` is what the runner's machine would have set, `local` the folders that stand for actions
    such as `actions/upload-artifact@v7`; all that a composite names must be there, also those that
    its `if:` leaves out. Steps see the repository's files as of now, in a copy that is gone after
    the run, and of this process's variables only PATH. Job outputs are not in act's log: a job that
    `needs` the first can hand them on as outputs of a step. `timeout` is in seconds; past it the
    run is ended and subprocess.TimeoutExpired raised. With `user`, which takes root, everything
    runs as that uid and in the group of Docker's socket, on a PATH of the system's own folders.
    `path` comes before what is on the PATH.
    """
    with tempfile.TemporaryDirectory(prefix="act-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        (home / "event.json").write_text(json.dumps(event))
        # The ending lets act read YAML, of which JSON is a part: values may have several lines.
        (home / "secrets.yaml").write_text(json.dumps({"GITHUB_TOKEN": TOKEN, **(secrets or {})}))
        name = event.get("repository", {}).get("full_name")
        options = [
            *("--directory", str(repository.resolve()), "--workflows", workflow),
            *_options("--env", "=", {**({"GITHUB_REPOSITORY": name} if name else {}), **env}),
            *_options("--local-repository", "=", {k: str(v.resolve()) for k, v in local.items()}),
            *_options("--matrix", ":", matrix or {}),
            *(("--job", job) if job else ()),
        ]
        exit_code, output, errors = _run_act([event_name, *options], home, timeout, user, path)
    entries = list(_entries(output))
    log = "\n".join([*(str(entry["msg"]).rstrip("\n") for entry in entries), errors])
    return ActRun(exit_code=exit_code, log=log, jobs=_jobs(entries))


def _find(name: str) -> str | None:
    # The tests' own environment need not be on PATH, and act is installed into it.
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return shutil.which(name, path=os.pathsep.join(places))


def _options(option: str, between: str, values: Mapping[str, str]) -> list[str]:
    return [part for name, value in values.items() for part in (option, f"{name}{between}{value}")]


def _as_user(home: Path, user: int) -> dict[str, Any]:
    """Popen's arguments for a user, whose own `home` becomes; act itself is copied into it."""
    shutil.copy2(_find("act") or "act", home / "act")
    for path in (home, *home.rglob("*")):
        os.chown(path, user, user)
    socket = Path("/var/run/docker.sock")
    groups = [socket.stat().st_gid] if socket.exists() else []
    return {"user": user, "group": user, "extra_groups": groups, "umask": 0o022}


def _run_act(
    arguments: list[str], home: Path, timeout: float, user: int | None, path: str
) -> tuple[int, str, str]:
    """Run act with nothing of the developer's, and give its exit code, output and errors."""
    # Without it, act reads .env, .input and .vars.
    empty = str(home / "empty")
    Path(empty).touch()
    fixed = [
        *("--platform", "ubuntu-latest=-self-hosted", "--pull=false", "--no-cache-server"),
        *("--eventpath", str(home / "event.json"), "--secret-file", str(home / "secrets.yaml")),
        *("--env-file", empty, "--input-file", empty, "--var-file", empty),
        # With masks a log could not show that a secret was printed.
        *("--json", "--insecure-secrets"),
    ]
    more = {} if user is None else _as_user(home, user)
    path += os.environ.get("PATH", os.defpath) if user is None else "/usr/local/bin:/usr/bin:/bin"
    process = subprocess.Popen(
        [_find("act") or "act" if user is None else str(home / "act"), *arguments, *fixed],
        # Steps get act's own variables and more; .actrc is looked for in both of these folders.
        env={"PATH": path, "HOME": str(home), "LANG": "C.UTF-8"},
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        **more,
    )
    with process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except BaseException:
            _end(process)
            raise
    return process.returncode, output, errors


def _end(process: subprocess.Popen[str]) -> None:
    """Let act end its steps, which have sessions of their own; then end it for certain."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()


def _entries(output: str) -> Iterator[dict[str, Any]]:
    for line in filter(None, output.split("\n")):
        entry = json.loads(line)
        if not isinstance(entry, dict) or "msg" not in entry:
            raise TypeError(f"not an entry of act's log: {line}")
        yield entry


def _jobs(entries: list[dict[str, Any]]) -> tuple[Job, ...]:
    jobs: dict[str, Job] = {}
    for entry in entries:
        if "jobID" not in entry:
            continue
        job = jobs.setdefault(
            entry["job"], Job(id=entry["jobID"], matrix=entry.get("matrix") or {})
        )
        job.result = entry.get("jobResult", job.result)
        if entry.get("stage") == "Main" and "stepID" in entry:
            _read(entry, ".".join(entry["stepID"]), job.steps)
    return tuple(jobs.values())


def _read(entry: dict[str, Any], name: str, steps: dict[str, Step]) -> None:
    step = steps.setdefault(name, Step())
    # All steps write to the same files, which act reads once more at the end of a composite:
    # what comes after its result is the last inner step's, and not on GitHub.
    echo = bool(step.result) and any(other.startswith(f"{name}.") for other in steps)
    command = entry.get("command")
    if "stepResult" in entry:
        step.result = entry["stepResult"]
    elif entry.get("raw_output") or "raw" in entry:
        step.lines.append(entry.get("raw", entry["msg"]).rstrip("\r\n"))
    elif command == "set-output" and not echo:
        step.outputs[entry["name"]] = entry["arg"]
    elif command == "summary" and not echo:
        step.summary += entry["content"]


def _annotations(lines: Iterable[str]) -> Iterator[Annotation]:
    """Find commands as ActionCommand.cs of actions/runner does; act itself misreads some."""
    token = ""
    for line in lines:
        command, properties, data = _command(line, {*_COMMANDS, *filter(None, [token.lower()])})
        if token:
            token = "" if command == token else token
        elif command.lower() == "stop-commands":
            token = data
        elif command.lower() in _LEVELS:
            yield Annotation(level=command.lower(), message=data, properties=properties)


def _command(line: str, known: set[str]) -> tuple[str, dict[str, str], str]:
    """Read a line as `::command a=b::data`, else as the older `##[command a=b]data`."""
    if found := _V2.match(line):
        name, _, rest = found[1].partition(" ")
        if name.lower() in known:
            properties = _properties(rest, ",", _PROPERTY_ESCAPES)
            return name, properties, _unescaped(found[2], _DATA_ESCAPES)
    # The older form counts wherever it stands in the line.
    if (found := _V1.search(line)) and found[1].lower() in known:
        properties = _properties(found[2], ";", _V1_ESCAPES)
        return found[1], properties, _unescaped(found[3], _V1_ESCAPES)
    return "", {}, ""


def _properties(text: str, separator: str, escapes: Mapping[str, str]) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.strip().split(separator) if "=" in part]
    return {name: _unescaped(value, escapes) for name, _, value in pairs}


def _unescaped(text: str, escapes: Mapping[str, str]) -> str:
    for escape, character in escapes.items():
        text = text.replace(escape, character)
    return text
