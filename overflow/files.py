"""Files: which of the project's own files go into the bundle."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from overflow.errors import InputFault
from overflow.tree import Tree, read_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
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
    "/build/",
    "/dist/",
    *RESERVED,
)
"""gitignore patterns of what never belongs into a bundle, unless --include says so."""


_SETTINGS = re.compile(
    r"(?:.*/)?(?:pyproject\.toml|uv\.lock|uv\.toml|pip\.conf|requirements.*\.txt)"
)
_CREDENTIALS = re.compile(rb"://[^/\s@'\"]*:[^/\s@'\"]+@|https?://[^/\s@'\"]+@")
"""A user name and password, or a token, in a URL."""


@dataclass(frozen=True, kw_only=True)
class ProjectFiles:
    """The project's own files that go into the bundle."""

    tree: Tree
    notes: tuple[str, ...]
    """What was left out although nobody asked for that, for people."""


def read_project_files(
    root: Path, *, exclude: Sequence[str], include: Sequence[str]
) -> ProjectFiles:
    """The project's files less LEFT_OUT and `exclude`, with what `include` brings back.

    Patterns are those of gitignore, relative to the project. A name that the bundle needs for
    itself stays out whatever is included, and so do settings with a password in a URL.
    Raises InputFault `option-invalid` for what is no pattern.
    """
    tree = read_tree(root, _rule(exclude, include))
    secret = [path for path in tree.sizes if _holds_credentials(tree, path)]
    names = tuple(name.lstrip("/") for name in RESERVED)
    reserved = [path for path in tree.left_out if path in names]
    return ProjectFiles(
        tree=replace(
            tree, sizes={path: size for path, size in tree.sizes.items() if path not in secret}
        ),
        notes=(
            *(f"left out: link {path}" for path in tree.skipped_links),
            *(f"left out: {path}, a name that the bundle needs" for path in reserved),
            *(f"left out: {path}, which has a password in a URL" for path in secret),
        ),
    )


def _rule(exclude: Sequence[str], include: Sequence[str]) -> Callable[[str, bool], bool]:
    """What read_tree asks: whether a path stays out."""
    # Importing pathspec takes 30 ms, which pass while uv installs (see installation.py).
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

    return skip


def _holds_credentials(tree: Tree, path: str) -> bool:
    if not _SETTINGS.fullmatch(path):
        return False
    return _CREDENTIALS.search((tree.root / path).read_bytes()) is not None
