"""Templates: the trampoline, the summary and the plan's text, rendered with Jinja."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from overflow.limits import in_megabytes
from overflow.resources import templates_folder

if TYPE_CHECKING:
    from jinja2 import Environment

NAMES = ("plan.txt", "summary.md", "trampoline.py")

_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>#|~&@:$!\x00-\x1f\x7f]|(?<=www)\.", re.IGNORECASE)


def markdown(text: str) -> str:
    """`text` as GitHub shows it unchanged: no markup, link, mention, cell or line of its own."""
    return _MARKDOWN.sub(lambda match: f"&#{ord(match.group())};", text)


def render(name: str, **values: object) -> str:
    """The template with these values; a value that is missing raises jinja2.UndefinedError."""
    return _environment().get_template(name).render(**values)


def prepare() -> None:
    """Import Jinja and compile the templates, so that it is done when they are needed."""
    for name in NAMES:
        _environment().get_template(name)


@cache
def _environment() -> Environment:
    # Importing Jinja takes 0.1 s, which pass while uv installs (see installation.py).
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(templates_folder()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - none of them is HTML: in Markdown, values go through `md`
    )
    environment.filters["mb"] = in_megabytes
    environment.filters["md"] = markdown
    return environment
