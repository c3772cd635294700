"""Costs: what a cold start takes, as a small model; every constant is here, with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

UNPACK_BYTE = 4.1e-9
"""Seconds for each byte that is unpacked: inflating 2.95 ns, writing 0.55, sha256 of what was
compressed 0.3 (examples/flask, one CPU, tmpfs, 2026; docs/performance.md)."""

UNPACK_FILE = 11e-6
"""Seconds for each file that is unpacked (the same)."""

UNPACK_GROUP = 0.5e-3
"""Seconds for each group: its folder, marker and place on sys.path (sixteen made-up groups)."""

AT_ONCE = 0.01
"""Seconds for the first group that is put into place at the start: its lock, and what is imported
for that (the same)."""

CLIENT = 0.064
"""Seconds until Python and Lambda's client, awslambdaric, have come to the bundle: its start with a
handler that imports nothing takes 1.85 times INTERPRETER (`python -m benchmarks predict`)."""

INTERPRETER = 0.034
"""Seconds of CPU until Python has started and imported what Lambda's client does of the standard
library (recorder.py), on a machine where the other constants hold. Machines differ by a factor of
two, and one and the same machine from day to day: a prediction is for a machine like the one that
imported the handler, so CLIENT and what is unpacked are taken by as much longer as this is."""

UV = 0.1
"""Seconds that uv takes to start and to read what it is to install (measured, offline)."""

INSTALL_BYTE = 4.5e-9
"""Seconds for each byte that uv unpacks: 0.96 to 1.8 s for 308.6 MB, offline, tmpfs."""

DOWNLOAD = 78e6
"""Bytes a second: 625 Mbps for each execution environment (AWS Lambda: quotas)."""

WHEEL = 0.304
"""Bytes of a wheel for each byte that it installs: 93.7 MB for 308.6 (examples/flask)."""

FETCH = 0.12
"""Seconds before the first wheel is asked for: importing what speaks HTTPS takes 0.05, reading the
certificates 0.05 (measured; docs/performance.md)."""

FETCH_WHEEL = 0.01
"""Seconds for each wheel: two answers of 0.03 s, six wheels at a time."""

FETCH_BYTE = 7e-9
"""Seconds of CPU for each byte of a wheel, beside unpacking: TLS and copying 3.4 ns, the rest is
threads that take turns (examples/flask, 89.5 MB of wheels, 2.05 s of CPU in all)."""

WORTH = 0.5
"""Seconds that fetching must save a start: what depends on an index can wait for it, or fail."""

IDLE = 0.01
"""What a second counts that is spent on the first import of something start-up never imports:
seldom, but not never. So such distributions leave first, and stay where there is room."""


def unpacking(size: int, files: int) -> float:
    """Seconds to unpack a group of so many bytes and files, on one CPU of 1,769 MB of memory."""
    return UNPACK_GROUP + size * UNPACK_BYTE + files * UNPACK_FILE


def installing(size: int) -> float:
    """Seconds until uv has fetched and installed so many bytes into /tmp, on one CPU."""
    return UV + size * (INSTALL_BYTE + WHEEL / DOWNLOAD) if size else 0.0


def fetching(wheels: Sequence[int], size: int, files: int) -> float:
    """Seconds to fetch wheels of so many bytes (0: unknown), which unpack to `size` in `files`.

    Wheels come while others are unpacked, so either the CPU or the network is what is waited for.
    """
    fetched = sum(wheels) if all(wheels) else size * WHEEL
    busy = unpacking(size, files) + fetched * FETCH_BYTE
    return max(busy, fetched / DOWNLOAD) + len(wheels) * FETCH_WHEEL
