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
from overflow.installation import Installed, Tools, install
from overflow.limits import in_megabytes
from overflow.meanwhile import meanwhile
from overflow.plan import Outcome, Strategy
from overflow.preparation import Prepared, prepare
from overflow.proof import (
    DEFERRED,
    NOT_WANTED,
    OTHER_MACHINE,
    WRITTEN_ALL_THE_SAME,
    Finding,
    Proof,
)
from overflow.proving import fetches, prove_once, read_manifest, trial_of
from overflow.remedies import Means, remedied
from overflow.report import BUNDLE, REPORT, ZIP, Report, Written
from overflow.reporting import report_of, with_start
from overflow.summary import to_markdown
from overflow.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overflow.console import Console
    from overflow.inputs import Inputs
    from overflow.trim import Trimmed


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What can go into a bundle, and what was decided of it."""

    prepared: Prepared
    decision: Decision

    @property
    def installed(self) -> Installed:
        """What uv installed."""
        return self.prepared.installed

    @property
    def trimmed(self) -> Trimmed:
        """What went of all that is not fetched."""
        deferred = {place.name for place in self.decision.plan.deferred}
        return self.prepared.trimmed.without(deferred)

    @property
    def restored(self) -> str:
        """Why fewer files are trimmed than it was said before the plan was known; for people."""
        all_of_it, kept = self.prepared.trimmed, self.trimmed
        if kept.files == all_of_it.files:
            return ""
        size, files = in_megabytes(all_of_it.size - kept.size), all_of_it.files - kept.files
        return f"what is fetched comes whole: {size} of {files} files are not trimmed"

    def report(
        self, console: Console, written: Written | None, proof: Proof | None = None
    ) -> Report:
        """What there is to say of it."""
        made = self.installed.locked.made or ""
        found = report_of(
            self.decision.plan,
            project=self.installed.project.name,
            target=self.installed.target,
            handler=self.prepared.handler,
            declared=self.installed.locked.declared,
            notes=tuple(
                filter(None, (made, *self.installed.files.notes, self.prepared.recording.note))
            ),
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
        output.named(Path(work)),
        locking.lock_taken_back(inputs.project),
    ):
        installed = install(inputs, tools, Path(work), keeps_lock=False)
        report = _decide(inputs, tools, installed, Path(work)).report(tools.console, None)
    tools.cache.prune()
    return report


def build(inputs: Inputs, folder: Path, tools: Tools) -> Report:
    """Decide and write `folder`; for a plan that is TOO_LARGE the reports only. Raises Fault."""
    with output.staging(folder, inputs.project) as aside:
        installed = install(inputs, tools, aside / "work", keeps_lock=True)
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
    prepared = prepare(inputs, tools, installed, work / "start")
    with tools.console.step("plan", "Planning") as retitle:
        question = Question(
            target=installed.target,
            handler=prepared.handler,
            project_size=installed.files.tree.size,
            limits=inputs.limits,
            strategy=inputs.strategy,
            runtime_install=inputs.runtime_install,
            lazy=inputs.lazy,
            installed_by=inputs.installer,
            network=inputs.network,
        )
        verdicts = classify(
            prepared.measurement.distributions,
            lock=installed.locked.lock,
            project=installed.project.name,
            target=installed.target,
            indexes=public_indexes(inputs.public_indexes),
            added=prepared.added,
        )
        if inputs.strategy is Strategy.DEFER:
            decision = _answer(question, prepared, verdicts)
        else:
            materials = _materials(tools, prepared, work / "pack")
            search_folders = partial(env.search_folders, prepared.measurement)
            decision = pack(question, materials, verdicts, search_folders)
        means = Means(
            runtime_install=inputs.runtime_install, network=inputs.network, trim=inputs.trim
        )
        decision = replace(decision, plan=remedied(decision.plan, means))
        retitle(f"Planned: {decision.plan.outcome.value} ({decision.plan.bound_by})")
    contents = Contents(prepared=prepared, decision=decision)
    if contents.restored:
        tools.console.say(f"  {contents.restored}")
    return contents


def _answer(question: Question, prepared: Prepared, verdicts: Mapping[str, Verdict]) -> Decision:
    """By strategy `defer`. What is deferred is installed whole, whatever was left out here."""
    search_folders = partial(env.search_folders, prepared.measurement)
    decision = answer(question, prepared.measurement.distributions, verdicts, search_folders)
    names = {place.name for place in decision.plan.deferred}
    if not names or not prepared.trimmed.cuts:
        return decision
    mixed = [
        prepared.whole.by_name[one.name] if one.name in names else one
        for one in prepared.measurement.distributions
    ]
    return answer(question, mixed, verdicts, search_folders)


def _materials(tools: Tools, prepared: Prepared, work: Path) -> Materials:
    python = prepared.installed.python
    return Materials(
        measurement=prepared.measurement,
        project=prepared.installed.files.tree,
        recording=prepared.recording,
        compiler=Compiler(python=python, environ=tools.environ, cache=tools.cache),
        cache=tools.cache,
        whole={one.name: one.size for one in prepared.whole.distributions},
        folder=work,
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
            measurement=contents.prepared.measurement,
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
) -> Proof:
    """Start the bundle; raises BundleFault where it cannot."""
    if not inputs.verify:
        return Proof(finding=Finding.UNPROVEN, note=NOT_WANTED)
    installed = contents.installed
    is_guessed = contents.decision.plan.deferred and contents.prepared.recording.note
    if is_guessed or fetches(read_manifest(aside / BUNDLE)):
        return Proof(finding=Finding.UNPROVEN, note=DEFERRED)
    if installed.target.machine != platform.machine():
        return Proof(finding=Finding.UNPROVEN, note=OTHER_MACHINE.format(installed.target.machine))
    trial = trial_of(contents.prepared.recording, installed.python, contents.decision.plan)
    with tools.console.step("proof", "Starting the bundle") as retitle:
        work, sha256 = aside / "proof", written.zip_sha256
        proof = prove_once(aside / BUNDLE, trial, tools, work=work, sha256=sha256)
        retitle(proof.sentence())
    if proof.note:
        tools.console.say(f"  {proof.note}")
    fault = proof.fault(WRITTEN_ALL_THE_SAME)
    if fault is not None:
        raise fault
    return proof
