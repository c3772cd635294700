"""The action's own steps on examples/flask, from the first to the gate, without GitHub.

Native mode, as on a runner whose libraries and uv's cache are there from an earlier job. The steps
run as action.yml has them, each a process; uploads are GitHub's own action and are not in it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.build import EXAMPLE, ToolMissing
from benchmarks.table import Bound, Outcome, table
from overflow.uv import Uv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OWN = 3.0
"""Bound: seconds from the start of the composite to the end of the gate that are our own."""

STEPS = ("base", "build", "comment", "gate")
NOT_OURS = ("lock", "install", "archive")
"""Steps of report.json whose time is uv's or the compression's."""

ENTRY = Path(__file__).parents[1] / "entrypoint.py"
NOBODY = "http://127.0.0.1:9"
"""An API that refuses to connect: its answers are not our time."""


def benchmark(runs: int, say: Callable[[str], None]) -> Outcome:
    """Median of `runs`, after one that fills the caches. Raises ToolMissing."""
    with tempfile.TemporaryDirectory(prefix="overflow-bench-") as folder:
        environ = _prepared(Path(folder))
        say("action: first run (libraries and cache)")
        first = _run(environ)
        measured = []
        for number in range(runs):
            say(f"action: run {number + 1} of {runs}")
            measured.append(_run(environ))
    rows = [
        (step, f"{first[step]:.2f}", f"{median(one[step] for one in measured):.2f}")
        for step in (*STEPS, "all", "uv and compression", "own")
    ]
    own = median(one["own"] for one in measured)
    return Outcome(
        text="The action in native mode, seconds\n\n" + table(("step", "first", "later"), rows),
        bounds=(Bound(what="own seconds, start to gate", measured=own, at_most=OWN, unit=" s"),),
        numbers={"action": {"first": first, "runs": measured}},
    )


def _prepared(folder: Path) -> Mapping[str, str]:
    workspace = folder / "workspace"
    shutil.copytree(EXAMPLE, workspace)
    git = ["git", "-c", "user.name=Bench", "-c", "user.email=bench@example.com"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "All"]):
        subprocess.run([*git, *command], cwd=workspace, check=True)
    sha = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=workspace, check=True, capture_output=True, text=True
    ).stdout.strip()
    (folder / "temp").mkdir()
    (folder / "event.json").write_text(json.dumps({"after": sha}))
    uv = Path(Uv.bundled(os.environ).binary).parent
    return {
        **os.environ,
        "PATH": f"{uv}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_WORKSPACE": str(workspace),
        "GITHUB_REPOSITORY": "bench/example",
        "GITHUB_SERVER_URL": NOBODY,
        "GITHUB_API_URL": NOBODY,
        "GITHUB_WORKFLOW": "bench",
        "GITHUB_JOB": "bench",
        "GITHUB_RUN_ID": "1",
        "GITHUB_SHA": sha,
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "RUNNER_TEMP": str(folder / "temp"),
        "RUNNER_TOOL_CACHE": str(folder / "tools"),
        "OVERFLOW_MODE": "native",
        "OVERFLOW_PYTHON": "3.12",
    }


def _run(environ: Mapping[str, str]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for step in STEPS:
        started = time.perf_counter()
        # The first Python on PATH with nothing installed, as on a runner.
        command = [sys.executable, "-I", "-S", str(ENTRY), "action", step]
        done = subprocess.run(command, env=environ, check=False, capture_output=True, text=True)
        seconds[step] = time.perf_counter() - started
        if done.returncode != 0:
            raise ToolMissing(f"action {step}: {done.stdout}{done.stderr}")
    (report,) = Path(environ["RUNNER_TEMP"]).glob("overflow/*/report/report.json")
    parts = json.loads(report.read_text("utf-8"))["seconds"]
    seconds["all"] = sum(seconds.values())
    seconds["uv and compression"] = sum(parts[name] for name in NOT_OURS)
    seconds["own"] = seconds["all"] - seconds["uv and compression"]
    return seconds
