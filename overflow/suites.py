"""Suites: folders of tests in what is installed."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from overflow.mentions import SUITE_NAMES, Suites

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from overflow.measure import Distribution

_TEST = re.compile(r"test_.*\.py|.*_tests?\.py")


_MEMBER = re.compile(r"[./]")


def suite_of(path: str) -> str | None:
    """The outermost folder above a file that a suite's name is given to; None at the top level.

    A folder `tests` in site-packages itself is a package of that name, and nobody's in particular.
    """
    folders = path.split("/")[:-1]
    for at, folder in enumerate(folders[1:], 2):
        if folder in SUITE_NAMES:
            return "/".join(folders[:at])
    return None


def find_suites(distributions: Iterable[Distribution], trimmable: Collection[str]) -> Suites:
    """Folders of a suite's name that hold tests, and files of one of these distributions only.

    A folder `test` without tests is part of the library: a framework for tests, say.
    """
    owners: dict[str, set[str]] = defaultdict(set)
    members: dict[str, set[str]] = defaultdict(set)
    tested: set[str] = set()
    for distribution in distributions:
        for path in distribution.files:
            folder = suite_of(path)
            if folder is not None:
                owners[folder].add(distribution.name)
                members[folder].add(_MEMBER.split(path[len(folder) + 1 :], maxsplit=1)[0])
                if _TEST.fullmatch(path.rpartition("/")[2]):
                    tested.add(folder)
    found = {
        folder: min(names)
        for folder, names in owners.items()
        if folder in tested and len(names) == 1 and names <= set(trimmable)
    }
    return Suites(owners=found, members={folder: frozenset(members[folder]) for folder in found})
