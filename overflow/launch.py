"""Launch: a build or plan in the sandbox, be it a container or a child with few variables."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.box import HOMES, Box
from overflow.checkout import copy_workspace
from overflow.engine import Engine, for_docker
from overflow.errors import InputFault
from overflow.native import tools_python
from overflow.options import NO_START_RECORD, NO_VERIFY
from overflow.process import child_environment, watch
from overflow.runner import commands_stopped, notice, say
from overflow.sandbox import CERTIFICATES, Mount, docker_run, handed_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from overflow.context import Context
    from overflow.settings import Settings

APP = "/opt/overflow/app"
"""Where the container sees the action's own code; its Python is the image's entry point."""

CODE = ("entrypoint.py", "overflow", "templates")


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

    def build(self, box: Box) -> int:
        """Build the workspace's project into the box; gives the exit code."""
        sources = Path(self.context.workspace)
        if self.image is not None:
            copy_workspace(sources, box.sources)
            sources = box.sources
        return self._run([], box, sources)

    def plan(self, box: Box) -> int:
        """Plan the project in the box's sources, report.json and all; gives the exit code."""
        return self._run(["plan"], box, box.sources)

    def _run(self, arguments: Sequence[str], box: Box, sources: Path) -> int:
        name = f"overflow-{secrets.token_hex(8)}"
        command, environment = self._command(arguments, box, sources, name)
        try:
            with commands_stopped():
                return watch(command, folder=sources, environment=environment)
        except BaseException:
            if self.image is not None:
                # Whoever runs in it may have stopped what heeds the signal that docker hands on.
                Engine(action=self.action, environ=self.environ).kill(name)
            raise

    def _command(
        self, arguments: Sequence[str], box: Box, sources: Path, name: str
    ) -> tuple[list[str], Mapping[str, str]]:
        """The command that has the project below `sources` built, and its variables."""
        context, given = self.context, handed_in(self.environ)
        folders = {"OVERFLOW_PROJECT": str(sources / context.project)}
        folders["OVERFLOW_OUTPUT"] = str(box.output)
        if self.image is None:
            if context.pull_request is not None and context.pull_request.is_fork:
                given = {**given, NO_START_RECORD: "1", NO_VERIFY: "1"}
            command = [str(self.python), "-I", str(self.action / "entrypoint.py"), *arguments]
            return command, {**child_environment(self.environ), **given, **folders}
        # A build sees its sources where the workspace is, so that what it says names real paths.
        folders["OVERFLOW_PROJECT"] = f"{context.workspace}/{context.project}"
        folders |= {variable: str(box.inside / home) for variable, home in HOMES.items()}
        command = docker_run(
            self.image,
            [f"{APP}/entrypoint.py", *arguments],
            mounts=self._mounts(box),
            settings={**folders, "LANG": "C.UTF-8"},
            handed_in=given,
            user=(os.getuid(), os.getgid()),
            folder=context.workspace,
            name=name,
        )
        return command, {**for_docker(self.environ), **given}

    def _mounts(self, box: Box) -> list[Mount]:
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
            Mount(source=str(box.inside), target=str(box.inside), writable=True),
            Mount(source=str(box.sources), target=self.context.workspace, writable=True),
        ]


def choose_sandbox(
    settings: Settings, context: Context, action: Path, environ: Mapping[str, str]
) -> Sandbox:
    """The sandbox that the settings ask for; `auto` is a container wherever there can be one.

    Raises InputFault `container-unavailable`, `image-missing`, `image-unavailable`,
    `tools-unavailable`.
    """
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
