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
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.identity import binary_of
from overflow.process import child_environment, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overflow.cache import Cache

COMPILER = Path(__file__).with_name("compiler.py")

KIND = "bytecode"
"""What the cache knows it as."""

TASK = "/var/task"
"""Where Lambda has a bundle (AWS Lambda: LAMBDA_TASK_ROOT)."""


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """Bytecode of one source."""

    content: bytes

    @property
    def size(self) -> int:
        """Bytes of it."""
        return len(self.content)


def cached_name(path: str, tag: str) -> str:
    """`a/__pycache__/b.cpython-312.pyc` for `a/b.py` (PEP 3147)."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/".lstrip("/") + f"{name.removesuffix('.py')}.{tag}.pyc"


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """The target's Python, and what it has compiled."""

    python: Path
    environ: Mapping[str, str]
    cache: Cache

    def compile(self, sources: Mapping[str, Path]) -> dict[str, Compiled]:
        """Bytecode by the path at run time, of sources by the same.

        What does not compile is missing: Python will say so where it is imported.
        """
        keys = {name: self._key(name, path) for name, path in sources.items()}
        known = {name: self.cache.get(KIND, key) for name, key in keys.items()}
        missing = {name: sources[name] for name, content in known.items() if content is None}
        for name, content in self._run(missing).items():
            self.cache.put(KIND, keys[name], content)
            known[name] = content
        return {name: Compiled(content=content) for name, content in known.items() if content}

    def _key(self, name: str, source: Path) -> str:
        with open(source, "rb", buffering=0) as stream:  # noqa: PTH123 - a hot path
            digest = hashlib.sha256(stream.read())
        digest.update(f"\0{name}\0{self._identity}".encode())
        return digest.hexdigest()

    @cached_property
    def _identity(self) -> str:
        """Which Python compiles, and our own program."""
        return json.dumps([binary_of(self.python), COMPILER.read_text(encoding="utf-8")])

    def _run(self, sources: Mapping[str, Path]) -> dict[str, bytes]:
        """What the compiler makes of each; nothing of what is no Python."""
        if not sources:
            return {}
        count = min(len(os.sched_getaffinity(0)), len(sources))
        with tempfile.TemporaryDirectory(prefix="overflow-") as folder:
            made = {name: Path(folder, f"{number}.pyc") for number, name in enumerate(sources)}
            jobs = [(str(path), name, str(made[name])) for name, path in sources.items()]
            files = [Path(folder, f"{number}.json") for number in range(count)]
            for number, file in enumerate(files):
                file.write_text(json.dumps(jobs[number::count]), encoding="utf-8")
            with ThreadPoolExecutor(count) as pool:
                list(pool.map(lambda file: self._python(str(COMPILER), str(file)), files))
            return {name: path.read_bytes() for name, path in made.items()}

    def _python(self, *arguments: str) -> str:
        done = run(
            [str(self.python), "-s", "-S", "-B", *arguments],
            folder=Path("/"),
            environment={**child_environment(self.environ), "PYTHONHASHSEED": "0"},
        )
        if done.exit_code != 0:
            raise RuntimeError(f"{self.python} {' '.join(arguments)}: {done.errors}")
        return done.output
