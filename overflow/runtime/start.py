"""Start: from a bundle's manifest to the function that Lambda calls."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from . import handler, paths, ready
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
    if manifest.deferred is not None or any(one.provides is None for one in manifest.groups):
        ready.ensure(manifest, lambda: _fill(manifest, root))
    if any(one.provides is not None for one in manifest.groups):
        from . import lazy  # noqa: PLC0415 - most bundles have none

        lazy.claim(manifest, root)
    paths.extend(root, [*_overflow_folders(manifest), f"{root}/{VENDOR_FOLDER}"])
    return handler.load(manifest.handler, manifest.interface)


def _fill(manifest: Manifest, root: str) -> None:
    """Imports what a cold start needs, and no warm one: a subprocess takes 5 ms to import."""
    if manifest.deferred is not None:
        from . import install  # noqa: PLC0415

        install.fill(manifest.overflow_folder, manifest.deferred, root)
    else:
        from . import unpack  # noqa: PLC0415

        unpack.fill(manifest.overflow_folder, manifest.groups, root)


def _overflow_folders(manifest: Manifest) -> list[str]:
    """In the order of the manifest, whether lazy or not."""
    if manifest.deferred is not None:
        return [manifest.overflow_folder]
    return [f"{manifest.overflow_folder}/{one.name}" for one in manifest.groups]


def _check_python(manifest: Manifest) -> None:
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running != manifest.python:
        raise RuntimeError(
            f"this bundle is for python{manifest.python} and the function runs python{running}:"
            " set the function's runtime, or build with --python"
        )
