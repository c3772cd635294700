"""Stripping: shared objects without the symbols that only debuggers and linkers read.

binutils' strip does it, and is not trusted: it damages some of what patchelf has changed, which is
many a wheel's library. What it makes counts only where all that is loaded is the same, to the byte.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overflow.errors import InputFault
from overflow.loaded import HEADER, load_alike, read_loaded
from overflow.process import child_environment, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from overflow.cache import Cache

KIND = "stripped"
"""What the cache knows it as."""

OPTIONS = ("--strip-unneeded", "--preserve-dates")

FORMATS = {"x86_64": "elf64-x86-64", "aarch64": "elf64-littleaarch64"}
"""binutils' names of what they can read, by machine (`strip --help` lists them)."""

PACKAGES = {"x86_64": "binutils-x86-64-linux-gnu", "aarch64": "binutils-aarch64-linux-gnu"}
"""Debian's packages of a strip for each."""

SIGNATURES = (".asc", ".hmac", ".minisig", ".sha256", ".sig")
"""Endings of files that are about another, byte by byte."""

SECONDS = 120
"""What one file may take: a damaged one could take for ever. 140 MB take one."""

LENGTH = struct.Struct(">Q")


def is_shared_object(path: str) -> bool:
    """Whether a file is one by its name."""
    name = path.rpartition("/")[2]
    return name.endswith(".so") or ".so." in name


def unsigned(paths: Iterable[str], known: Mapping[str, object]) -> list[str]:
    """Those of the files that no other file in the same folder is a signature of."""
    found = []
    for path in paths:
        folder, slash, name = path.rpartition("/")
        beside = (f"{folder}{slash}{dot}{name}{end}" for dot in ("", ".") for end in SIGNATURES)
        if not any(one in known for one in beside):
            found.append(path)
    return found


@dataclass(frozen=True, kw_only=True)
class Stripper:
    """A strip for one machine, and what it has made."""

    program: str
    version: str
    """What it says of itself."""
    machine: str
    environ: Mapping[str, str]
    cache: Cache

    def strip(self, paths: Sequence[Path]) -> Iterator[tuple[Path, bytes]]:
        """The files that become smaller, with their new content, in the given order."""
        with (
            tempfile.TemporaryDirectory(prefix="overflow-") as folder,
            ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool,
        ):
            jobs = [(path, Path(folder, str(number))) for number, path in enumerate(paths)]
            for path, content in pool.map(lambda job: (job[0], self._stripped(*job)), jobs):
                if content is not None:
                    yield path, content

    def _stripped(self, path: Path, target: Path) -> bytes | None:
        """None where it is to stay as it is."""
        content = path.read_bytes()
        loaded = read_loaded(content)
        if loaded is None or loaded.machine != self.machine or not loaded.is_whole:
            return None
        key = hashlib.sha256(content + self.version.encode()).hexdigest()
        known = self.cache.get(KIND, key)
        if known is None:
            stripped = self._run(path, target)
            if stripped is None:
                return None
            known = _change(content, stripped)
            self.cache.put(KIND, key, known)
        return _changed(content, known)

    def _run(self, path: Path, target: Path) -> bytes | None:
        """What strip made of a file, nothing where it refused; None where it was cut off."""
        done = run(
            [self.program, *OPTIONS, "-o", str(target), str(path)],
            folder=target.parent,
            environment=child_environment(self.environ),
            seconds=SECONDS,
        )
        if done.exit_code < 0:
            return None
        if done.exit_code != 0 or not target.is_file():
            return b""
        content = target.read_bytes()
        target.unlink()
        return content


def find_stripper(machine: str, environ: Mapping[str, str], cache: Cache) -> Stripper:
    """A strip that knows the machine's format; raises InputFault `strip-missing`."""
    for name in (f"{machine}-linux-gnu-strip", "strip"):
        program = shutil.which(name, path=environ.get("PATH", os.defpath))
        if program is not None and FORMATS[machine] in _said(program, "--help", environ):
            version = _said(program, "--version", environ).partition("\n")[0]
            said = f"{version} {' '.join(OPTIONS)}"
            return Stripper(
                program=program, version=said, machine=machine, environ=environ, cache=cache
            )
    raise InputFault(
        "strip-missing",
        f"--trim aggressive: there is no strip here that knows {FORMATS[machine]}",
        hint=f"install binutils (Debian and Ubuntu: {PACKAGES[machine]}), or ask for --trim safe",
    )


def _said(program: str, option: str, environ: Mapping[str, str]) -> str:
    environment = {**child_environment(environ), "LC_ALL": "C"}
    return run([program, option], folder=Path("/"), environment=environment).output


def _change(content: bytes, stripped: bytes) -> bytes:
    """What the cache has of a stripped file: all but what it shares with the one it was made of.

    Empty where that is to stay.
    """
    if len(stripped) >= len(content) or not load_alike(content, stripped):
        return b""
    shared = _shared(content, stripped)
    return LENGTH.pack(shared) + stripped[: HEADER.size] + stripped[shared:]


def _changed(content: bytes, change: bytes) -> bytes | None:
    if not change:
        return None
    (shared,) = LENGTH.unpack_from(change)
    start, end = LENGTH.size, LENGTH.size + HEADER.size
    return change[start:end] + content[HEADER.size : shared] + change[end:]


def _shared(one: bytes, other: bytes) -> int:
    """Bytes up to which two files are the same, their headers left aside."""
    same, differs = HEADER.size, min(len(one), len(other)) + 1
    while differs - same > 1:
        middle = (same + differs) // 2
        if one[same:middle] == other[same:middle]:
            same = middle
        else:
            differs = middle
    return same
