"""Identity: a hash of all that is installed, and of what it is asked."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from overflow.measure import Distribution, Measurement
    from overflow.tree import Tree


def identity(project: Tree, measurement: Measurement, asked: object) -> str:
    """A hash of the project's files, what is installed, and `asked` (JSON).

    A distribution counts by its RECORD, which has the hashes of its files.
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
    records = [path for path in one.files if path.endswith(".dist-info/RECORD")]
    files = records if one.recorded and records else one.files
    hashes = {path: _hash(measurement.root / path) for path in files}
    return [one.name, one.version, one.size, hashes]


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
