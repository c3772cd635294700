"""Lock: one process at a time. The kernel drops it when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def held(path: str) -> Iterator[None]:
    """Hold an exclusive lock on the file at `path` (made when missing); waits for it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        # Closing is not enough where another thread has forked: the child holds it, too.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)
