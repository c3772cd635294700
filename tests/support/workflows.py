"""Every workflow and action of this repository as text and value, those in the docs included."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

FRAME = """\
name: Fragment
on: push
permissions: {{}}
concurrency:
  group: fragment
  cancel-in-progress: false
jobs:
  job:
    name: Job
    runs-on: ubuntu-latest
    permissions:
      contents: read # the checkout
    steps:
{steps}"""
"""What a block of the docs with steps alone stands in."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A YAML file, or a block of the docs as the file that a reader makes of it."""

    name: str
    """The file's path in the repository, or `docs/recipes.md:12`."""
    text: str

    @cached_property
    def content(self) -> Any:
        """The text as a value; `on` is a key and no boolean, as GitHub reads it."""
        return YAML(typ="safe", pure=True).load(self.text)

    @property
    def file_name(self) -> str:
        """A name for a copy of it."""
        return self.name if self.name.endswith(".yml") else re.sub(r"\W+", "-", self.name) + ".yml"


def file_source(path: str) -> Source:
    """A file of the repository."""
    return Source(name=path, text=(ROOT / path).read_text(encoding="utf-8"))


def our_workflows() -> tuple[Source, ...]:
    """What runs here, and what users are to copy."""
    folders = (".github/workflows", "examples/workflows")
    paths = [path for folder in folders for path in sorted((ROOT / folder).glob("*.yml"))]
    return tuple(file_source(path.relative_to(ROOT).as_posix()) for path in paths)


def documented() -> tuple[Source, ...]:
    """The docs' YAML blocks that are workflows or steps of one."""
    paths = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return tuple(source for path in paths for source in _blocks(path))


def _blocks(path: Path) -> Iterator[Source]:
    text = path.read_text(encoding="utf-8")
    for block in re.finditer(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, block.start()) + 1
        whole = re.search(r"^jobs:", block[1], re.MULTILINE)
        workflow = block[1] if whole else FRAME.format(steps=textwrap.indent(block[1], " " * 6))
        yield Source(name=f"{path.relative_to(ROOT).as_posix()}:{line}", text=workflow)


def actions() -> tuple[Source, ...]:
    """What `uses:` finds in this repository."""
    return file_source("action.yml"), file_source("comment/action.yml")


def steps(source: Source) -> Iterator[dict[str, Any]]:
    """All steps of a workflow or composite action, and jobs that call another workflow."""
    content = source.content
    if "runs" in content:
        yield from content["runs"]["steps"]
    for job in content.get("jobs", {}).values():
        yield from job.get("steps", [job])
