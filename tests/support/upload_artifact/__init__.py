"""The stand-in for actions/upload-artifact, with its packages from npm."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_HERE = Path(__file__).parent
_FILES = ("action.yml", "index.js", "package.json", "package-lock.json")
_CACHE = Path(__file__).parents[3] / "build" / "upload-artifact"


def make_upload_artifact(folder: Path) -> Path:
    """Make the action in `folder`, which must not exist, and give it for act's local repositories.

    Its packages are installed once for each package-lock.json, into build/ of this repository:
    npm takes about ten seconds. Raises subprocess.CalledProcessError where npm fails.
    """
    modules = _modules()
    folder.mkdir()
    for name in _FILES:
        shutil.copy(_HERE / name, folder)
    # act copies the action for every step that uses it: 200 MB of packages stay where they are.
    (folder / "node_modules").symlink_to(modules)
    return folder


def _modules() -> Path:
    """Give the folder of the installed packages."""
    lock = hashlib.sha256((_HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
    place = _CACHE / lock
    if not place.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        # Installed aside, so that another process or a killed one leaves no half of it.
        with tempfile.TemporaryDirectory(dir=_CACHE) as aside:
            _install(Path(aside) / lock)
            try:
                (Path(aside) / lock).rename(place)
            except OSError:
                # Another process was faster.
                if not place.exists():
                    raise
    return place / "node_modules"


def _install(folder: Path) -> None:
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_HERE / name, folder)
    subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder,
        env={**os.environ, "NODE_ENV": "production"},
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
