"""Start: from a bundle's manifest to the function that Lambda calls."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from . import handler, install, paths
from .manifest import MANIFEST_FILE, VENDOR_FOLDER, Manifest, from_json

if TYPE_CHECKING:
    from collections.abc import Callable


def start(root: str) -> Callable[[Any, Any], Any]:
    """Prepare the bundle at `root` and give its handler: manifest, install, sys.path, handler.

    Raises RuntimeError for another Python, ValueError for a manifest of another version,
    InstallError, HandlerError, or what the user's module raises when imported.
    """
    with open(f"{root}/{MANIFEST_FILE}", encoding="utf-8") as stream:
        manifest = from_json(stream.read())
    _check_python(manifest)
    folders = [f"{root}/{VENDOR_FOLDER}"]
    if manifest.deferred is not None:
        install.ensure(manifest, manifest.deferred, root)
        folders.insert(0, manifest.overflow_folder)
    paths.extend(root, folders)
    return handler.load(manifest.handler, manifest.interface)


def _check_python(manifest: Manifest) -> None:
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running != manifest.python:
        raise RuntimeError(
            f"this bundle is for python{manifest.python} and the function runs python{running}:"
            " set the function's runtime, or build with --python"
        )
