"""Machine: the facts without which no figure means anything."""

from __future__ import annotations

import os
import platform
import re
import zlib
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path


def facts() -> dict[str, str]:
    """Date, processor, system and versions, as text."""
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "CPU": _cpu_model(),
        "CPUs": str(len(os.sched_getaffinity(0))),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": platform.python_version(),
        "uv": version("uv"),
        "zlib-ng (binding)": version("zlib-ng"),
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
    }


def _cpu_model() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text("utf-8"), re.M)
    return found[1].strip() if found else platform.machine()
