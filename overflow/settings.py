"""Settings: what the action is asked for beyond a build, from its inputs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from overflow.errors import InputFault
from overflow.limits import megabytes

if TYPE_CHECKING:
    from collections.abc import Mapping

MODES = ("auto", "container", "native")
GATES = ("limit", "threshold", "growth", "never")
COMMENTS = ("auto", "never")
SWITCHES = ("upload", "release", "attest")
"""Inputs that action.yml itself looks at: anything but `true` would be taken for `false`."""

LONGEST_NAME = 120
"""Characters of an artifact's name; file systems take 255 bytes."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The action's own inputs, checked."""

    mode: str
    image: str | None
    """The build image, instead of the one that the action's image.json names."""
    fail_on: str
    max_growth: int
    """Bytes that a pull request may add before the gate `growth` closes."""
    comment: str
    comment_author: str | None
    """Who the token comments as, where GitHub does not say: a GitHub App's own token."""
    artifact_name: str | None

    @property
    def compares(self) -> bool:
        """Whether anything asks for what a pull request changes."""
        return self.comment != "never" or self.fail_on == "growth"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from the OVERFLOW_ variables of action.yml; raises InputFault `option-invalid`."""

    def text(name: str, default: str = "") -> str:
        return environ.get(f"OVERFLOW_{name}", "").strip() or default

    for name in SWITCHES:
        # Not stripped: an expression compares the whole text, blanks and all.
        _one_of(name, environ.get(f"OVERFLOW_{name.upper()}") or "false", ("true", "false"))
    return Settings(
        mode=_one_of("mode", text("MODE", "auto"), MODES),
        image=_image(text("IMAGE")),
        fail_on=_one_of("fail-on", text("FAIL_ON", "limit"), GATES),
        max_growth=_megabytes("max-growth-mb", text("MAX_GROWTH_MB", "0")),
        comment=_one_of("comment", text("COMMENT", "auto"), COMMENTS),
        comment_author=_author(text("COMMENT_AUTHOR")),
        artifact_name=_artifact_name(text("ARTIFACT_NAME")),
    )


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise _invalid(name, value, "one of " + ", ".join(known))
    return value


def _megabytes(name: str, value: str) -> int:
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", value):
        raise _invalid(name, value, "a number of MB, as in 10 or 2.5")
    return megabytes(float(value))


def _image(value: str) -> str | None:
    # It becomes an argument of docker's: nothing that could be an option.
    if value and not re.fullmatch(r"[a-zA-Z0-9][\w.:/@-]{0,254}", value):
        raise _invalid("image", value, "the name of an image, best with its digest")
    return value or None


def _author(value: str) -> str | None:
    if value and not re.fullmatch(r"[A-Za-z0-9_-]{1,100}(\[bot\])?", value):
        raise _invalid("comment-author", value, "a login, as in my-app[bot]")
    return value or None


def _artifact_name(value: str) -> str | None:
    if value and not re.fullmatch(rf"[A-Za-z0-9_][\w.+-]{{0,{LONGEST_NAME - 5}}}", value, re.ASCII):
        raise _invalid("artifact-name", value, "letters, digits, `.`, `_`, `+` and `-`")
    return value.removesuffix(".zip") or None


def _invalid(name: str, value: str, expected: str) -> InputFault:
    return InputFault("option-invalid", f"{name}: {value!r}", hint=f"expected {expected}")
