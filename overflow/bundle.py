"""Bundle: the folder that becomes /var/task, written as the plan says."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.archive import Member
from overflow.plan import Where
from overflow.runtime.manifest import INSTALLER_FILE, PACKED_FOLDER, VENDOR_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overflow.decision import Decision
    from overflow.measure import Measurement
    from overflow.plan import Plan
    from overflow.tree import Tree


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A written bundle: its files' bytes, and which of them can be run."""

    root: Path
    sizes: Mapping[str, int]
    executable: frozenset[str]

    @property
    def size(self) -> int:
        """The sum, which is what Lambda counts."""
        return sum(self.sizes.values())

    def members(self) -> list[Member]:
        """Its files, sorted, as an archive takes them."""
        return [
            Member(
                name=name,
                path=f"{self.root}/{name}",
                size=self.sizes[name],
                executable=name in self.executable,
                stored=name.startswith(f"{PACKED_FOLDER}/"),
            )
            for name in sorted(self.sizes)
        ]


def write_bundle(
    root: Path,
    *,
    project: Tree,
    measurement: Measurement,
    decision: Decision,
    installer: Path | None,
) -> Bundle:
    """Write the bundle that was decided on into the new folder `root`; installer: uv, if carried.

    The project's files are copied: they are the user's, who may edit them. Distributions are
    uv's, and nobody edits them: they are moved out of the environment (which is ours, and of no
    use afterwards), so that they stay the hard links to uv's cache that uv made where it could.
    """
    writer = _Writer(root)
    for path, size in project.sizes.items():
        writer.copy(project.root / path, path)
        writer.note(path, size, executable=path in project.executable)
    generated = decision.generated
    _place_vendored(writer, decision.plan, measurement)
    for path, content in generated.files.items():
        writer.write(content, path)
        writer.note(path, len(content), executable=False)
    if installer is not None and generated.installer is not None:
        writer.copy(installer, INSTALLER_FILE)
        (root / INSTALLER_FILE).chmod(0o755)
        writer.note(INSTALLER_FILE, generated.installer.size, executable=True)
    for crate in decision.crates:
        writer.move(str(crate.path), f"{PACKED_FOLDER}/{crate.path.name}")
        writer.note(f"{PACKED_FOLDER}/{crate.path.name}", crate.size, executable=False)
    for path, compiled in decision.bytecode.items():
        writer.write(compiled.content, path)
        writer.note(path, compiled.size, executable=False)
    return Bundle(root=root, sizes=writer.sizes, executable=frozenset(writer.executable))


def _place_vendored(writer: _Writer, plan: Plan, measurement: Measurement) -> None:
    tree = measurement.tree
    vendored = {
        path
        for place in plan.placements
        if place.where is Where.VENDORED
        for path in measurement.by_name[place.name].files
    }
    # What keeps a top-level folder from being moved whole: deferred files, those that no bundle
    # wants, and links, which become the files that they stand for.
    staying = (path for path in tree.sizes if path not in vendored)
    divided = {_top(path) for path in (*staying, *tree.left_out, *tree.skipped_links, *tree.links)}
    whole: dict[str, list[str]] = defaultdict(list)
    for path in sorted(vendored, key=set(tree.links).__contains__, reverse=True):
        whole[_top(path)].append(path)
        executable = path in tree.executable
        writer.note(f"{VENDOR_FOLDER}/{path}", tree.sizes[path], executable=executable)
    for top, paths in whole.items():
        for path in paths if top in divided else [top]:
            writer.move(f"{tree.root}/{path}", f"{VENDOR_FOLDER}/{path}")


def _top(path: str) -> str:
    return path.partition("/")[0]


class _Writer:
    """Puts files below a folder and keeps their sizes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sizes: dict[str, int] = {}
        self.executable: set[str] = set()
        self._folders: set[str] = set()

    def note(self, path: str, size: int, *, executable: bool) -> None:
        self.sizes[path] = size
        if executable:
            self.executable.add(path)

    def copy(self, source: Path, path: str) -> None:
        target = self._place(path)
        shutil.copyfile(source, target)
        shutil.copymode(source, target)

    def move(self, source: str, path: str) -> None:
        target = self._place(path)
        if os.path.islink(source):
            shutil.copy(source, target)
        else:
            os.rename(source, target)

    def write(self, content: bytes, path: str) -> None:
        Path(self._place(path)).write_bytes(content)

    def _place(self, path: str) -> str:
        target = f"{self.root}/{path}"
        folder = os.path.dirname(target)
        if folder not in self._folders:
            os.makedirs(folder, exist_ok=True)
            self._folders.add(folder)
        return target
