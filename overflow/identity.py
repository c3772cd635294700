"""Identity: a hash of all that is installed, and of what it is asked."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from overflow.measure import Distribution, Measurement
    from overflow.tree import Tree

RECORD = re.compile(r"[^/]+\.dist-info/RECORD")
ROW = re.compile(r"^([^\",\r\n]+),sha256=[\w-]{43},", re.MULTILINE)
"""Of a file with its hash, as RECORDs have it (urlsafe-base64-nopad)."""


def identity(project: Tree, measurement: Measurement, asked: object) -> str:
    """A hash of the project's files, what is installed, and `asked` (JSON).

    A distribution counts by its RECORD, as far as that has the hashes of its files.
    """
    content = {
        "project": {path: _hash(project.root / path) for path in project.sizes},
        "installed": [installed(measurement, one) for one in measurement.distributions],
        "asked": asked,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def binary_of(python: Path) -> object:
    """What a Python is known by, for `asked`."""
    binary = python.resolve()
    status = binary.stat()
    return [str(binary), status.st_size, status.st_mtime_ns]


def installed(measurement: Measurement, one: Distribution) -> list[object]:
    """What a distribution is known by, for JSON."""
    known = _hashed(measurement, one)
    hashes = {path: _hash(measurement.root / path) for path in one.files if path not in known}
    return [one.name, one.version, one.size, hashes]


def _hashed(measurement: Measurement, one: Distribution) -> set[str]:
    """Files of which its RECORD has the sha256: not itself, and none in wheels made by hand.

    Paths in quotes stay so, and are then none of its files'.
    """
    records = [path for path in one.files if RECORD.fullmatch(path)]
    texts = ((measurement.root / path).read_bytes().decode(errors="replace") for path in records)
    return {path for text in texts for path in ROW.findall(text)} - {*records}


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
