"""Steps: what the composite action does on the runner, each step told from action.yml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.annotations import annotate, to_commands
from overflow.assets import attach
from overflow.base import settled_base, store_base
from overflow.box import new_box
from overflow.commands import command
from overflow.comparison import compare
from overflow.errors import ExitCode, Fault, InputFault, file_fault
from overflow.gate import judge
from overflow.inputs import read_inputs
from overflow.launch import choose_sandbox
from overflow.limits import LARGEST_REPORT
from overflow.markdown import markdown
from overflow.posting import body_of, post_run, put
from overflow.record import Record, read_record, record_files
from overflow.report import REPORT, ZIP, Failure, Report
from overflow.rest import Rest, RestFault
from overflow.results import read_result
from overflow.runner import add_summary, notice, replace_folder, say, set_outputs, tell
from overflow.settings import LONGEST_NAME
from overflow.summary import failure_to_markdown, to_markdown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overflow.comparison import Base
    from overflow.context import Context
    from overflow.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a step is given."""

    context: Context
    settings: Settings
    action: Path
    """The folder of action.yml."""
    environ: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """The record's folder, which is uploaded."""
        return Path(self.context.state, "report")


def look_up_base(step: Step) -> int:
    """Fetch the base branch's stored report, apart from the build, which gets no token."""
    if step.settings.compares:
        store_base(step.context, step.environ.get("OVERFLOW_TOKEN", ""))
    return int(ExitCode.OK)


def build(step: Step) -> int:
    """Build, and say what came of it: outputs, summary, annotations. The gate comes last.

    A build that fails is a result like others; only what nothing can be said of is raised.
    """
    context = step.context
    replace_folder(context.state)
    result, base, mode = _built(step)
    artifact = _artifact(step, result)
    record = Record(
        result=result,
        base=base,
        leg=context.leg,
        head=_head(context),
        artifact=artifact.name if artifact else "",
    )
    step.folder.mkdir()
    for name, content in record_files(record).items():
        (step.folder / name).write_text(content, encoding="utf-8")
    outputs = _outputs(step, record, artifact)
    set_outputs(step.environ, {**outputs, "mode": mode})
    add_summary(
        step.environ,
        to_markdown(result) if isinstance(result, Report) else failure_to_markdown(result),
    )
    tell(to_commands(annotate(result, project_path=context.project)))
    return int(ExitCode.OK)


def _built(step: Step) -> tuple[Report | Failure, Base | None, str]:
    base: Base | None = None
    mode = step.settings.mode
    try:
        read_inputs({}, step.environ, writes=False)  # before an image is pulled for them
        sandbox = choose_sandbox(step.settings, step.context, step.action, step.environ)
        mode = "native" if sandbox.image is None else "container"
        if step.settings.compares:
            # Before the head: what that runs cannot have touched the base's measure.
            base = settled_base(step.context, sandbox, step.environ)
        with new_box(Path(step.context.work)) as box:
            result = read_result(box.output, sandbox.build(box))
            artifact = _artifact(step, result)
            if artifact is not None:
                artifact.parent.mkdir()
                (box.output / ZIP).rename(artifact)
            return result, base, mode
    except (Fault, OSError) as error:
        fault = error if isinstance(error, Fault) else file_fault(error)
        for line in fault.details.splitlines():
            say(f"  | {line}")
        return Failure.of(fault), base, mode


def _head(context: Context) -> str:
    return context.pull_request.head_sha if context.pull_request else context.sha


def _artifact(step: Step, report: Report | Failure) -> Path | None:
    """Where the zip goes, out of the sandbox's reach, under the name that its artifact gets."""
    if isinstance(report, Failure) or report.written is None:
        return None
    name = step.settings.artifact_name or artifact_name(report, step.context)
    return Path(step.context.state, "artifact", f"{name}.zip")


def artifact_name(report: Report, context: Context) -> str:
    """A name that no other leg or job of the run has; characters as artifacts take them."""
    function = report.function
    parts = [report.project, context.job, function.runtime, function.architecture]
    name = "-".join(re.sub(r"[^A-Za-z0-9._+]+", "-", part).strip("-.") for part in parts)
    mark = f"-{context.key[:6]}" if context.matrix or context.project != "." else ""
    return name[: LONGEST_NAME - len(f"{mark}.zip")] + mark


def _outputs(step: Step, record: Record, artifact: Path | None) -> dict[str, str]:
    context, report = step.context, record.result
    comments = context.pull_request is not None and step.settings.comment == "auto"
    outputs = {
        "comments": str(comments).lower(),
        "report-folder": str(step.folder),
        "report-artifact": context.report_artifact,
        "outcome": "failed" if isinstance(report, Failure) else report.outcome.value,
        "artifact-path": str(artifact or ""),
        "artifact-name": artifact.name if artifact else "",
    }
    if isinstance(report, Failure):
        return outputs
    growth = _growth(record)
    own = {
        "report-path": str(step.folder / REPORT),
        "growth-bytes": "" if growth is None else str(growth),
    }
    return outputs | own | _figures(report)


def _figures(report: Report) -> dict[str, str]:
    return {
        "overflow": str(report.sizes.overflow > 0).lower(),
        "strategy": report.strategy,
        "bundle-bytes": str(report.sizes.bundle),
        "total-bytes": str(report.sizes.total),
        "deferred-bytes": str(report.sizes.deferred),
        "zip-bytes": str(report.written.zip_bytes) if report.written else "",
        "zip-sha256": report.written.zip_sha256 if report.written else "",
        "handler": report.function.handler,
        "runtime": report.function.runtime,
        "architecture": report.function.architecture,
        "ephemeral-storage-mb": str(report.function.ephemeral_storage_mb),
        "memory-mb": str(report.function.memory_mb),
    }


def _growth(record: Record) -> int | None:
    if isinstance(record.result, Failure) or record.base is None:
        return None
    return compare(record.result, record.base).growth


def _recorded(step: Step) -> Record:
    files = {}
    for path in step.folder.iterdir():
        with path.open("rb") as stream:
            files[path.name] = stream.read(LARGEST_REPORT + 1)
    return read_record(files)


def post_comment(step: Step) -> int:
    """The pull request's comment; one that cannot be posted never fails the job."""
    context = step.context
    if context.pull_request is None:
        return int(ExitCode.OK)
    artifact_url = step.environ.get("OVERFLOW_ARTIFACT_URL") or None
    record = _recorded(step)
    body = body_of(record, key=context.key, artifact_url=artifact_url, run_url=context.run_url)
    outputs = {"comment": "failed", "comment-url": ""}
    try:
        rest, number = _rest(step), context.pull_request.number
        author = step.settings.comment_author
        published = put(rest, context.repository, number, key=context.key, body=body, author=author)
        outputs = {"comment": published.action, "comment-url": published.url}
        say(f"Comment {published.action}: {published.url}")
    except RestFault as fault:
        if fault.kind == "forbidden":
            outputs["comment"] = "left-to-artifact"
            notice(
                "The token may not comment here, as with pull requests from forks: what the"
                f" comment says is in the artifact {context.report_artifact}."
            )
        else:
            notice(f"The comment could not be posted: {fault.message}")
    set_outputs(step.environ, outputs)
    return int(ExitCode.OK)


def post_for_run(step: Step) -> int:
    """The comments of another run, which had no right to post them (a fork's pull request).

    Raises InputFault where this workflow was not started by another's end.
    """
    run = step.context.event.get("workflow_run")
    if not isinstance(run, dict):
        raise InputFault(
            "event-invalid",
            f"the event {step.context.event_name!r} has no workflow_run",
            hint="start this workflow with `on: workflow_run` (docs/recipes.md)",
        )
    try:
        author = step.settings.comment_author
        for line in post_run(_rest(step), step.context.repository, run, author=author):
            say(line)
    except RestFault as fault:
        notice(f"The comment could not be posted: {fault.message}")
    return int(ExitCode.OK)


def release(step: Step) -> int:
    """Attach the zip to the release that the workflow runs for. Raises InputFault."""
    found = step.context.event.get("release")
    tag = found.get("tag_name") if isinstance(found, dict) else None
    if tag is None and step.environ.get("GITHUB_REF_TYPE") == "tag":
        tag = step.environ.get("GITHUB_REF_NAME")
    if not tag:
        raise InputFault(
            "release-missing",
            f"the event {step.context.event_name!r} is neither of a release nor of a tag",
            hint="run the workflow `on: release`, or leave `release` out",
        )
    try:
        path = Path(step.environ["OVERFLOW_ARTIFACT"])
        attached = attach(_rest(step), step.context.repository, tag=str(tag), path=path)
    except RestFault as fault:
        raise InputFault(
            "release-failed",
            f"{tag}: {fault.message}",
            hint="the job needs `contents: write`, and the tag a release",
        ) from fault
    say(f"{attached.name} is {attached.action}: {attached.url}")
    return int(ExitCode.OK)


def _rest(step: Step) -> Rest:
    return Rest(step.context.api_url, step.environ.get("OVERFLOW_TOKEN", ""))


def gate(step: Step) -> int:
    """The exit code that the whole action ends with."""
    record = _recorded(step)
    report = record.result
    if isinstance(report, Failure):
        say(f"error[{report.code}]: {report.message}")
        say(f"  hint: {report.hint}")
        return report.exit_code
    settings = step.settings
    judgement = judge(
        report, fail_on=settings.fail_on, growth=_growth(record), max_growth=settings.max_growth
    )
    say(f"Gate ({settings.fail_on}): {judgement.reason}")
    if judgement.exit_code == ExitCode.GATE:  # all else is annotated already
        tell([command("error", judgement.reason, title=f"Gate ({settings.fail_on})")])
        add_summary(step.environ, f"\n**Gate closed:** {markdown(judgement.reason)}\n")
    return judgement.exit_code


STEPS = {
    "base": look_up_base,
    "build": build,
    "comment": post_comment,
    "release": release,
    "gate": gate,
    "post": post_for_run,
}
