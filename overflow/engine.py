"""Engine: Docker on this machine, and the image that builds run in."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from overflow.errors import InputFault
from overflow.process import Completed, run
from overflow.runner import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

IMAGE_FILE = "image.json"
"""Beside action.yml: the published image by its digest, or null before the first release."""

RECIPE = ("Dockerfile", ".dockerignore", "requirements.txt")
"""What an image is built from; image.json remembers its hash beside the digest."""

BUILD_ARGUMENTS = {"OVERFLOW_BASE_IMAGE": "BASE", "OVERFLOW_IMAGE_PYTHONS": "PYTHONS"}
"""Variables of the runner that change how an image is built here (docs/recipes.md)."""

_HANDED_ON = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
              "PIP_INDEX_URL", "UV_PYTHON_INSTALL_MIRROR")  # fmt: skip
"""Build arguments that have the name of the variable they come from."""

_FOR_DOCKER = re.compile(
    r"DOCKER_\w+|BUILDKIT_\w+|PATH|HOME|XDG_RUNTIME_DIR|TMPDIR"
    r"|RUNNER_TRACKING_ID"  # by it, GitHub's runner finds what a job has left behind
)


def for_docker(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that the docker command itself needs."""
    return {name: value for name, value in environ.items() if _FOR_DOCKER.fullmatch(name)}


def recipe_of(action: Path) -> str:
    """The sha256 of what the image is built from."""
    digest = hashlib.sha256()
    for file in RECIPE:
        content = (action / file).read_bytes()
        digest.update(f"{file} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The docker command on this runner."""

    action: Path
    """The folder of action.yml."""
    environ: Mapping[str, str]

    def check(self) -> None:
        """Raise InputFault `container-unavailable` where no engine answers that runs Linux.

        In a job's own container, whose workspace is below /__w, none counts: the engine runs
        outside of it, where these paths mean something else.
        """
        inside = self.environ.get("GITHUB_WORKSPACE", "").startswith("/__w/")
        if inside or self._docker("version", "--format", "{{.Server.Os}}") != "linux\n":
            raise InputFault(
                "container-unavailable",
                "this job runs in a container itself"
                if inside
                else "no Docker engine answers here",
                hint="choose `mode: native`, or a runner with Docker",
            )

    def image(self, asked: str | None) -> tuple[str, str]:
        """The build image's name, and where it came from, for people.

        The one asked for, or the published one, pulled by its digest; else one that is built
        here. Raises InputFault `image-unavailable`.
        """
        name = asked or self._published()
        if name is not None:
            if self._has(name):
                return name, "was here"
            say(f"Pulling {name}")
            if self._docker("pull", "--quiet", name) is not None:
                return name, "pulled"
        if asked:
            raise InputFault(
                "image-missing",
                f"image: {asked} is not here and cannot be pulled",
                hint="check its name and the login to its registry, or drop the input",
            )
        return self._built()

    def kill(self, container: str) -> None:
        """Kill a container that may have ended by itself."""
        self._docker("kill", container)

    def _published(self) -> str | None:
        """The published image, unless what it is built from has changed since."""
        content = json.loads((self.action / IMAGE_FILE).read_text("utf-8"))
        fits = content.get("recipe") == recipe_of(self.action)
        return content["image"] if fits else None

    def _built(self) -> tuple[str, str]:
        arguments = self._build_arguments()
        content = json.dumps([recipe_of(self.action), *arguments]).encode()
        name = f"overflow-build:{hashlib.sha256(content).hexdigest()[:20]}"
        if self._has(name):
            return name, "built here before"
        say("No published image can be had: building it here, which takes some minutes")
        done = self._run(
            ["docker", "build", "--quiet", "--tag", name, *arguments, str(self.action)]
        )
        if done.exit_code != 0:
            raise InputFault(
                "image-unavailable",
                "the build image can neither be pulled nor built",
                hint="choose `mode: native`, or name a mirror of the image with `image`",
                details=done.errors[-4000:],
            )
        return name, "built here"

    def _build_arguments(self) -> Sequence[str]:
        named = [
            f"{argument}={self.environ[variable]}"
            for variable, argument in BUILD_ARGUMENTS.items()
            if self.environ.get(variable)
        ]
        # Names alone: docker reads the values, which may hold a password, from its environment.
        named += [name for name in _HANDED_ON if self.environ.get(name)]
        return [part for argument in named for part in ("--build-arg", argument)]

    def _has(self, image: str) -> bool:
        return self._docker("image", "inspect", "--format", "{{.Id}}", image) is not None

    def _docker(self, *arguments: str) -> str | None:
        try:
            done = self._run(["docker", *arguments])
        except OSError:  # no such command
            return None
        return done.output if done.exit_code == 0 else None

    def _run(self, command: Sequence[str]) -> Completed:
        arguments = {name: self.environ[name] for name in _HANDED_ON if name in self.environ}
        environment = {**for_docker(self.environ), **arguments}
        return run(command, folder=self.action, environment=environment)
