"""Culprit: which distribution of a bundle an import that failed points to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from overflow.runtime.manifest import INFO_FOLDER, PACKED_FOLDER, VENDOR_FOLDER

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from overflow.proof import Failed

_INFO = re.compile(r"([^/]+)-([^/-]+)\.dist-info/RECORD")


def title_of(record: str) -> str | None:
    """`numpy 2.1.0` for the path of its RECORD; None for another file's."""
    match = _INFO.search(record)
    return f"{match[1].replace('_', '-')} {match[2]}" if match else None


def culprit(
    failed: Failed, records: Mapping[str, Collection[str]], *, root: str, overflow_folder: str
) -> str:
    """A distribution, or empty where nothing points to one.

    A module that is missing is the fault of who should have brought it; else it is whose file was
    being imported, the first cause's first. records: files by title, as in site-packages.
    """
    for name in failed.names if failed.kind == "ModuleNotFoundError" else ():
        found = _provider(name, records)
        if found:
            return found
    for file in (*failed.missing, *failed.files):
        found = _owner(file, records, root, overflow_folder)
        if found:
            return found
    return _packed(failed.problem)


def _provider(name: str, records: Mapping[str, Collection[str]]) -> str:
    top = name.partition(".")[0]
    for title, paths in sorted(records.items()):
        if any(path.startswith((f"{top}/", f"{top}.")) for path in paths):
            return title
    return ""


def _owner(
    file: str, records: Mapping[str, Collection[str]], root: str, overflow_folder: str
) -> str:
    for folder in (f"{root}/{VENDOR_FOLDER}/", f"{overflow_folder}/"):
        if file.startswith(folder):
            path = file.removeprefix(folder)
            inside = path.partition("/")[2]  # in a folder of its group
            named = (title for title, paths in sorted(records.items()) if {path, inside} & {*paths})
            return next(named, "") or _packed(file)
    return ""


def _packed(text: str) -> str:
    """The distribution that a group is named for, where its archive or folder is named."""
    match = re.search(rf"/(?:{PACKED_FOLDER}|_vc_deps_overflow)/\d+-([a-z0-9-]+)", text)
    return match[1] if match else ""


RECORDS = (f"{VENDOR_FOLDER}/*.dist-info/RECORD", f"{INFO_FOLDER}/*/*.dist-info/RECORD")
"""Where a bundle has them, as patterns of paths."""
