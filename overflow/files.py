"""Files: which of the project's own files go into the bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overflow.errors import InputFault
from overflow.tree import Tree, read_tree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RESERVED = ("/_vendor", "/_overflow", "/_uv", "/overflow_trampoline.py")
"""Names that the bundle itself needs at its root."""

LEFT_OUT = (
    ".*",  # .git, .venv, .env and its secrets, editors' and tools' folders
    "__pycache__/",
    "*.py[co]",
    "*.egg-info/",
    "venv/",
    "node_modules/",
    "/uv.lock.*",
    *RESERVED,
)
"""gitignore patterns of what never belongs into a bundle, unless --include says so."""


def read_project_files(root: Path, *, exclude: Sequence[str], include: Sequence[str]) -> Tree:
    """The project's files less LEFT_OUT and `exclude`, with what `include` brings back.

    Patterns are those of gitignore, relative to the project. A name that the bundle needs for
    itself stays out whatever is included. Raises InputFault `option-invalid` for what is none.
    """
    # Importing pathspec takes 30 ms, which pass while uv installs (see pipeline.py).
    from pathspec import GitIgnoreSpec  # noqa: PLC0415

    reserved = GitIgnoreSpec.from_lines(RESERVED)
    try:
        rules = GitIgnoreSpec.from_lines([*LEFT_OUT, *exclude, *(f"!{rule}" for rule in include)])
    except ValueError as error:
        raise InputFault(
            "option-invalid",
            f"--exclude or --include: {error}",
            hint="expected a pattern as in .gitignore",
        ) from error

    def skip(path: str, is_folder: bool) -> bool:  # noqa: FBT001 - read_tree's signature
        if is_folder:
            # With --include a folder that is left out may hold a file that is wanted.
            return reserved.match_file(f"{path}/") or (not include and rules.match_file(f"{path}/"))
        return rules.match_file(path) or reserved.match_file(path)

    return read_tree(root, skip)
