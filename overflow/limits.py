"""Every number of AWS's and ours, with its source. Sizes are bytes; "MB" in text is MiB."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024

LIMIT_MB = 250
"""Unzipped size that Lambda takes, layers included: 262,144,000 bytes (AWS Lambda quotas)."""

THRESHOLD_MB = 240
"""Size above which something overflows: the limit less room for what a deployment adds."""

MARGIN = 64 * 1024
"""Bytes of the limit that stay unused where something is packed: one small file more must not break
a deployment."""

TMP_DEFAULT_MB = 512
TMP_MAXIMUM_MB = 10_240
"""/tmp (`EphemeralStorage`) as Lambda gives it, and the most one can ask for (AWS quotas)."""

ZIP_DIRECT_MB = 50
"""Largest zip that is uploaded directly; larger ones go through S3 (AWS Lambda quotas)."""

TMP_STEP_MB = 64
"""Recommended /tmp sizes are rounded up to this; AWS takes any whole number of MB."""

TMP_HEADROOM = 1.1
"""/tmp needed for an overflow, per byte of it: file-system blocks and uv's own small files."""

LARGEST_PYPROJECT = 8 * MIB
LARGEST_LOCK = 128 * MIB
"""Files above these sizes are refused unread; a lock of 4,000 packages has 11.5 MB."""

LARGEST_REPORT = 20 * MIB
"""A report.json above this size is refused unread; one of 500 distributions has 0.15 MB."""

LARGEST_ZIP = 4096 * MIB
"""An archive above this size is not hashed: Lambda takes a sixteenth of it, unpacked."""

MEMORY_OF_ONE_CPU_MB = 1_769
"""Memory at which a function has one whole CPU (AWS: configure function memory)."""

MEMORY_OF_TWO_CPUS_MB = 2 * MEMORY_OF_ONE_CPU_MB
"""CPU grows with memory in proportion (the same page)."""

INIT_SECONDS = 10
"""What Lambda gives an init before it ends it and begins again (AWS Lambda: init phase)."""

INIT_WARNING_SECONDS = 8.0
"""Above it, a slower machine, or less memory, may be too slow."""

INSTALL_WARNING_SECONDS = INIT_WARNING_SECONDS / 2
"""The same of an installation alone: importing what it brings, without bytecode, may take as long
again (examples/large with `defer`: 6.7 s of 12.5)."""

SNAPSTART_PYTHON = (3, 12)
"""The oldest Python with SnapStart, which also asks for a /tmp of 512 MB (AWS: SnapStart)."""

MEMORY_BASE_MB = 128
"""The least that Lambda gives, and enough for Python itself."""

MEMORY_MAXIMUM_MB = 10_240

RUNTIMES: dict[tuple[int, int], tuple[int, int]] = {
    (3, 10): (2, 26),
    (3, 11): (2, 26),
    (3, 12): (2, 34),
    (3, 13): (2, 34),
    (3, 14): (2, 34),
}
"""Lambda's Pythons and the glibc under each: Amazon Linux 2, from 3.12 on Amazon Linux 2023."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits that hold for one build, in bytes."""

    threshold: int
    """Above it, public distributions overflow. Layers are taken off."""
    limit: int
    """Above it, Lambda refuses the bundle. Layers are taken off."""
    layers: int
    tmp: int
    """What /tmp holds on the user's function."""


def megabytes(amount: float) -> int:
    """Bytes in `amount` MB, as AWS counts them."""
    return int(amount * MIB)


def in_megabytes(size: int) -> str:
    """`size` bytes as text for people: `12.3 MB`, below a tenth of it in KB or bytes."""
    if abs(size) >= MIB / 10:
        return f"{size / MIB:,.1f} MB"
    if abs(size) >= 1024:
        return f"{size / 1024:.1f} KB"
    return f"{size} B"


def tmp_needed_mb(overflow: int) -> int:
    """The `EphemeralStorage` setting, in MB, that an overflow of so many bytes asks for."""
    needed = int(overflow * TMP_HEADROOM / MIB) + 1
    rounded = -(-needed // TMP_STEP_MB) * TMP_STEP_MB
    return min(max(TMP_DEFAULT_MB, rounded), TMP_MAXIMUM_MB)


def memory_needed_mb(installed: int, *, overflow: int) -> int:
    """The memory setting, in MB, to begin with for so many installed bytes.

    All of the distributions in memory at once is the most that they themselves can take. What
    overflows is put into /tmp on as much of a CPU as the memory setting buys: a whole one is then
    recommended.
    """
    resident = MEMORY_BASE_MB + -(-installed // MIB)
    needed = max(resident, 2 * MEMORY_BASE_MB, MEMORY_OF_ONE_CPU_MB if overflow else 0)
    rounded = needed if needed == MEMORY_OF_ONE_CPU_MB else -(-needed // TMP_STEP_MB) * TMP_STEP_MB
    return min(rounded, MEMORY_MAXIMUM_MB)
