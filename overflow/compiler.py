"""Compiler: a program for the target's Python, which makes bytecode of files.

Its one argument is a file of JSON: `[[source, name, target], ...]`. `name` is where the source
will lie at run time, which is what tracebacks show. What does not compile gets an empty target.
Run as a program by bytecode.py, in a process of its own; standard library only.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # This folder, whose modules are none of the target's Python's: -I would also do, but with it
    # the seed of hashes is random, and Python 3.10 writes sets in their order.
    del sys.path[0]

import json
import marshal
import os
import py_compile
import warnings
from pathlib import Path
from types import CodeType

FORKS = sys.version_info < (3, 11)
"""Python 3.10 writes other bytes for the same source after it has compiled others: there, each is
compiled by a process that has compiled none. From 3.11 on that would only take longer."""

HEADER = 16
"""Bytes before the code in a file of bytecode (PEP 552)."""

TWICE = sys.version_info[:2] == (3, 12)
"""Python 3.12 merges equal sets of strings or not, by whether these strings were in use before: two
of 1,488 files of examples/flask came out in two ways. The second time, a file's own are in use."""


def main(jobs: Path) -> None:
    """Do the jobs in a file."""
    warnings.simplefilter("ignore")  # of the sources, which are not ours
    sys.setrecursionlimit(10_000)
    for source, name, target in json.loads(jobs.read_text(encoding="utf-8")):
        if not FORKS:
            compile_one(source, name, target)
        elif child := os.fork():
            if os.waitpid(child, 0)[1] != 0:
                sys.exit(f"{source}: could not be compiled")
        else:
            compile_one(source, name, target)
            os._exit(0)


def compile_one(source: str, name: str, target: str) -> None:
    """Write the bytecode of one file; an empty file where there is none."""
    try:
        write_bytecode(source, name, target)
        if TWICE and has_set(marshal.loads(Path(target).read_bytes()[HEADER:])):  # noqa: S302 - ours
            write_bytecode(source, name, target)
    except (py_compile.PyCompileError, ValueError, RecursionError):
        Path(target).write_bytes(b"")


def write_bytecode(source: str, name: str, target: str) -> None:
    """Compile and write; raises PyCompileError, ValueError, RecursionError."""
    py_compile.compile(
        source,
        target,
        name,
        doraise=True,
        optimize=0,
        # Neither date nor source is looked at: nobody changes files in Lambda.
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def has_set(code: CodeType) -> bool:
    """Whether a code object, or one in it, has a set among its constants."""
    return any(
        isinstance(one, frozenset) or (isinstance(one, CodeType) and has_set(one))
        for one in code.co_consts
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
