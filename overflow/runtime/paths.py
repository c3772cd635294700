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
    position = sys.path.index(root) + 1
    for folder in folders:
        before = list(sys.path)
        if folder in before:  # a second start in one process
            sys.path.remove(folder)
            before.remove(folder)
        site.addsitedir(folder)
        added = [path for path in sys.path if path not in before]
        kept = [path for path in sys.path if path in before]
        sys.path[:] = [*kept[:position], *added, *kept[position:]]
        position += len(added)
