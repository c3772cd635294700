"""Preparation: what uv installed, measured, trimmed and imported once: all that is decided from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from overflow import environment as env
from overflow.bytecode import TASK
from overflow.handler import Handler, find_handler
from overflow.limits import in_megabytes
from overflow.measure import Measurement, measure
from overflow.plan import Strategy
from overflow.rehearsal import FIRST, record
from overflow.runtime.manifest import VENDOR_FOLDER
from overflow.startup import Recording, Subject, read_start
from overflow.stripping import find_stripper
from overflow.trim import NOTHING, Level, Trimmed
from overflow.trimming import trim

if TYPE_CHECKING:
    from pathlib import Path

    from overflow.inputs import Inputs
    from overflow.installation import Installed, Tools
    from overflow.tree import Tree


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What can go into a bundle."""

    installed: Installed
    handler: Handler
    added: frozenset[str]
    """Distributions that are overflow's own."""
    whole: Measurement
    """As uv installed it."""
    measurement: Measurement
    """As it is, trimmed."""
    trimmed: Trimmed
    recording: Recording


def prepare(inputs: Inputs, tools: Tools, installed: Installed, work: Path) -> Prepared:
    """Make an environment what its bundle is decided from; work: a new folder. Raises Fault."""
    with tools.console.step("measure", "Measuring") as retitle:
        env.make_portable(installed.site_packages)
        source = partial(_source, installed.files.tree, installed.site_packages)
        handler = find_handler(inputs.handler, source)
        added = env.add_adapters(installed.site_packages, handler.adapters)
        whole = measure(installed.site_packages)
        env.check_loadable(whole, installed.target)
        env.check_not_empty(whole, installed.project.name, added)
        count, size = len(whole.distributions), in_megabytes(whole.size)
        retitle(f"Measured {size} in {count} distributions")
    for note in installed.files.notes:
        tools.console.say(f"  {note}")
    measurement, trimmed = _trim(inputs, tools, installed, whole)
    return Prepared(
        installed=installed,
        handler=handler,
        added=added,
        whole=whole,
        measurement=measurement,
        trimmed=trimmed,
        recording=_record(inputs, tools, installed, handler, measurement, work),
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
        recording = _in_the_bundle(recording, work, measurement.root)
        retitle(f"{_how(recording)}: {len(recording.start)} files")
    if recording.note:
        tools.console.say(f"  {recording.note}")
    return recording


def _how(recording: Recording) -> str:
    if recording.problem:
        return "Could not import the handler, and read what it imports"
    return "Read what the handler imports" if recording.note else "Imported the handler"


def _in_the_bundle(recording: Recording, work: Path, site_packages: Path) -> Recording:
    """With files named by their places in the bundle: those here are others in each build."""
    places = {
        f"{work.resolve()}/task": TASK,
        str(site_packages): f"{TASK}/{VENDOR_FOLDER}",
        f"{work.resolve()}/{FIRST}/tmp": "/tmp",
    }

    def moved(text: str) -> str:
        for here, there in places.items():
            text = text.replace(here, there)
        return text

    return replace(recording, problem=moved(recording.problem), note=moved(recording.note))


def _source(files: Tree, site_packages: Path, path: str) -> bytes | None:
    if path in files.sizes:
        return (files.root / path).read_bytes()
    vendored = site_packages / path
    return vendored.read_bytes() if vendored.is_file() else None
