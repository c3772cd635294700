"""The command line: options in, exit code out. Faults are caught here and nowhere else."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from overflow import __version__, pipeline
from overflow.console import Console, plain, write
from overflow.errors import ExitCode, as_fault
from overflow.inputs import Given, Inputs, Said, read_inputs, text_option, tmp_option
from overflow.installation import Tools
from overflow.options import OPTIONS, SWITCHES
from overflow.output import SUMMARY, leave_failure
from overflow.process import stoppable
from overflow.report import BUNDLE, REPORT, ZIP, Failure, Report
from overflow.text import to_text
from overflow.uv import Uv
from overflow.verification import verify
from overflow.wire import proof_to_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from overflow.errors import Fault

DESCRIPTION = """\
Turns a uv-locked Python project into an AWS Lambda bundle, also when its packages are larger than
the 250 MB that Lambda takes: what can be had from PyPI is then installed when the function starts.
"""

EPILOG = """\
exit codes: 0 fine, 1 a bug of overflow, 2 the input is at fault, 3 too large whatever we do,
4 uv or the package index failed, 5 the bundle does not start. Each option is also read from the
environment: --threshold-mb from OVERFLOW_THRESHOLD_MB, and so on.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """`overflow ...`; gives the exit code."""
    given = vars(_parser().parse_args(argv))
    with stoppable():
        return _guarded(given, os.environ)


def main_from_environment(command: str = "build") -> int:
    """`python entrypoint.py`: every setting is an OVERFLOW_ variable.

    command: `build`, or `plan`, which writes report.json alone.
    """
    with stoppable():
        return _guarded({"command": command, "json": None, "reports": "yes"}, os.environ)


def _run(given: Given, environ: Mapping[str, str]) -> ExitCode:
    console = Console(sys.stderr)
    tools = Tools(uv=Uv.bundled(environ), console=console, environ=environ)
    if given["command"] == "verify":
        return _verify(given, tools)
    if given["command"] == "plan":
        inputs = read_inputs(given, environ, writes="reports" in given)
        report = pipeline.plan(inputs, tools)
        if inputs.output is not None:
            (inputs.output / REPORT).write_text(to_json(report), encoding="utf-8")
        write(sys.stdout, to_json(report) if given["json"] else plain(to_text(report)))
    else:
        inputs = read_inputs(given, environ, writes=True)
        report = _build(inputs, tools)
    return report.exit_code


def _verify(given: Given, tools: Tools) -> ExitCode:
    """Raises BundleFault, once all there is to say is said."""
    asked = text_option(given, {}, "tmp_mb")
    tmp_bytes = tmp_option(Said(where="--tmp-mb", text=asked)) if asked else None
    found = verify(Path(str(given["bundle"])).absolute(), tools, tmp_bytes=tmp_bytes)
    lines = [found.proof.sentence(), *filter(None, [found.proof.note])]
    text = "".join(f"{line}.\n" for line in lines)
    text += "".join(f"Warning: {one}.\n" for one in found.warnings)
    said = proof_to_json(found.proof, found.warnings) if given["json"] else plain(text)
    write(sys.stdout, said)
    fault = found.proof.fault()
    if fault is not None:
        raise fault
    return ExitCode.OK


def _build(inputs: Inputs, tools: Tools) -> Report:
    assert inputs.output is not None  # noqa: S101 - for the type checker: checked as it was read
    report = pipeline.build(inputs, inputs.output, tools)
    write(sys.stdout, plain(to_text(report)))
    if report.written is None:
        tools.console.say(f"No bundle was written; why: {inputs.output / SUMMARY}")
        if (inputs.output / BUNDLE).exists():
            tools.console.warn(f"the bundle in {inputs.output} is that of an earlier build")
    else:
        tools.console.say(f"Upload {inputs.output / ZIP}")
    return report


def _guarded(given: Given, environ: Mapping[str, str]) -> int:
    console = Console(sys.stderr)
    collects = gc.isenabled()
    # A build is short and keeps nearly all that it makes: looking for garbage is 5 % of its time.
    gc.disable()
    try:
        return int(_run(given, environ))
    except KeyboardInterrupt:
        console.say("Interrupted: the output is as it was.")
        return int(ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - what is no fault is a bug of ours: say all we know
        fault = as_fault(error)
        if fault is None:
            console.say(traceback.format_exc())
            console.say(f"error[bug]: this is a bug of overflow {__version__}: please report it")
        else:
            console.fault(fault)
        failure = _failure(error, fault)
        if given["command"] == "build" or "reports" in given:
            leave_failure(text_option(given, environ, "output"), failure)
        return failure.exit_code
    finally:
        if collects:
            gc.enable()


def _failure(error: Exception, fault: Fault | None) -> Failure:
    if fault is None:
        return Failure(
            code="bug",
            message=f"a bug of overflow {__version__}: {type(error).__name__}",
            hint="please report it, with the log",
            details="",
            exit_code=int(ExitCode.BUG),
        )
    return Failure.of(fault)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="overflow",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"overflow {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    build = commands.add_parser(
        "build", help="build the bundle", description="Build DIR/bundle and DIR/function.zip."
    )
    build.add_argument(
        "--output",
        metavar="DIR",
        help="folder for bundle/, function.zip, report.json and summary.md; outside the project",
    )
    plan = commands.add_parser(
        "plan",
        help="say what a build would do",
        description="Install and measure as a build does, print the plan, and write nothing.",
    )
    plan.add_argument("--json", action="store_true", help="print it as report.json has it")
    check = commands.add_parser(
        "verify",
        help="start a bundle that was built",
        description="Start a bundle as Lambda does: read-only, with an empty /tmp, one CPU, and"
        " no network unless something is deferred. Says how long a cold start takes.",
    )
    check.add_argument("bundle", metavar="BUNDLE", help="a build's output folder, or bundle/ in it")
    check.add_argument(
        "--tmp-mb", metavar="MB", help="the function's /tmp (default: what the bundle asks for)"
    )
    check.add_argument("--json", action="store_true", help="print it as report.json has it")
    for command in (build, plan):
        _add_options(command)
    return parser


def _add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "project", nargs="?", metavar="PROJECT", help="folder with pyproject.toml (default: here)"
    )
    for variable, purpose in SWITCHES.items():
        flag = "--" + variable.removeprefix("OVERFLOW_").lower().replace("_", "-")
        command.add_argument(flag, action="store_true", help=purpose)
    for option in OPTIONS:
        default = f" (default: {option.default})" if option.default else ""
        command.add_argument(
            option.flag,
            dest=option.key,
            action="append" if option.repeats else "store",
            # Not argparse's choices, which end without an error code and a fault.json.
            metavar=option.metavar or "{" + ",".join(option.choices) + "}",
            help=option.help + default + ("; may be repeated" if option.repeats else ""),
        )
