"""Templates: the trampoline, and the frames of what people read, filled with string.Template."""

from __future__ import annotations

from functools import cache
from string import Template

from overflow.resources import templates_folder

NAMES = ("comment.md", "failure.md", "plan.txt", "settings.md", "summary.md", "trampoline.py")


def render(name: str, /, **values: object) -> str:
    """The template with these values, which are not looked into; a missing one raises KeyError."""
    return _template(name).substitute(values)


@cache
def _template(name: str) -> Template:
    return Template((templates_folder() / name).read_text(encoding="utf-8"))
