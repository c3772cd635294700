"""Stale: a program for the target's Python that finds bytecode which is not of its source.

Bundles have bytecode that Python takes without a look at the source (compiler.py): who edits the
source sees no effect. The hash of the source is in it all the same (PEP 552), and how that is
made differs from Python to Python. Its one argument is a bundle's folder; it prints a list of JSON,
of the sources and the bytecode. Standard library only; nothing of the bundle is run.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.util import MAGIC_NUMBER, source_hash
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HASHED = (1).to_bytes(4, "little")
"""The flags of bytecode with a hash that Python does not compare (PEP 552)."""

SUFFIX = f".{sys.implementation.cache_tag}.pyc"


def main(root: str) -> None:
    """Print what is stale below a folder, by paths in it."""
    json.dump(sorted(stale(root)), sys.stdout)


def stale(root: str) -> Iterator[tuple[str, str]]:
    """Sources, each with the bytecode that is of another one."""
    for folder, _, names in os.walk(root):
        if os.path.basename(folder) != "__pycache__":  # noqa: PTH119 - pathlib takes long for thousands
            continue
        for name in names:
            bytecode = f"{folder}/{name}"
            source = f"{os.path.dirname(folder)}/{name.removesuffix(SUFFIX)}.py"  # noqa: PTH120
            if name.endswith(SUFFIX) and not _is_of(bytecode, source):
                yield os.path.relpath(source, root), os.path.relpath(bytecode, root)


def _is_of(bytecode: str, source: str) -> bool:
    """Whether Python would run the same without this bytecode, or asks the source by itself."""
    try:
        with open(bytecode, "rb") as stream:  # noqa: PTH123
            header = stream.read(16)
        if header[:8] != MAGIC_NUMBER + HASHED or not os.path.isfile(source):  # noqa: PTH113
            return True
        with open(source, "rb") as stream:  # noqa: PTH123
            return header[8:] == source_hash(stream.read())
    except OSError:  # the start will say so
        return True


if __name__ == "__main__":
    main(sys.argv[1])
