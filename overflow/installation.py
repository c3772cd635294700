"""Installation: from a project's folder to what uv installed of it for the target."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

from overflow import environment as env
from overflow import locking
from overflow.cache import Cache, open_cache
from overflow.files import ProjectFiles, read_project_files
from overflow.meanwhile import meanwhile
from overflow.project import Project, check_selection
from overflow.pythons import find_python
from overflow.target import Target, choose_python

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from overflow.console import Console
    from overflow.inputs import Inputs
    from overflow.uv import Uv


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The outside: what the pipeline is given to work with."""

    uv: Uv
    console: Console
    environ: Mapping[str, str]

    @cached_property
    def cache(self) -> Cache:
        """What earlier builds of this user made."""
        return open_cache(self.environ)


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A project as uv installed it for the target."""

    project: Project
    target: Target
    python: Path
    locked: locking.Locked
    site_packages: Path
    files: ProjectFiles
    """As they were before anything was built."""


def install(inputs: Inputs, tools: Tools, work: Path, *, keeps_lock: bool) -> Installed:
    """Read, lock and install a project into folders below `work`. Raises Fault.

    keeps_lock: whether a uv.lock that is made is there to stay.
    """
    console, uv = tools.console, tools.uv
    with console.step("project", "Reading the project") as retitle:
        found = locking.read_project(inputs.project)
        project = found or locking.requirements_project()
        check_selection(project, extras=inputs.extras, groups=inputs.groups)
        target = _target(inputs, project)
        python = find_python(target, uv, tools.environ)
        found_files = _files(inputs)
        before = found_files.fingerprints()
        retitle(f"Read {project.name}: for {target.runtime} on {target.architecture}")
    with meanwhile(_warm_up):
        requirements = None if found else (work / "project", target)
        locked = _lock(inputs, tools, python, requirements, keeps_lock=keeps_lock)
        with console.step("install", "Installing for the target with uv") as retitle:
            uv.sync(
                locked.folder,
                work / "environment",
                python=python,
                target=target,
                extras=inputs.extras,
                groups=inputs.groups,
                local=locked.lock.local_names,
            )
            found_files.check_unchanged(before)
            retitle("Installed for the target with uv")
    return Installed(
        project=project,
        target=target,
        python=python,
        locked=locked,
        site_packages=env.site_packages(work / "environment", target),
        files=_files(inputs).known_to(found_files),
    )


def _files(inputs: Inputs) -> ProjectFiles:
    return read_project_files(inputs.project, exclude=inputs.exclude, include=inputs.include)


def _warm_up() -> None:
    """Import, while uv works, what takes long to import and is needed once uv is done."""
    import_module("importlib.metadata")


def _lock(
    inputs: Inputs,
    tools: Tools,
    python: Path,
    requirements: tuple[Path, Target] | None,
    *,
    keeps_lock: bool,
) -> locking.Locked:
    console = tools.console
    with console.step("lock", "Checking uv.lock") as retitle:
        if requirements is None:
            locked = locking.lock_project(
                inputs.project, uv=tools.uv, python=python, kept=keeps_lock
            )
        else:
            folder, target = requirements
            locked = locking.lock_requirements(inputs.project, folder, tools.uv, python, target)
        retitle(f"Checked uv.lock: {len(locked.lock.packages)} packages")
    if locked.made:
        console.say(f"  {locked.made}")
    return locked


def _target(inputs: Inputs, project: Project) -> Target:
    python = choose_python(
        asked=inputs.python,
        pinned=locking.read_pinned_python(inputs.project),
        requires_python=project.requires_python,
    )
    return Target(python=python, architecture=inputs.architecture)
