"""Compiler: a program for the target's Python, which makes bytecode of files.

Its one argument is a file of JSON: `[[source, name, target], ...]`. `name` is where the source
will lie at run time, which is what tracebacks show. What does not compile gets an empty target.
Run as a program by bytecode.py, in a process of its own; standard library only.
"""

from __future__ import annotations

import json
import py_compile
import sys
import warnings
from pathlib import Path


def main(jobs: Path) -> None:
    """Do the jobs in a file."""
    warnings.simplefilter("ignore")  # of the sources, which are not ours
    sys.setrecursionlimit(10_000)
    for source, name, target in json.loads(jobs.read_text(encoding="utf-8")):
        try:
            py_compile.compile(
                source,
                target,
                name,
                doraise=True,
                optimize=0,
                # Neither date nor source is looked at: nobody changes files in Lambda.
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except (py_compile.PyCompileError, ValueError, RecursionError):
            Path(target).write_bytes(b"")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
