"""Bytecode: what Python would compile of its sources at each start, compiled once.

/var/task is read-only, so a function that has none compiles whatever it imports at each cold
start: on the example that is four fifths of the time that imports take. The same source for the
same place and Python gives the same bytes, so what was compiled is kept in a cache by their hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.process import child_environment, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMPILER = Path(__file__).with_name("compiler.py")

TASK = "/var/task"
"""Where Lambda has a bundle (AWS Lambda: LAMBDA_TASK_ROOT)."""


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A file of bytecode in the cache."""

    path: Path
    size: int


def cached_name(path: str, tag: str) -> str:
    """`a/__pycache__/b.cpython-312.pyc` for `a/b.py` (PEP 3147)."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/".lstrip("/") + f"{name.removesuffix('.py')}.{tag}.pyc"


def cache_folder(environ: Mapping[str, str], otherwise: Path) -> Path:
    """Where bytecode is kept from build to build; `otherwise` where there is no such place."""
    home = environ.get("XDG_CACHE_HOME") or f"{environ.get('HOME', '')}/.cache"
    folder = Path(home, "overflow", "bytecode")
    try:
        if not folder.is_absolute():
            return otherwise
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return otherwise
    return folder if os.access(folder, os.W_OK) else otherwise


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """The target's Python, and what it has compiled."""

    python: Path
    environ: Mapping[str, str]
    cache: Path
    _identity: list[str] = field(default_factory=list)

    def compile(self, sources: Mapping[str, Path]) -> dict[str, Compiled]:
        """Bytecode by the path at run time, of sources by the same.

        What does not compile is missing: Python will say so where it is imported.
        """
        self.cache.mkdir(parents=True, exist_ok=True)
        places = {name: self.cache / self._key(name, path) for name, path in sources.items()}
        jobs = [
            (str(sources[name]), name, str(place))
            for name, place in places.items()
            if not place.exists()
        ]
        self._run(jobs)
        sizes = {name: place.stat().st_size for name, place in places.items()}
        return {
            name: Compiled(path=place, size=sizes[name])
            for name, place in places.items()
            if sizes[name]
        }

    def _key(self, name: str, source: Path) -> str:
        digest = hashlib.sha256(source.read_bytes())
        digest.update(f"\0{name}\0{self._version()}".encode())
        return f"{digest.hexdigest()}.pyc"

    def _version(self) -> str:
        """What the Python says of itself, patch and compiler included."""
        if not self._identity:
            self._identity.append(self._python("-c", "import sys; print(sys.version)"))
        return self._identity[0]

    def _run(self, jobs: Sequence[tuple[str, str, str]]) -> None:
        if not jobs:
            return
        count = min(len(os.sched_getaffinity(0)), len(jobs))
        with tempfile.TemporaryDirectory(prefix="overflow-") as folder:
            files = [Path(folder, f"{number}.json") for number in range(count)]
            for number, file in enumerate(files):
                file.write_text(json.dumps(jobs[number::count]), encoding="utf-8")
            with ThreadPoolExecutor(count) as pool:
                list(pool.map(lambda file: self._python(str(COMPILER), str(file)), files))

    def _python(self, *arguments: str) -> str:
        done = run(
            [str(self.python), "-s", "-S", "-B", *arguments],
            folder=self.cache,
            environment={**child_environment(self.environ), "PYTHONHASHSEED": "0"},
        )
        if done.exit_code != 0:
            raise RuntimeError(f"{self.python} {' '.join(arguments)}: {done.errors}")
        return done.output
