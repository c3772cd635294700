"""Pipeline: the whole story on one page.

    project, lock -> target -> environment -> measurement -> classification -> plan
                                                        -> bundle -> archive -> report

plan() decides and leaves nothing behind; build() carries out what was decided.
"""

from __future__ import annotations

import platform
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

from overflow import environment as env
from overflow import locking, output
from overflow.archive import write_zip
from overflow.bundle import write_bundle
from overflow.bytecode import Compiler
from overflow.classify import Verdict, classify, public_indexes
from overflow.decision import Decision, Materials, Question, pack
from overflow.deferral import answer
from overflow.handler import Handler, find_handler
from overflow.installation import Installed, Tools, install
from overflow.limits import in_megabytes
from overflow.meanwhile import meanwhile
from overflow.measure import Measurement, measure
from overflow.plan import Outcome, Strategy
from overflow.proof import DEFERRED, OTHER_MACHINE, Finding, Proof
from overflow.proving import prove_once, trial_of
from overflow.report import BUNDLE, REPORT, ZIP, Report, Written
from overflow.reporting import report_of, with_start
from overflow.startup import Recording, Subject, read_start, record
from overflow.stripping import find_stripper
from overflow.summary import to_markdown
from overflow.trim import NOTHING, Level, Trimmed
from overflow.trimming import trim
from overflow.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overflow.console import Console
    from overflow.inputs import Inputs
    from overflow.tree import Tree


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What can go into a bundle, and what was decided of it."""

    installed: Installed
    handler: Handler
    measurement: Measurement
    decision: Decision
    recording: Recording
    trimmed: Trimmed

    def report(
        self, console: Console, written: Written | None, proof: Proof | None = None
    ) -> Report:
        """What there is to say of it."""
        made = self.installed.locked.made or ""
        found = report_of(
            self.decision.plan,
            project=self.installed.project.name,
            target=self.installed.target,
            handler=self.handler,
            declared=self.installed.locked.declared,
            notes=tuple(filter(None, (made, *self.installed.files.notes, self.recording.note))),
            written=written,
            seconds=dict(console.seconds),
        )
        found = replace(found, trimmed=self.trimmed)
        target, prediction = self.installed.target, self.decision.prediction
        return with_start(found, target=target, prediction=prediction, proof=proof)


def plan(inputs: Inputs, tools: Tools) -> Report:
    """Decide, report, and leave nothing behind. Raises Fault."""
    with (
        tempfile.TemporaryDirectory(prefix="overflow-") as work,
        locking.lock_taken_back(inputs.project),
    ):
        installed = install(inputs, tools, Path(work))
        report = _decide(inputs, tools, installed, Path(work)).report(tools.console, None)
    tools.cache.prune()
    return report


def build(inputs: Inputs, folder: Path, tools: Tools) -> Report:
    """Decide and write `folder`; for a plan that is TOO_LARGE the reports only. Raises Fault."""
    with output.staging(folder, inputs.project) as aside:
        installed = install(inputs, tools, aside / "work")
        contents = _decide(inputs, tools, installed, aside / "work")
        too_large = contents.decision.plan.outcome is Outcome.TOO_LARGE
        written = None if too_large else _write(contents, aside, tools)
        proof = _prove(inputs, contents, written, aside, tools) if written else None
        report = contents.report(tools.console, written, proof)
        (aside / output.SUMMARY).write_text(to_markdown(report), encoding="utf-8")
        (aside / REPORT).write_text(to_json(report), encoding="utf-8")
        output.publish(aside, folder)
    tools.cache.prune()
    return report


def _decide(inputs: Inputs, tools: Tools, installed: Installed, work: Path) -> Contents:
    with tools.console.step("measure", "Measuring") as retitle:
        env.make_portable(installed.site_packages)
        source = partial(_source, installed.files.tree, installed.site_packages)
        handler = find_handler(inputs.handler, source)
        added = env.add_adapters(installed.site_packages, handler.adapters)
        measurement = measure(installed.site_packages)
        env.check_loadable(measurement, installed.target)
        env.check_not_empty(measurement, installed.project.name, added)
        count, size = len(measurement.distributions), in_megabytes(measurement.size)
        retitle(f"Measured {size} in {count} distributions")
    for note in installed.files.notes:
        tools.console.say(f"  {note}")
    whole, (measurement, trimmed) = measurement, _trim(inputs, tools, installed, measurement)
    recording = _record(inputs, tools, installed, handler, measurement, work / "start")
    with tools.console.step("plan", "Planning") as retitle:
        question = Question(
            target=installed.target,
            handler=handler,
            project_size=installed.files.tree.size,
            limits=inputs.limits,
            strategy=inputs.strategy,
            runtime_install=inputs.runtime_install,
            lazy=inputs.lazy,
            installed_by=inputs.installer,
            network=inputs.network,
        )
        verdicts = _classify(inputs, installed, measurement, added)
        search_folders = partial(env.search_folders, measurement)
        if inputs.strategy is not Strategy.DEFER:
            sizes = {one.name: one.size for one in whole.distributions}
            materials = _materials(tools, installed, measurement, recording, sizes, work / "pack")
            decision = pack(question, materials, verdicts, search_folders)
            trimmed = trimmed.without({place.name for place in decision.plan.deferred})
        else:
            decision = answer(question, measurement.distributions, verdicts, search_folders)
            names = {place.name for place in decision.plan.deferred}
            if names and trimmed.cuts:
                # What is deferred is installed whole, whatever was left out here.
                mixed = [
                    whole.by_name[one.name] if one.name in names else one
                    for one in measurement.distributions
                ]
                decision = answer(question, mixed, verdicts, search_folders)
                trimmed = trimmed.without(names)
        retitle(f"Planned: {decision.plan.outcome.value} ({decision.plan.bound_by})")
    return Contents(
        installed=installed,
        handler=handler,
        measurement=measurement,
        decision=decision,
        recording=recording,
        trimmed=trimmed,
    )


def _trim(
    inputs: Inputs, tools: Tools, installed: Installed, measurement: Measurement
) -> tuple[Measurement, Trimmed]:
    if inputs.trim is Level.NONE:
        return measurement, NOTHING
    with tools.console.step("trim", "Trimming") as retitle:
        stripper = partial(find_stripper, installed.target.machine, tools.environ, tools.cache)
        found = trim(
            measurement,
            project=installed.files.tree,
            own=installed.project.name,
            cache=tools.cache,
            stripper=stripper if inputs.trim is Level.AGGRESSIVE else None,
        )
        retitle(f"Trimmed {in_megabytes(found[1].size)} of {found[1].files} files")
    return found


def _record(
    inputs: Inputs,
    tools: Tools,
    installed: Installed,
    handler: Handler,
    measurement: Measurement,
    work: Path,
) -> Recording:
    """What start-up imports, where the strategy makes use of it."""
    if inputs.strategy is Strategy.DEFER:
        return Recording()
    subject = Subject(project=installed.files.tree, measurement=measurement, handler=handler)
    if not inputs.start_record:
        return read_start(subject)
    with tools.console.step("start", "Importing the handler") as retitle:
        recording = record(
            work,
            subject=subject,
            python=installed.python,
            machine=installed.target.machine,
            environ=tools.environ,
            cache=tools.cache,
        )
        retitle(f"Imported the handler: {len(recording.start)} files")
    if recording.note:
        tools.console.say(f"  {recording.note}")
    return recording


def _materials(
    tools: Tools,
    installed: Installed,
    measurement: Measurement,
    recording: Recording,
    whole: Mapping[str, int],
    work: Path,
) -> Materials:
    return Materials(
        measurement=measurement,
        project=installed.files.tree,
        recording=recording,
        compiler=Compiler(python=installed.python, environ=tools.environ, cache=tools.cache),
        cache=tools.cache,
        whole=whole,
        folder=work,
    )


def _classify(
    inputs: Inputs, installed: Installed, measurement: Measurement, added: frozenset[str]
) -> Mapping[str, Verdict]:
    return classify(
        measurement.distributions,
        lock=installed.locked.lock,
        project=installed.project.name,
        target=installed.target,
        indexes=public_indexes(inputs.public_indexes),
        added=added,
    )


def _write(contents: Contents, aside: Path, tools: Tools) -> Written:
    console, generated = tools.console, contents.decision.generated
    installer = None
    if generated.installer is not None:
        with console.step("installer", "Fetching uv for the bundle") as retitle:
            python = contents.installed.python
            installer = tools.uv.installer(generated.installer, aside / "installer", python)
            retitle("Fetched uv for the bundle")
    with console.step("bundle", "Writing the bundle") as retitle:
        bundle = write_bundle(
            aside / BUNDLE,
            project=contents.installed.files.tree,
            measurement=contents.measurement,
            decision=contents.decision,
            installer=installer,
        )
        retitle(f"Wrote the bundle: {len(bundle.sizes)} files, {in_megabytes(bundle.size)}")
    with (
        # The environment is of no use any more, and has thousands of files.
        meanwhile(partial(rmtree, aside / "work", ignore_errors=True)),
        console.step("archive", "Compressing function.zip") as retitle,
    ):
        archive = write_zip(aside / ZIP, bundle.members(), environ=tools.environ, cache=tools.cache)
        retitle(f"Compressed function.zip: {in_megabytes(archive.size)}")
    return Written(bundle_bytes=bundle.size, zip_bytes=archive.size, zip_sha256=archive.sha256)


def _prove(
    inputs: Inputs, contents: Contents, written: Written, aside: Path, tools: Tools
) -> Proof | None:
    """Start the bundle; raises BundleFault where it cannot."""
    if not inputs.verify:
        return None
    installed = contents.installed
    if contents.decision.plan.deferred:
        return Proof(finding=Finding.UNPROVEN, note=DEFERRED)
    if installed.target.machine != platform.machine():
        return Proof(finding=Finding.UNPROVEN, note=OTHER_MACHINE.format(installed.target.machine))
    trial = trial_of(contents.recording, installed.python, contents.decision.plan)
    with tools.console.step("proof", "Starting the bundle") as retitle:
        work, sha256 = aside / "proof", written.zip_sha256
        proof = prove_once(aside / BUNDLE, trial, tools, work=work, sha256=sha256)
        retitle(proof.sentence())
    if proof.note:
        tools.console.say(f"  {proof.note}")
    if proof.fault is not None:
        raise proof.fault
    return proof


def _source(files: Tree, site_packages: Path, path: str) -> bytes | None:
    if path in files.sizes:
        return (files.root / path).read_bytes()
    vendored = site_packages / path
    return vendored.read_bytes() if vendored.is_file() else None
