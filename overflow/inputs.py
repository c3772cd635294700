"""Inputs: everything a build is asked for, from options and environment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from overflow.errors import InputFault
from overflow.limits import (
    LIMIT_MB,
    THRESHOLD_MB,
    TMP_DEFAULT_MB,
    TMP_MAXIMUM_MB,
    Limits,
    megabytes,
)
from overflow.plan import Strategy

ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})

NO_RUNTIME_INSTALL = "OVERFLOW_NO_RUNTIME_INSTALL"
NO_START_RECORD = "OVERFLOW_NO_START_RECORD"
"""Variable of `--no-runtime-install`, the one option that takes no value."""

VERCEL_SWITCH = "VERCEL_EXPERIMENTAL_PYTHON_UV_INSTALL_ON_STARTUP"
VERCEL_TMP = "MAXIMISE_TMP_SPACE"
"""Two variables of Vercel's Python runtime, honoured as they were there."""


Given = Mapping[str, "str | list[str] | None"]
"""Options by key, as argparse has them; None where not given."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One setting: an option of the command, and a variable of the environment."""

    flag: str
    help: str
    metavar: str = ""
    repeats: bool = False
    choices: tuple[str, ...] = ()
    default: str = ""

    @property
    def variable(self) -> str:
        """`OVERFLOW_THRESHOLD_MB` for `--threshold-mb`."""
        return "OVERFLOW_" + self.flag.removeprefix("--").replace("-", "_").upper()

    @property
    def key(self) -> str:
        """`threshold_mb`."""
        return self.flag.removeprefix("--").replace("-", "_")


OPTIONS = (
    Option(
        flag="--strategy",
        choices=tuple(one.value for one in Strategy),
        default="defer",
        help="how what does not fit is handled: `defer` installs every public distribution from"
        " the index at cold start, `pack` carries compressed what does not fit, fetches nothing,"
        " and adds bytecode",
    ),
    Option(
        flag="--threshold-mb",
        metavar="MB",
        default=str(THRESHOLD_MB),
        help="size above which something overflows",
    ),
    Option(
        flag="--limit-mb",
        metavar="MB",
        default=str(LIMIT_MB),
        help="size that Lambda refuses to exceed",
    ),
    Option(
        flag="--layers-mb",
        metavar="MB",
        default="0",
        help="what the function's layers and extensions take, unzipped: counts against both",
    ),
    Option(
        flag="--handler",
        metavar="NAME",
        help="module.function, or module:app for a WSGI or ASGI app (default: looked for in"
        " app.py, main.py, ...)",
    ),
    Option(
        flag="--python",
        metavar="X.Y",
        help="Lambda's Python to build for (default: .python-version, else the newest that"
        " requires-python admits)",
    ),
    Option(
        flag="--architecture",
        metavar="ARCH",
        default="x86_64",
        help="the function's: x86_64 or arm64",
    ),
    Option(
        flag="--group",
        metavar="NAME",
        repeats=True,
        help="dependency group to include (none is by default, dev neither)",
    ),
    Option(flag="--extra", metavar="NAME", repeats=True, help="extra of the project to include"),
    Option(
        flag="--public-index",
        metavar="URL",
        repeats=True,
        help="a package index that the function can reach without a password, like PyPI",
    ),
    Option(
        flag="--exclude",
        metavar="GLOB",
        repeats=True,
        help="gitignore pattern of project files to leave out, beside the usual ones",
    ),
    Option(
        flag="--include",
        metavar="GLOB",
        repeats=True,
        help="gitignore pattern of project files to take in all the same",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What is asked for, checked. Paths are absolute."""

    project: Path
    output: Path | None
    """None for a plan, which writes nothing."""
    strategy: Strategy
    limits: Limits
    runtime_install: bool
    start_record: bool
    """Whether the handler is imported to see what start-up needs."""
    handler: str | None
    python: str | None
    architecture: str
    groups: tuple[str, ...]
    extras: tuple[str, ...]
    public_indexes: tuple[str, ...]
    exclude: tuple[str, ...]
    include: tuple[str, ...]


def read_inputs(given: Given, environ: Mapping[str, str], *, writes: bool) -> Inputs:
    """Inputs from options (by key; None where not given), else from OVERFLOW_ variables.

    writes: whether an output folder is needed. Raises InputFault `option-invalid`.
    """
    one = {option.key: _one(option, given, environ) for option in OPTIONS if not option.repeats}
    many = {option.key: _many(option, given, environ) for option in OPTIONS if option.repeats}
    project = Path(text_option(given, environ, "project") or ".").absolute()
    output = text_option(given, environ, "output")
    if writes and not output:
        raise InputFault(
            "option-invalid",
            "--output: is needed",
            hint="name a folder outside the project, as in --output ../build",
        )
    architecture = ARCHITECTURES.get((one["architecture"] or "").lower())
    if architecture is None:
        raise _invalid("--architecture", one["architecture"], "x86_64 or arm64")
    if one["strategy"] not in {known.value for known in Strategy}:
        known = ", ".join(known.value for known in Strategy)
        raise _invalid("--strategy", one["strategy"], f"one of {known}")
    return Inputs(
        project=project,
        output=Path(output).absolute() if output and writes else None,
        strategy=Strategy(one["strategy"]),
        limits=_limits(one, environ),
        runtime_install=_runtime_install(given, environ),
        start_record=_start_record(given, environ),
        handler=one["handler"] or None,
        python=one["python"] or None,
        architecture=architecture,
        groups=many["group"],
        extras=many["extra"],
        public_indexes=many["public_index"],
        exclude=many["exclude"],
        include=many["include"],
    )


def text_option(given: Given, environ: Mapping[str, str], key: str) -> str | None:
    """What an option or its variable says, unchecked; None where neither is given."""
    value = given.get(key)
    return value if isinstance(value, str) else environ.get(f"OVERFLOW_{key.upper()}")


def _one(
    option: Option,
    given: Given,
    environ: Mapping[str, str],
) -> str:
    return (text_option(given, environ, option.key) or option.default).strip()


def _many(
    option: Option,
    given: Given,
    environ: Mapping[str, str],
) -> tuple[str, ...]:
    value = given.get(option.key)
    if isinstance(value, list):
        return tuple(value)
    # One a line or separated by commas: patterns and URLs hold neither.
    text = environ.get(option.variable, "").replace(",", "\n")
    return tuple(item.strip() for item in text.splitlines() if item.strip())


def _runtime_install(given: Given, environ: Mapping[str, str]) -> bool:
    if given.get("no_runtime_install"):
        return False
    off = _switch(environ, NO_RUNTIME_INSTALL)
    return not off if off is not None else _switch(environ, VERCEL_SWITCH) is not False


def _start_record(given: Given, environ: Mapping[str, str]) -> bool:
    return not (given.get("no_start_record") or _switch(environ, NO_START_RECORD))


def _limits(one: Mapping[str, str], environ: Mapping[str, str]) -> Limits:
    layers = _size("--layers-mb", one["layers_mb"])
    large = _switch(environ, VERCEL_TMP)
    return Limits(
        threshold=max(0, _size("--threshold-mb", one["threshold_mb"]) - layers),
        limit=max(0, _size("--limit-mb", one["limit_mb"]) - layers),
        layers=layers,
        tmp=megabytes(TMP_MAXIMUM_MB if large else TMP_DEFAULT_MB),
    )


def _size(flag: str, text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1e6:  # also false for not-a-number
        raise _invalid(flag, text, "a number of MB, as in 240 or 37.5")
    return megabytes(value)


def _switch(environ: Mapping[str, str], name: str) -> bool | None:
    text = environ.get(name, "").strip().lower()
    if not text:
        return None
    if text not in TRUE | FALSE:
        raise _invalid(name, text, "1 or 0")
    return text in TRUE


def _invalid(where: str, value: str, expected: str) -> InputFault:
    return InputFault("option-invalid", f"{where}: {value!r}", hint=f"expected {expected}")
