"""Plain: the least that it takes to put into /tmp what the limit keeps out of the bundle.

All that the floor has unpacked, bytecode included, is made one archive; the runtime's own unpacker
gives the rate at which this machine unpacks it, and what is above the limit takes its share.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.scene import ROOT, Scene, Task, empty_tmp
from overflow.cache import Cache
from overflow.crate import Item, write_crate
from overflow.limits import LIMIT_MB, MIB
from overflow.runtime.manifest import PACKED_FOLDER, VENDOR_FOLDER
from overflow.tree import read_tree

if TYPE_CHECKING:
    from pathlib import Path

UNPACK = """\
import sys, time
from overflow.runtime import unpack
from overflow.runtime.manifest import Group

root, folder, size, sha256 = sys.argv[1:]
began = time.perf_counter()
unpack.fill(folder, [Group(name="all", size=int(size), sha256=sha256)], root)
print(time.perf_counter() - began)
"""


@dataclass(frozen=True, kw_only=True)
class Plain:
    """The archive of everything."""

    root: Path
    sha256: str
    installed: int
    """Bytes of packages and bytecode."""
    compressed: int

    @property
    def excess(self) -> int:
        """Bytes that do not fit: zero where all do."""
        return max(0, self.installed - LIMIT_MB * MIB)


def prepare(floor: Task) -> Plain:
    """Make the archive, beside the floor's bundle."""
    vendor, root = floor.bundle / VENDOR_FOLDER, floor.bundle.parent / "plain"
    tree = read_tree(vendor, lambda _path, _is_folder: False)
    items = [
        Item(path=path, source=str(vendor / path), size=size, executable=path in tree.executable)
        for path, size in tree.sizes.items()
    ]
    target = root / PACKED_FOLDER / "all"
    target.parent.mkdir(parents=True)
    crate = write_crate(target, {"all": items}, Cache(folder=None))
    return Plain(root=root, sha256=crate.sha256, installed=tree.size, compressed=crate.size)


def unpack(scene: Scene, floor: Task, plain: Plain) -> float:
    """Seconds that unpacking the excess takes, by the rate of unpacking all, this once."""
    empty_tmp(floor)
    arguments = [plain.root, floor.tmp / "all", str(plain.installed), plain.sha256]
    output = scene.run([scene.python, "-c", UNPACK, *arguments], ROOT)
    shutil.rmtree(floor.tmp)
    return round(float(output) * plain.excess / plain.installed, 3)
