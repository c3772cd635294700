"""Rows: a distribution's RECORD, told what became of the files that it lists."""

from __future__ import annotations

import csv
import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def mended(record: bytes, gone: Collection[str], changed: Mapping[str, str]) -> bytes:
    """A RECORD without the rows of what is gone; all others are as they were, in their order.

    changed: what stands after the path in a row, by path: `sha256=...,1234`.
    """
    rows: list[bytes] = []
    for row in record.splitlines(keepends=True):
        path = _path(row)
        if path in changed:
            start = row.decode(errors="surrogateescape").rstrip("\r\n").rsplit(",", 2)[0]
            rows.append(f"{start},{changed[path]}\n".encode(errors="surrogateescape"))
        elif path not in gone:
            rows.append(row)
    return b"".join(rows)


def _path(row: bytes) -> str:
    text = row.decode(errors="replace").rstrip("\r\n")
    path = next(csv.reader([text]), [""])[0] if text.startswith('"') else text.partition(",")[0]
    return posixpath.normpath(path) if ".." in path else path
