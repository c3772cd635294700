"""ELF: what a shared object asks of the machine it is loaded on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT_MOST = 10_000
"""Sections or versions that are read: a damaged file can claim billions."""

MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}


@dataclass(frozen=True, kw_only=True)
class SharedObject:
    """What the header and the versions of one file say."""

    machine: str
    glibc: tuple[int, int]
    """The newest GLIBC_ symbol version it needs; (0, 0) where it needs none."""


def read_shared_object(root: Path, path: str) -> SharedObject | None:
    """The shared object at root/path, or None where the file is no ELF file."""
    with (root / path).open("rb") as stream:
        if stream.read(4) != b"\x7fELF":
            return None
        stream.seek(0)
        try:
            elf = ELFFile(stream)
            return SharedObject(
                machine=MACHINES.get(elf["e_machine"], str(elf["e_machine"])),
                glibc=max(_glibc_versions(elf), default=(0, 0)),
            )
        except (ELFError, OSError, ValueError, KeyError, UnicodeError, OverflowError):
            return None  # a damaged file is the business of whoever imports it


def _glibc_versions(elf: ELFFile) -> Iterator[tuple[int, int]]:
    for section in islice(elf.iter_sections(), AT_MOST):
        if isinstance(section, GNUVerNeedSection):
            for _, needed in islice(section.iter_versions(), AT_MOST):
                for version in islice(needed, AT_MOST):
                    name, _, number = str(version.name).partition("_")
                    parts = number.split(".")
                    if name == "GLIBC" and all(part.isdigit() for part in parts[:2]):
                        yield int(parts[0]), int(parts[1])
