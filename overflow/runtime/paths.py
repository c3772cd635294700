"""Paths: where Python looks for modules, in the order user's code, overflow, _vendor, the rest."""

from __future__ import annotations

import site
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def extend(root: str, folders: Sequence[str]) -> None:
    """Put `folders` behind `root` on sys.path, in this order, and run their .pth files.

    The user's own modules stay in front (nothing installed shadows them), and what is installed
    stands before what Lambda brings (its boto3, say). What a .pth file adds follows its folder.
    """
    if root not in sys.path:
        sys.path.insert(0, root)
    placed: list[str] = []
    for folder in folders:
        count = len(sys.path)
        # With no paths known, what is on sys.path already (PYTHONPATH) is added once more.
        site.addsitedir(folder, set())
        placed += [path for path in sys.path[count:] if path not in (root, *placed)]
    rest = [path for path in sys.path if path not in placed]
    position = rest.index(root) + 1
    sys.path[:] = [*rest[:position], *placed, *rest[position:]]
