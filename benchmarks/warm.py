"""Warm: what our runtime takes of a warm start, from its first line to the user's first line."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.scene import Scene, Task, change_manifest
from overflow.runtime.manifest import MANIFEST_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

START = """\
import sys, time
import awslambdaric.bootstrap

sys.path.insert(0, {bundle!r})
began = time.perf_counter()
import overflow_trampoline
import overflow_clock
print(1000 * (overflow_clock.reached - began))
"""

CLOCK = """\
import time
reached = time.perf_counter()
handler = print
"""
"""The user's module: its first line says when it is reached."""


def measure(scene: Scene, task: Task) -> float:
    """Milliseconds, once; the overflow is in place, the runtime client imported, as on Lambda."""
    with _clock_as_handler(task):
        code = START.format(bundle=str(task.bundle))
        environment = {"PYTHONPATH": str(scene.ric), "PYTHONDONTWRITEBYTECODE": "1"}
        output = scene.run([scene.python, "-c", code], task.bundle, **environment)
    return round(float(output.splitlines()[-1]), 2)


@contextmanager
def _clock_as_handler(task: Task) -> Iterator[None]:
    before = json.loads((task.bundle / MANIFEST_FILE).read_text("utf-8"))["handler"]
    clock = task.bundle / "overflow_clock.py"
    clock.write_text(CLOCK, encoding="utf-8")
    change_manifest(task, handler="overflow_clock:handler")
    try:
        yield
    finally:
        change_manifest(task, handler=before)
        clock.unlink()
