"""Target: the Lambda runtime that a bundle is for, and which wheels load there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import compatible_tags, cpython_tags

from overflow.errors import InputFault
from overflow.limits import RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Iterator

MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""AWS's name of an architecture -> the name that Linux, wheels and uv use."""

LEGACY_TAGS = {(2, 5): "manylinux1", (2, 12): "manylinux2010", (2, 17): "manylinux2014"}
"""Names of before PEP 600 for three of its tags."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One Lambda runtime: Python X.Y on an architecture, with the glibc that AWS puts there."""

    python: tuple[int, int]
    architecture: str

    @property
    def version(self) -> str:
        """`3.12`."""
        return f"{self.python[0]}.{self.python[1]}"

    @property
    def runtime(self) -> str:
        """Lambda's name of the runtime: `python3.12`."""
        return f"python{self.version}"

    @property
    def cache_tag(self) -> str:
        """What the names of its bytecode have (PEP 3147): `cpython-312`."""
        return f"cpython-{self.python[0]}{self.python[1]}"

    @property
    def machine(self) -> str:
        """Linux's name of the architecture."""
        return MACHINES[self.architecture]

    @property
    def glibc(self) -> tuple[int, int]:
        """The glibc of the runtime."""
        return RUNTIMES[self.python]

    @property
    def manylinux(self) -> tuple[int, int]:
        """The newest manylinux that uv can be asked for and that is not above the glibc.

        uv knows 2.17, 2.28 and 2.31-2.40, so for glibc 2.26 the answer is 2.17.
        """
        return self.glibc if self.glibc >= (2, 31) else (2, 17)

    @property
    def uv_platform(self) -> str:
        """The value of uv's --python-platform: `x86_64-manylinux_2_34`."""
        major, minor = self.manylinux
        return f"{self.machine}-manylinux_{major}_{minor}"

    @cached_property
    def _tags(self) -> dict[str, int]:
        """The tags of wheels that load there, and their places: the most specific comes first."""
        platforms = list(self._platforms())
        interpreter = f"cp{self.python[0]}{self.python[1]}"
        own = cpython_tags(self.python, platforms=platforms)
        pure = compatible_tags(self.python, interpreter, platforms)
        ordered = dict.fromkeys(str(tag) for tags in (own, pure) for tag in tags)
        return {tag: at for at, tag in enumerate(ordered)}

    def _platforms(self) -> Iterator[str]:
        major, newest = self.manylinux
        for minor in range(newest, 4, -1):
            yield f"manylinux_{major}_{minor}_{self.machine}"
            legacy = LEGACY_TAGS.get((major, minor))
            if legacy and (self.machine == "x86_64" or legacy == "manylinux2014"):
                yield f"{legacy}_{self.machine}"

    @cached_property
    def _answers(self) -> dict[tuple[str, str, str], int | None]:
        # Thousands of wheels share a few hundred triples: this keeps large locks cheap.
        return {}

    def accepts(self, wheel: str) -> bool:
        """Whether a wheel of this file name loads in the runtime (PEP 425 tags, PEP 600)."""
        return self.rank(wheel) is not None

    def rank(self, wheel: str) -> int | None:
        """How specific the wheel is for the runtime; the least is chosen. None: not for it."""
        parts = wheel.rsplit("-", 3)
        if len(parts) != 4 or not wheel.endswith(".whl"):
            return None
        key = parts[1], parts[2], parts[3]
        if key not in self._answers:
            self._answers[key] = self._rank(*key)
        return self._answers[key]

    def _rank(self, python: str, abi: str, platform: str) -> int | None:
        places = (
            self._tags.get(f"{one_python}-{one_abi}-{one_platform}")
            for one_python in python.split(".")
            for one_abi in abi.split(".")
            for one_platform in platform.removesuffix(".whl").split(".")
        )
        return min((at for at in places if at is not None), default=None)


def choose_python(
    *, asked: str | None, pinned: str | None, requires_python: str | None
) -> tuple[int, int]:
    """The Python to build for: as asked, else `.python-version`, else the newest that fits.

    asked: `--python`; pinned: the text of `.python-version`; requires_python: of pyproject.toml.
    Raises InputFault where none of Lambda's Pythons satisfies all of them.
    """
    allowed = [python for python in RUNTIMES if _satisfies(python, requires_python)]
    if asked is None and pinned is not None:
        found = _parse(pinned)
        if found in allowed:
            return found
    if asked is None:
        if not allowed:
            raise InputFault(
                "python-not-supported",
                f"pyproject.toml, project.requires-python: {requires_python!r} admits none of"
                f" Lambda's Pythons ({_known()})",
                hint="widen requires-python, and lock again with `uv lock`",
            )
        return max(allowed)
    python = _parse(asked)
    if python is None or python not in RUNTIMES:
        raise InputFault(
            "python-not-supported",
            f"--python: {asked!r} is not a Python that Lambda runs",
            hint=f"choose one of {_known()}",
        )
    if python not in allowed:
        raise InputFault(
            "python-not-supported",
            f"--python: {asked!r} is outside requires-python ({requires_python!r}) of"
            " pyproject.toml",
            hint="choose another Python, or widen requires-python and run `uv lock`",
        )
    return python


def _known() -> str:
    return ", ".join(f"{major}.{minor}" for major, minor in RUNTIMES)


def _parse(text: str) -> tuple[int, int] | None:
    parts = text.strip().removeprefix("cpython").lstrip("@-").removeprefix("python").split(".")
    if len(parts) not in (2, 3) or not all(re.fullmatch("[0-9]{1,4}", part) for part in parts):
        return None
    return int(parts[0]), int(parts[1])


def _satisfies(python: tuple[int, int], requires_python: str | None) -> bool:
    if requires_python is None:
        return True
    try:
        specifiers = SpecifierSet(requires_python)
    except InvalidSpecifier as error:
        raise InputFault(
            "pyproject-invalid",
            f"pyproject.toml, project.requires-python: {requires_python!r} is not a version"
            " specifier",
            hint='write it as in `requires-python = ">=3.12"`',
        ) from error
    # Lambda runs some patch release of each: ">=3.12.4" must not exclude 3.12.
    return any(specifiers.contains(f"{python[0]}.{python[1]}.{patch}") for patch in range(100))
