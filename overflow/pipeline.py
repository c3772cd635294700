"""Pipeline: the whole story on one page.

    project, lock -> target -> environment -> measurement -> classification -> plan
                                                        -> bundle -> archive -> report

plan() decides and leaves nothing behind; build() carries out what was decided.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

from overflow import environment as env
from overflow import locking, output, templates
from overflow.archive import write_zip
from overflow.bundle import write_bundle
from overflow.classify import Verdict, classify, public_indexes
from overflow.files import read_project_files
from overflow.generated import Generated, generate, support
from overflow.grouping import group
from overflow.handler import Handler, find_handler
from overflow.limits import in_megabytes
from overflow.measure import Distribution, Measurement, measure
from overflow.plan import Outcome, Plan, decide, deferrable
from overflow.process import meanwhile
from overflow.project import Project, check_selection
from overflow.pythons import find_python
from overflow.report import Report, Written, to_json, to_markdown
from overflow.target import Target, choose_python

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overflow.console import Console
    from overflow.inputs import Inputs
    from overflow.tree import Tree
    from overflow.uv import Uv


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The outside: what the pipeline is given to work with."""

    uv: Uv
    console: Console
    environ: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A project as uv installed it for the target."""

    project: Project
    target: Target
    python: Path
    locked: locking.Locked
    site_packages: Path


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A plan, with all that is needed to carry it out."""

    installed: Installed
    handler: Handler
    files: Tree
    """The project's own."""
    measurement: Measurement
    plan: Plan
    generated: Generated

    def report(self, console: Console, written: Written | None) -> Report:
        """What there is to say of it."""
        links = [f"left out: link {path}" for path in self.files.skipped_links]
        made = self.installed.locked.made
        return Report(
            project=self.installed.project.name,
            target=self.installed.target,
            handler=self.handler,
            plan=self.plan,
            notes=(*([made] if made else []), *links),
            written=written,
            seconds=dict(console.seconds),
        )


def plan(inputs: Inputs, tools: Tools) -> Report:
    """Decide, report, and leave nothing behind. Raises Fault."""
    with (
        tempfile.TemporaryDirectory(prefix="overflow-") as work,
        locking.lock_taken_back(inputs.project),
    ):
        installed = _install(inputs, tools, Path(work))
        return _decide(inputs, tools, installed).report(tools.console, None)


def build(inputs: Inputs, folder: Path, tools: Tools) -> Report:
    """Decide and write `folder`; for a plan that is TOO_LARGE the reports only. Raises Fault."""
    with output.staging(folder, inputs.project) as aside:
        installed = _install(inputs, tools, aside / "work")
        decision = _decide(inputs, tools, installed)
        too_large = decision.plan.outcome is Outcome.TOO_LARGE
        written = None if too_large else _write(decision, aside, tools)
        report = decision.report(tools.console, written)
        (aside / output.SUMMARY).write_text(to_markdown(report), encoding="utf-8")
        (aside / output.REPORT).write_text(to_json(report), encoding="utf-8")
        output.publish(aside, folder)
    return report


def _install(inputs: Inputs, tools: Tools, work: Path) -> Installed:
    console, uv = tools.console, tools.uv
    with console.step("project", "Reading the project") as retitle:
        found = locking.read_project(inputs.project)
        project = found or locking.requirements_project()
        check_selection(project, extras=inputs.extras, groups=inputs.groups)
        target = _target(inputs, project)
        python = find_python(target, uv, tools.environ)
        retitle(f"Read {project.name}: for {target.runtime} on {target.architecture}")
    with meanwhile(_warm_up):
        locked = _lock(inputs, tools, python, None if found else (work / "project", target))
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
            retitle("Installed for the target with uv")
    return Installed(
        project=project,
        target=target,
        python=python,
        locked=locked,
        site_packages=env.site_packages(work / "environment", target),
    )


def _warm_up() -> None:
    """Import, while uv works, what takes long to import and is needed once uv is done."""
    templates.prepare()
    import_module("pathspec")


def _lock(
    inputs: Inputs, tools: Tools, python: Path, requirements: tuple[Path, Target] | None
) -> locking.Locked:
    console = tools.console
    with console.step("lock", "Checking uv.lock") as retitle:
        if requirements is None:
            locked = locking.lock_project(inputs.project, uv=tools.uv, python=python)
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


def _decide(inputs: Inputs, tools: Tools, installed: Installed) -> Decision:
    with tools.console.step("measure", "Measuring") as retitle:
        files = read_project_files(inputs.project, exclude=inputs.exclude, include=inputs.include)
        env.make_portable(installed.site_packages)
        handler = find_handler(inputs.handler, partial(_source, files, installed.site_packages))
        added = env.add_adapters(installed.site_packages, handler.adapters)
        measurement = measure(installed.site_packages)
        env.check_loadable(measurement, installed.target)
        env.check_not_empty(measurement, installed.project.name, added)
        count, size = len(measurement.distributions), measurement.size
        retitle(f"Measured {in_megabytes(size)} in {count} distributions")
    with tools.console.step("plan", "Planning") as retitle:
        plan, generated = _plan(inputs, installed, handler, files.size, measurement, added)
        retitle(f"Planned: {plan.outcome.value} ({plan.bound_by})")
    return Decision(
        installed=installed,
        handler=handler,
        files=files,
        measurement=measurement,
        plan=plan,
        generated=generated,
    )


def _plan(
    inputs: Inputs,
    installed: Installed,
    handler: Handler,
    project_size: int,
    measurement: Measurement,
    added: frozenset[str],
) -> tuple[Plan, Generated]:
    distributions = measurement.distributions
    verdicts = classify(
        distributions,
        lock=installed.locked.lock,
        project=installed.project.name,
        target=installed.target,
        indexes=public_indexes(inputs.public_indexes),
        added=added,
    )
    groups = group(distributions, partial(_search_folders, measurement, verdicts))
    leaving, _ = deferrable(groups, verdicts)
    generated = partial(generate, target=installed.target, handler=handler, verdicts=verdicts)
    resident = generated(deferred=[])
    deferring = generated(deferred=[one for one in distributions if one.name in leaving])
    plan = decide(
        distributions,
        verdicts=verdicts,
        groups=groups,
        project_size=project_size,
        support=support(resident, deferring),
        limits=inputs.limits,
        runtime_install=inputs.runtime_install,
    )
    return plan, deferring if plan.deferred else resident


def _write(decision: Decision, aside: Path, tools: Tools) -> Written:
    console, generated = tools.console, decision.generated
    installer = None
    if generated.installer is not None:
        with console.step("installer", "Fetching uv for the bundle") as retitle:
            python = decision.installed.python
            installer = tools.uv.installer(generated.installer, aside / "installer", python)
            retitle("Fetched uv for the bundle")
    with console.step("bundle", "Writing the bundle") as retitle:
        bundle = write_bundle(
            aside / output.BUNDLE,
            decision.plan,
            project=decision.files,
            measurement=decision.measurement,
            generated=generated,
            installer=installer,
        )
        retitle(f"Wrote the bundle: {len(bundle.sizes)} files, {in_megabytes(bundle.size)}")
    with (
        # The environment is of no use any more, and has thousands of files.
        meanwhile(partial(rmtree, aside / "work", ignore_errors=True)),
        console.step("archive", "Compressing function.zip") as retitle,
    ):
        archive = write_zip(aside / output.ZIP, bundle.members(), environ=tools.environ)
        retitle(f"Compressed function.zip: {in_megabytes(archive.size)}")
    return Written(bundle_bytes=bundle.size, zip_bytes=archive.size, zip_sha256=archive.sha256)


def _search_folders(
    measurement: Measurement, verdicts: Mapping[str, Verdict], distribution: Distribution
) -> frozenset[str]:
    # Public distributions leave together, so only what a private one looks for can tie groups.
    if verdicts[distribution.name].is_public:
        return frozenset()
    return env.search_folders(measurement, distribution)


def _source(files: Tree, site_packages: Path, path: str) -> bytes | None:
    if path in files.sizes:
        return (files.root / path).read_bytes()
    vendored = site_packages / path
    return vendored.read_bytes() if vendored.is_file() else None
