"""Makes the bare git repository that this example depends on, the same commit every time.

usage: make_repository.py FOLDER

Prints the environment in which git (and so uv) finds it under its name in pyproject.toml.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).parent / "git-dependency"
URL = "https://git.example.com/tariffs.git"

IDENTITY = {
    "GIT_AUTHOR_NAME": "Example",
    "GIT_AUTHOR_EMAIL": "example@example.com",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00+00:00",
    "GIT_COMMITTER_NAME": "Example",
    "GIT_COMMITTER_EMAIL": "example@example.com",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00+00:00",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}
"""Fixed, so that the commit in uv.lock is the one that is made."""


def make_repository(bare: Path) -> dict[str, str]:
    """Make the repository at `bare`; gives the variables that lead git to it."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder, "tariffs")
        shutil.copytree(SOURCE, work)
        for path in work.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        git(work, "init", "--quiet", "--initial-branch=main")
        git(work, "add", "--all")
        git(work, "-c", "commit.gpgsign=false", "commit", "--quiet", "--message=Tariffs")
        git(work, "tag", "v1.0")
        git(work, "clone", "--quiet", "--bare", str(work), str(bare))
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{bare.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": URL,
    }


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder, as the fixed identity."""
    subprocess.run(["git", *arguments], cwd=folder, env={**os.environ, **IDENTITY}, check=True)


if __name__ == "__main__":
    for name, value in make_repository(Path(sys.argv[1]).absolute()).items():
        print(f"export {name}={value}")
