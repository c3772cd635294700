"""Inputs: everything a build is asked for, from options and environment."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from overflow.errors import InputFault
from overflow.installer import InstalledBy
from overflow.limits import (
    TMP_DEFAULT_MB,
    TMP_MAXIMUM_MB,
    Limits,
    megabytes,
)
from overflow.options import (
    NO_LAZY,
    NO_NETWORK,
    NO_RUNTIME_INSTALL,
    NO_START_RECORD,
    NO_VERIFY,
    OPTIONS,
    Option,
)
from overflow.plan import Strategy
from overflow.trim import Level

ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})

VERCEL_SWITCH = "VERCEL_EXPERIMENTAL_PYTHON_UV_INSTALL_ON_STARTUP"
VERCEL_TMP = "MAXIMISE_TMP_SPACE"
"""Two variables of Vercel's Python runtime, honoured as they were there."""


Chosen = TypeVar("Chosen", Strategy, InstalledBy, Level)

Given = Mapping[str, "str | list[str] | None"]
"""Options by key, as argparse has them; None where not given."""


class Said(NamedTuple):
    """A setting that takes one value."""

    where: str
    """Where it was said: the option, or the variable."""
    text: str


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What is asked for, checked. Paths are absolute."""

    project: Path
    output: Path | None
    """None for a plan, which writes nothing."""
    strategy: Strategy
    installer: InstalledBy
    """Who installs at cold start what `defer` leaves out."""
    limits: Limits
    runtime_install: bool
    start_record: bool
    """Whether the handler is imported to see what start-up needs."""
    lazy: bool
    """Whether what start-up does not import is put into place on first import only."""
    verify: bool
    """Whether the bundle is started once it is written."""
    trim: Level
    network: bool
    """Whether the function may fetch anything."""
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
    architecture = ARCHITECTURES.get(one["architecture"].text.lower())
    if architecture is None:
        raise _invalid(one["architecture"], "x86_64 or arm64")
    strategy = _strategy(given, environ, one["strategy"])
    return Inputs(
        project=project,
        output=Path(output).absolute() if output and writes else None,
        strategy=strategy,
        installer=_choice(InstalledBy, one["installer"]),
        limits=_limits(one, environ),
        runtime_install=_runtime_install(given, environ),
        start_record=not _is_on(given, environ, NO_START_RECORD),
        lazy=not _is_on(given, environ, NO_LAZY),
        network=_network(given, environ, strategy),
        verify=not _is_on(given, environ, NO_VERIFY),
        trim=_trim(one["trim"], strategy),
        handler=one["handler"].text or None,
        python=one["python"].text or None,
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
) -> Said:
    where = option.flag if isinstance(given.get(option.key), str) else option.variable
    text = (text_option(given, environ, option.key) or option.default).strip()
    return Said(where=where, text=text)


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


def _is_on(given: Given, environ: Mapping[str, str], variable: str) -> bool:
    key = variable.removeprefix("OVERFLOW_").lower()
    return bool(given.get(key) or _switch(environ, variable))


def _strategy(given: Given, environ: Mapping[str, str], said: Said) -> Strategy:
    """Who switches Vercel's overflow on, and names no strategy, gets it as it was there."""
    if not text_option(given, environ, "strategy") and _switch(environ, VERCEL_SWITCH):
        return Strategy.DEFER
    return _choice(Strategy, said)


def _network(given: Given, environ: Mapping[str, str], strategy: Strategy) -> bool:
    off = _is_on(given, environ, NO_NETWORK)
    if off and strategy is Strategy.DEFER:
        raise InputFault(
            "option-invalid",
            "--no-network: with strategy `defer`, all that overflows is fetched",
            hint="choose --strategy auto or pack",
        )
    return not off


def _choice(kind: type[Chosen], said: Said) -> Chosen:
    try:
        return kind(said.text)
    except ValueError:
        known = ", ".join(one.value for one in kind)
        raise _invalid(said, f"one of {known}") from None


def _trim(said: Said, strategy: Strategy) -> Level:
    """`defer` installs distributions as they are: there, nothing goes unless that is asked for."""
    if not said.text:
        return Level.NONE if strategy is Strategy.DEFER else Level.SAFE
    return _choice(Level, said)


def _limits(one: Mapping[str, Said], environ: Mapping[str, str]) -> Limits:
    layers = _size_option(one["layers_mb"])
    large = _switch(environ, VERCEL_TMP)
    tmp = megabytes(TMP_MAXIMUM_MB if large else TMP_DEFAULT_MB)
    return Limits(
        threshold=max(0, _size_option(one["threshold_mb"]) - layers),
        limit=max(0, _size_option(one["limit_mb"]) - layers),
        layers=layers,
        tmp=tmp_option(one["tmp_mb"]) if one["tmp_mb"].text else tmp,
    )


def _size_option(said: Said) -> int:
    """Bytes for a number of MB."""
    try:
        value = float(said.text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1e6:  # also false for not-a-number
        raise _invalid(said, "a number of MB, as in 240 or 37.5")
    return megabytes(value)


def tmp_option(said: Said) -> int:
    """Bytes of a /tmp that Lambda has, for a number of MB. Raises InputFault `option-invalid`."""
    # Six digits are enough, and int() takes no more than some thousands.
    size = int(said.text) if re.fullmatch("[0-9]{1,6}", said.text) else -1
    if not TMP_DEFAULT_MB <= size <= TMP_MAXIMUM_MB:
        expected = f"a whole number of MB from {TMP_DEFAULT_MB} to {TMP_MAXIMUM_MB}"
        raise _invalid(said, f"{expected}, which is what EphemeralStorage can be")
    return megabytes(size)


def _switch(environ: Mapping[str, str], name: str) -> bool | None:
    text = environ.get(name, "").strip().lower()
    if not text:
        return None
    if text not in TRUE | FALSE:
        raise _invalid(Said(where=name, text=text), "1 or 0")
    return text in TRUE


def _invalid(said: Said, expected: str) -> InputFault:
    return InputFault("option-invalid", f"{said.where}: {said.text!r}", hint=f"expected {expected}")
