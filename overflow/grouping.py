"""Groups: distributions that only work when their files lie under one folder.

Two kinds. An import package (a folder with an `__init__.py`) with files of several
distributions: Python looks for its parts only beside the `__init__` it found first. And a shared
object that finds another by an RPATH relative to itself.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from overflow.measure import Distribution

Group = frozenset[str]
"""Names of distributions."""

LONGEST_NAME = 100
"""Characters of the name of a group's folder."""


def folder_name(at: int, group: Group) -> str:
    """A name for the group at this position that is one of a file: projects choose their own."""
    first = re.sub(r"[^a-z0-9-]", "-", min(group))[: LONGEST_NAME - 10]
    return f"{at}-{first}"


def group(
    distributions: Iterable[Distribution],
    search_folders: Callable[[Distribution], frozenset[str]],
) -> tuple[Group, ...]:
    """Partition of the distributions, each group sorted after its first name.

    search_folders: folders, relative to site-packages, in which a distribution's shared objects
    look for others.
    """
    members = list(distributions)
    parent = {member.name: member.name for member in members}
    owners: dict[str, str] = {}
    for member in members:
        for folder in member.import_packages:
            _join(parent, owners.setdefault(folder, member.name), member.name)
    _join_by_rpath(parent, members, search_folders)
    groups: dict[str, set[str]] = defaultdict(set)
    for member in members:
        groups[_find(parent, member.name)].add(member.name)
    return tuple(frozenset(names) for _, names in sorted(groups.items()))


def _join_by_rpath(
    parent: dict[str, str],
    members: list[Distribution],
    search_folders: Callable[[Distribution], frozenset[str]],
) -> None:
    looked_in = {member.name: search_folders(member) for member in members}
    wanted = frozenset[str]().union(*looked_in.values())
    if not wanted:
        return
    homes: dict[str, set[str]] = defaultdict(set)
    for member in members:
        for path in member.files:
            folder = path.rpartition("/")[0]
            if folder in wanted:
                homes[folder].add(member.name)
    for name, folders in looked_in.items():
        for folder in folders:
            for home in homes[folder]:
                _join(parent, name, home)


def _find(parent: dict[str, str], name: str) -> str:
    while parent[name] != name:
        parent[name] = parent[parent[name]]  # halves the way for the next look-up
        name = parent[name]
    return name


def _join(parent: dict[str, str], one: str, other: str) -> None:
    first, second = sorted((_find(parent, one), _find(parent, other)))
    parent[second] = first
