"""Installer: who installs at cold start; the uv for it is pinned and checked by hash."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from overflow.target import Target

UV_VERSION = "0.13.9"


class InstalledBy(str, Enum):
    """Who puts deferred distributions into place at cold start."""

    UV = "uv"
    """From an index, by name, version and hash."""
    BUILTIN = "builtin"
    """The runtime package, from the locked URLs (overflow/runtime/fetch.py)."""


@dataclass(frozen=True, kw_only=True)
class Installer:
    """One of PyPI's wheels of uv, and the executable in it."""

    uv_platform: str
    """What makes uv choose this wheel (--python-platform)."""
    wheel_sha256: str
    binary_sha256: str
    size: int
    """Of the executable, in bytes."""


X86_64 = Installer(
    uv_platform="x86_64-manylinux2014",
    wheel_sha256="d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    binary_sha256="b73acdf73b96c3ac9e56d2fa933427b3ee6a901e3cce6ba1e3ecb3f91ca0d86a",
    size=38_409_000,
)
ARM64 = Installer(
    uv_platform="aarch64-manylinux_2_28",
    wheel_sha256="ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375",
    binary_sha256="6109e47a75f2380d1cc90b00a6ee82b7b5792ddf66588625ec168545ae17512e",
    size=32_432_520,
)
ARM64_MUSL = Installer(
    uv_platform="aarch64-unknown-linux-musl",
    wheel_sha256="5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
    binary_sha256="bbecb5ac518030bb5e84f1999c577228460192832ac24a92bd772735682979f4",
    size=35_584_104,
)


def installer_for(target: Target) -> Installer:
    """The uv that starts in the target's runtime.

    uv's aarch64 build needs glibc 2.28 (uv's platform policy); where Lambda has less, the static
    musl build is taken. The x86_64 build needs 2.17, which every runtime has.
    """
    if target.machine == "x86_64":
        return X86_64
    return ARM64 if target.glibc >= (2, 28) else ARM64_MUSL
