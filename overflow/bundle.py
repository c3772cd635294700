"""Bundle: the folder that becomes /var/task, written as the plan says."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.archive import Member
from overflow.plan import Plan, Where
from overflow.runtime.manifest import INSTALLER_FILE, VENDOR_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overflow.generated import Generated
    from overflow.measure import Measurement
    from overflow.tree import Tree


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A written bundle: each file's bytes as they are on disk."""

    root: Path
    sizes: Mapping[str, int]

    @property
    def size(self) -> int:
        """The sum, which is what Lambda counts."""
        return sum(self.sizes.values())

    def members(self) -> list[Member]:
        """Its files, sorted, as an archive takes them."""
        return [
            Member(
                name=name,
                path=self.root / name,
                executable=name == INSTALLER_FILE or os.access(self.root / name, os.X_OK),
            )
            for name in sorted(self.sizes)
        ]


def write_bundle(
    root: Path,
    plan: Plan,
    *,
    project: Tree,
    measurement: Measurement,
    generated: Generated,
    installer: Path | None,
) -> Bundle:
    """Write the bundle into the new folder `root`; installer: the uv to carry, if any.

    The project's files are copied (they are the user's, who may edit them); distributions are
    hard links where the file system allows (they are uv's, and nobody edits them).
    """
    writer = _Writer(root)
    for path in project.sizes:
        writer.copy(project.root / path, path)
    for place in plan.placements:
        if place.where is Where.VENDORED:
            for path in measurement.by_name[place.name].files:
                writer.link(measurement.root / path, f"{VENDOR_FOLDER}/{path}")
    for path, content in generated.files.items():
        writer.write(content, path)
    if installer is not None:
        writer.copy(installer, INSTALLER_FILE)
        (root / INSTALLER_FILE).chmod(0o755)
    return Bundle(root=root, sizes=writer.sizes)


class _Writer:
    """Puts files below a folder and remembers their sizes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sizes: dict[str, int] = {}
        self._folders: set[str] = set()

    def copy(self, source: Path, path: str) -> None:
        target = self._place(path)
        shutil.copyfile(source, target)
        shutil.copymode(source, target)
        self.sizes[path] = os.path.getsize(target)

    def link(self, source: Path, path: str) -> None:
        target = self._place(path)
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without links
            self.copy(source, path)
        self.sizes[path] = os.path.getsize(target)

    def write(self, content: bytes, path: str) -> None:
        Path(self._place(path)).write_bytes(content)
        self.sizes[path] = len(content)

    def _place(self, path: str) -> str:
        target = f"{self.root}/{path}"
        folder = os.path.dirname(target)
        if folder not in self._folders:
            os.makedirs(folder, exist_ok=True)
            self._folders.add(folder)
        return target
