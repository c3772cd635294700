"""Costs: what a cold start takes, as a small model; every constant is here, with its source."""

from __future__ import annotations

UNPACK_BYTE = 4.1e-9
"""Seconds for each byte that is unpacked: inflating 2.95 ns, writing 0.55, sha256 of what was
compressed 0.3 (examples/flask, one CPU, tmpfs, 2026; docs/performance.md)."""

UNPACK_FILE = 11e-6
"""Seconds for each file that is unpacked (the same)."""

IDLE = 0.01
"""What a second counts that is spent on the first import of something start-up never imports:
seldom, but not never. So such distributions leave first, and stay where there is room."""


def unpacking(size: int, files: int) -> float:
    """Seconds to unpack so many bytes in so many files, on one CPU of 1,769 MB of memory."""
    return size * UNPACK_BYTE + files * UNPACK_FILE
