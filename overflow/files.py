"""Files: which of the project's own files go into the bundle."""

from __future__ import annotations

import hashlib
import re
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from overflow.errors import InputFault
from overflow.tree import Tree, read_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
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

HASHED_UP_TO = 1024 * 1024
"""Bytes. A version file that a build writes anew, as it was, is no change."""

_SETTINGS = re.compile(
    r"(?:.*/)?(?:pyproject\.toml|uv\.lock|uv\.toml|pip\.conf|requirements.*\.txt)"
)
_CREDENTIALS = re.compile(rb"://[^/\s@'\":]*:[^/\s@'\"]+@|https?://[^/\s@'\"]+@")
"""A user name and password, or a token, in a URL."""


@dataclass(frozen=True, kw_only=True)
class ProjectFiles:
    """The project's own files that go into the bundle."""

    tree: Tree
    notes: tuple[str, ...]
    """What was left out although nobody asked for that, for people."""

    def known_to(self, earlier: ProjectFiles) -> ProjectFiles:
        """Without what came since, except for a lock: uv makes that where there is none."""
        known = {*earlier.tree.sizes, "uv.lock"}
        sizes = {path: size for path, size in self.tree.sizes.items() if path in known}
        return replace(self, tree=replace(self.tree, sizes=sizes))

    def fingerprints(self) -> dict[str, object]:
        """What a file is recognised by: its content, that of a large one by inode and times."""
        return {path: _fingerprint(self.tree.root / path) for path in self.tree.sizes}

    def check_unchanged(self, before: Mapping[str, object]) -> None:
        """Raise InputFault `project-changed` where a file is not as it was.

        Building a dependency runs its code, which must not decide what else is deployed.
        """
        for path, known in before.items():
            if _fingerprint(self.tree.root / path) != known:
                raise InputFault(
                    "project-changed",
                    f"{path}: changed while dependencies were built",
                    hint="a build hook writes to it: leave it out with --exclude, or mend the hook",
                )


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
    kept = tree.sizes.keys() - secret
    names = tuple(name.lstrip("/") for name in RESERVED)
    reserved = [path for path in tree.left_out if path in names]
    return ProjectFiles(
        tree=replace(tree, sizes={path: size for path, size in tree.sizes.items() if path in kept}),
        notes=(
            *(f"left out: link {path}" for path in tree.skipped_links),
            *(f"left out: {path}, a name that the bundle needs" for path in reserved),
            *(f"left out: {path}, which has a password in a URL" for path in secret),
        ),
    )


def _fingerprint(path: Path) -> object:
    try:
        status = path.stat()
        if status.st_size > HASHED_UP_TO:
            return status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns
        return stat.S_IMODE(status.st_mode), hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return None


def _rule(exclude: Sequence[str], include: Sequence[str]) -> Callable[[str, bool], bool]:
    """What read_tree asks: whether a path stays out."""
    # Imported here: it takes 30 ms, which only a build needs.
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
