"""A `docker` command that writes down what it is asked, and runs "containers" on this machine.

Run as a script it is that command, so nothing but the standard library is imported here. A folder
holds `state.json`, how the engine is to behave, and `calls.jsonl`, what it was asked.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FLAGS = frozenset({"--rm", "--init", "--read-only"})
"""Options of `docker run` without a value; all others that are used have one."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One time that the command was started."""

    arguments: list[str]
    environ: dict[str, str]
    folder: str

    def values(self, option: str) -> list[str]:
        """The values of an option that may be given more than once."""
        return [self.arguments[at + 1] for at, one in enumerate(self.arguments) if one == option]


@dataclass(frozen=True, kw_only=True)
class FakeDocker:
    """The command `docker` in a folder for PATH.

    server: the engine's operating system, None where none answers. images: names that are here.
    pulls, builds: whether that succeeds. run_exit: what `run` ends with, None to run it for real.
    """

    folder: Path

    @classmethod
    def install(cls, folder: Path, **state: Any) -> FakeDocker:
        """Make it; `state` is what differs from an engine that can do everything."""
        folder.mkdir(parents=True)
        docker = cls(folder=folder)
        usual = {"server": "linux", "images": [], "pulls": True, "builds": True, "run_exit": None}
        docker.state(**{**usual, **state})
        command = folder / "docker"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{__file__}" "{folder}" "$@"\n')
        command.chmod(0o755)
        return docker

    def state(self, **changed: Any) -> None:
        """Have the engine behave otherwise."""
        place = self.folder / "state.json"
        earlier = json.loads(place.read_text()) if place.exists() else {}
        place.write_text(json.dumps({**earlier, **changed}))

    def calls(self, *beginning: str) -> list[Call]:
        """What was asked, in order, of what begins so."""
        place = self.folder / "calls.jsonl"
        lines = place.read_text().splitlines() if place.exists() else []
        calls = [Call(**json.loads(line)) for line in lines]
        return [one for one in calls if tuple(one.arguments[: len(beginning)]) == beginning]


def main(folder: Path, arguments: list[str]) -> int:
    """What `docker ARGUMENTS` does; gives the exit code."""
    call = {"arguments": arguments, "environ": dict(os.environ), "folder": str(Path.cwd())}
    with (folder / "calls.jsonl").open("a") as stream:
        stream.write(json.dumps(call) + "\n")
    state = json.loads((folder / "state.json").read_text())
    if arguments[0] == "run" and state["run_exit"] is None:
        return run(arguments[1:])
    exit_code, output, errors = answer(arguments, state)
    sys.stdout.write(output)
    sys.stderr.write(errors)
    return exit_code


def answer(arguments: Sequence[str], state: Mapping[str, Any]) -> tuple[int, str, str]:
    """Exit code, output and errors of a command that runs nothing."""
    found = (64, "", f"not known here: {arguments}\n")
    if state["server"] is None:
        return 1, "", "Cannot connect to the Docker daemon\n"
    match arguments:
        case ["version", "--format", "{{.Server.Os}}"]:
            found = (0, state["server"] + "\n", "")
        case ["image", "inspect", "--format", "{{.Id}}", name]:
            found = (int(name not in state["images"]), "sha256:0\n", "")
        case ["pull", "--quiet", _]:
            found = (int(not state["pulls"]), "", "")
        case ["build", "--quiet", "--tag", *_]:
            found = (0, "", "") if state["builds"] else (1, "", "step 3 failed\n")
        case ["kill", _]:
            found = (0, "", "")
        case ["run", *_]:
            found = (state["run_exit"], "", "")
    return found


def run(arguments: Sequence[str]) -> int:
    """`docker run`: the command as a child, with the container's variables alone.

    Nothing is mounted; paths of the container are translated to what is mounted there.
    """
    options, command = parsed(arguments)
    mounts = dict(mounted(options["--mount"]))
    environ = {"PATH": os.environ["PATH"]}
    for given in options["--env"]:
        name, has_value, value = given.partition("=")
        if has_value or name in os.environ:
            environ[name] = on_host(value if has_value else os.environ[name], mounts)
    os.chdir(on_host(options["--workdir"][0], mounts))
    python = [sys.executable, "-I"]  # the image's entry point
    os.execve(python[0], [*python, *(on_host(one, mounts) for one in command)], environ)


def parsed(arguments: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The options by name, and what is run in the image."""
    options: dict[str, list[str]] = {"--mount": [], "--env": [], "--workdir": ["/"]}
    at = 0
    while arguments[at].startswith("--"):
        if arguments[at] in FLAGS:
            at += 1
            continue
        options.setdefault(arguments[at], [])
        options[arguments[at]] += [arguments[at + 1]]
        at += 2
    options["--workdir"] = options["--workdir"][-1:]
    return options, list(arguments[at + 1 :])


def mounted(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Target and source of each mount, the longest target first."""
    rows = [next(csv.reader([argument])) for argument in arguments]
    fields = [dict(field.partition("=")[::2] for field in row) for row in rows]
    pairs = [(field["target"], field["source"]) for field in fields]
    return sorted(pairs, key=lambda pair: -len(pair[0]))


def on_host(value: str, mounts: Mapping[str, str]) -> str:
    """A path of the container as the host has it; what is no such path stays."""
    for target, source in mounts.items():
        if value == target or value.startswith(target + "/"):
            return source + value[len(target) :]
    return value


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
