"""Slowness: what to do about a cold start that takes long."""

from __future__ import annotations

from overflow.limits import (
    INIT_SECONDS,
    INIT_WARNING_SECONDS,
    INSTALL_WARNING_SECONDS,
    MEMORY_OF_ONE_CPU_MB,
    MEMORY_OF_TWO_CPUS_MB,
    SNAPSTART_PYTHON,
    TMP_DEFAULT_MB,
)

SHARED = 1.0
"""Seconds of filling /tmp that are worth a second CPU: all CPUs take part in that."""


def slow_start_warnings(
    measured: float | None,
    predicted: float | None,
    *,
    install: float,
    python: tuple[int, int],
    ephemeral_storage_mb: int,
    without_imports: bool = False,
) -> tuple[str, ...]:
    """What to do about a cold start of so many seconds on one CPU; nothing where it is short.

    install: seconds of it in which what overflows is put into /tmp. without_imports: predicted has
    nothing else.
    """
    known = [seconds for seconds in (measured, predicted) if seconds is not None]
    most = INSTALL_WARNING_SECONDS if without_imports else INIT_WARNING_SECONDS
    if not known or max(known) <= most:
        return ()
    taken = f"{measured:.1f} s" if measured is not None else f"{max(known):.1f} s, as predicted"
    if without_imports:
        taken = f"{max(known):.1f} s before anything is imported, as predicted"
    if measured is not None and predicted is not None:
        taken += f" ({predicted:.1f} s predicted)"
    memory = f"{memory_of_slow_start_mb(install):,} MB of memory"
    if install >= SHARED:
        gain = f"at best, that halves the {install:.1f} s of it for /tmp, and no imports"
        remedies = [f"give it {memory}, which is two CPUs ({gain})"]
    else:
        remedies = [f"give it no less than {memory}, which is one CPU (two help no imports)"]
    if python >= SNAPSTART_PYTHON and ephemeral_storage_mb <= TMP_DEFAULT_MB:
        remedies.append("turn on SnapStart")
    remedies.append("import less at start")
    limit = f"Lambda ends an init after {INIT_SECONDS} s"
    return (f"a cold start takes {taken} on one CPU, and {limit}: {', '.join(remedies)}",)


def memory_of_slow_start_mb(install: float) -> int:
    """The least memory, in MB, for a start that is slow on one CPU; install: see above."""
    return MEMORY_OF_TWO_CPUS_MB if install >= SHARED else MEMORY_OF_ONE_CPU_MB
