"""Checkout: copies of the workspace for a build, without what the runner left in it.

A sandboxed build works on a copy: it can neither change what later steps run nor read the token
that a checkout leaves in .git/config.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.errors import InputFault
from overflow.process import child_environment, run

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEPT = {
    "core": ("repositoryformatversion", "filemode", "bare", "ignorecase", "symlinks", "worktree"),
    "extensions": ("objectformat", "worktreeconfig", "refstorage"),
}
"""Of .git/config: what git needs to read the repository, and nothing with a credential in it."""

_LEFT_OUT = "gha-creds-"
"""Files in the workspace that hold credentials: as google-github-actions/auth names them."""


def copy_workspace(workspace: Path, copy: Path) -> None:
    """Copy a workspace, links as links, times and modes kept; `copy` must not exist yet."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    command = ["cp", "-a", "--reflink=auto", "--", str(workspace), str(copy)]
    done = run(command, folder=copy.parent, environment=child_environment(os.environ))
    if done.exit_code != 0:
        raise InputFault(
            "workspace-unreadable",
            f"{workspace} cannot be copied",
            hint="check that the runner may read all of it",
            details=done.errors,
        )
    for left_out in copy.glob(f"{_LEFT_OUT}*.json"):
        left_out.unlink()
    for folder, folders, _ in os.walk(copy):
        # Not at the top alone: `path` has actions/checkout put a repository below it.
        if ".git" in folders:
            folders.remove(".git")
            _forget_credentials(Path(folder, ".git"))


def _forget_credentials(git: Path) -> None:
    if git.is_symlink():
        return
    inner = git / "modules"
    configs = [] if inner.is_symlink() else inner.rglob("config")
    # A branch may have that name, too.
    modules = [path.parent for path in configs if (path.parent / "objects").is_dir()]
    for place in (git, *modules):
        for name in ("config", "config.worktree"):
            path = place / name
            if path.is_file() and not path.is_symlink():
                path.write_text(harmless_config(path.read_text("utf-8", "replace")), "utf-8")
        for name in ("hooks", "credentials", "logs", "worktrees", "config.lock"):
            _remove(place / name)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def harmless_config(text: str) -> str:
    """A git configuration without remotes, headers, includes and everything else not needed."""
    kept: list[str] = []
    known: tuple[str, ...] = ()
    for line in text.splitlines():
        section = re.fullmatch(r"\s*\[(\w+)\]\s*", line)
        if line.lstrip().startswith("["):
            known = _KEPT.get(section[1].lower(), ()) if section else ()
            kept += [line] if known else []
        elif line.partition("=")[0].strip().lower() in known and not line.endswith("\\"):
            kept.append(line)
    return "\n".join(kept) + "\n"


def check_out(workspace: Path, sha: str, copy: Path, environ: Mapping[str, str]) -> bool:
    """Write the files of a commit to `copy`; False where the repository cannot give it.

    The commit is fetched where a shallow checkout does not have it.
    """
    environment = {
        **child_environment(environ),
        "GIT_INDEX_FILE": f"{copy}.index",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    # The workspace may belong to another user than the one who runs us (a job's container).
    git = ["git", "-c", f"safe.directory={workspace}", "-C", str(workspace)]

    def succeeds(*arguments: str) -> bool:
        return run([*git, *arguments], folder=workspace, environment=environment).exit_code == 0

    copy.mkdir(parents=True, exist_ok=True)
    try:
        return (
            succeeds("cat-file", "-e", f"{sha}^{{commit}}")
            or succeeds("fetch", "--quiet", "--no-tags", "--depth=1", "origin", sha)
        ) and (
            succeeds("read-tree", sha)
            and succeeds("checkout-index", "--all", "--quiet", f"--prefix={copy}/")
        )
    except OSError:  # no git on this machine
        return False
