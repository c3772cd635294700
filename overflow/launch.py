"""Launch: a build or plan in the sandbox, be it a container or a child with few variables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.checkout import copy_workspace
from overflow.engine import Engine, for_docker
from overflow.errors import InputFault
from overflow.native import tools_python
from overflow.process import child_environment, run, watch
from overflow.runner import commands_stopped, notice, say
from overflow.sandbox import CERTIFICATES, Mount, docker_run, handed_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from overflow.context import Context
    from overflow.settings import Settings

APP = "/opt/overflow/app"
"""Where the container sees the action's own code; its Python is the image's entry point."""

CODE = ("entrypoint.py", "overflow", "templates")

HOMES = {"HOME": "home", "TMPDIR": "tmp", "UV_CACHE_DIR": "cache"}
"""Folders of a container's own, all on one mount: uv links files between them."""


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """Where builds of this step run."""

    context: Context
    action: Path
    environ: Mapping[str, str]
    """The step's variables; a build sees those that sandbox.py names."""
    image: str | None
    """None: natively."""
    python: Path | None
    """Natively: the interpreter that has our libraries."""

    def build(self) -> int:
        """Build the workspace's project into the context's output folder; gives the exit code."""
        sources = Path(self.context.workspace)
        if self.image is not None:
            sources = Path(self.context.box, "workspace")
            copy_workspace(Path(self.context.workspace), sources)
        command, environment = self._command([], sources)
        with commands_stopped():
            return watch(command, folder=sources, environment=environment)

    def plan(self, sources: Path) -> tuple[str, str]:
        """What `overflow plan --json` says of the project in a folder, and what it says on the way.

        The first is empty where there is no plan.
        """
        command, environment = self._command(["plan"], sources)
        done = run(command, folder=sources, environment=environment)
        return (done.output if done.exit_code in (0, 3) else ""), done.errors

    def _command(
        self, arguments: Sequence[str], sources: Path
    ) -> tuple[list[str], Mapping[str, str]]:
        """The command that has the project below `sources` built, and its variables."""
        context, given = self.context, handed_in(self.environ)
        folders = {"OVERFLOW_PROJECT": str(sources / context.project)}
        folders["OVERFLOW_OUTPUT"] = context.output
        if self.image is None:
            if context.pull_request is not None and context.pull_request.is_fork:
                given = {**given, "OVERFLOW_NO_START_RECORD": "1"}
            command = [str(self.python), "-I", str(self.action / "entrypoint.py"), *arguments]
            return command, {**child_environment(self.environ), **given, **folders}
        # A build sees its sources where the workspace is, so that what it says names real paths.
        folders["OVERFLOW_PROJECT"] = f"{context.workspace}/{context.project}"
        folders |= {name: f"{context.box}/{folder}" for name, folder in HOMES.items()}
        command = docker_run(
            self.image,
            [f"{APP}/entrypoint.py", *arguments],
            mounts=self._mounts(sources),
            settings={**folders, "LANG": "C.UTF-8"},
            handed_in=given,
            user=(os.getuid(), os.getgid()),
            folder=context.workspace,
        )
        return command, {**for_docker(self.environ), **given}

    def _mounts(self, sources: Path) -> list[Mount]:
        context = self.context
        code = [Mount(source=str(self.action / name), target=f"{APP}/{name}") for name in CODE]
        named = {self.environ[name] for name in CERTIFICATES if self.environ.get(name)}
        certificates = [
            Mount(source=os.path.realpath(path), target=path)
            for path in sorted(named)
            if path.startswith("/") and Path(path).exists()
        ]
        return [
            *code,
            *certificates,
            Mount(source=context.box, target=context.box, writable=True),
            Mount(source=str(sources), target=context.workspace, writable=True),
        ]


def choose_sandbox(
    settings: Settings, context: Context, action: Path, environ: Mapping[str, str]
) -> Sandbox:
    """The sandbox that the settings ask for; `auto` is a container wherever there can be one.

    Raises InputFault `container-unavailable`, `image-missing`, `image-unavailable`,
    `tools-unavailable`.
    """
    for folder in (context.output, *(f"{context.box}/{name}" for name in HOMES.values())):
        Path(folder).mkdir(parents=True, mode=0o700, exist_ok=True)
    image = None if settings.mode == "native" else _image(settings, action, environ)
    python = tools_python(action, context.temp, environ) if image is None else None
    return Sandbox(context=context, action=action, environ=environ, image=image, python=python)


def _image(settings: Settings, action: Path, environ: Mapping[str, str]) -> str | None:
    engine = Engine(action=action, environ=environ)
    try:
        engine.check()
        image, origin = engine.image(settings.image)
    except InputFault as fault:
        if settings.mode == "container" or fault.code == "image-missing":
            raise  # what was asked for by name is not replaced by something else
        notice(f"Building natively: {fault.message}.")
        return None
    say(f"Building in a container of {image} ({origin})")
    return image
