"""Meanwhile: something that is done in a thread while we wait for something else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Starts `work`; it is done once the block ends. Raises what it raises."""
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(work)
        yield
        started.result()
