"""`python -m benchmarks [build|lock|action|start|all] [--runs N] [--json FILE]`.

Exit code 0 when every bound is met, 1 when one is missed, 2 when something needed is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from benchmarks import action, build, lock, start
from benchmarks.table import bounds_table, table

BENCHMARKS = {
    "build": build.benchmark,
    "lock": lock.benchmark,
    "action": action.benchmark,
    "start": start.benchmark,
}


def main() -> int:
    """Run what is asked for and print it; gives the exit code."""
    arguments = _parser().parse_args()
    chosen = BENCHMARKS if arguments.which == "all" else [arguments.which]
    facts = _facts()
    print(table(("machine", ""), list(facts.items())), flush=True)
    try:
        outcomes = {name: BENCHMARKS[name](arguments.runs, _say) for name in chosen}
    except build.ToolMissing as missing:
        _say(str(missing))
        return 2
    for outcome in outcomes.values():
        print(f"\n{outcome.text}\n\n{bounds_table(outcome.bounds)}")
    if arguments.json:
        numbers = {name: outcome.numbers for name, outcome in outcomes.items()}
        content = json.dumps({"machine": facts, **numbers}, indent=2)
        arguments.json.write_text(content + "\n", encoding="utf-8")
    met = all(bound.met for outcome in outcomes.values() for bound in outcome.bounds)
    return 0 if met else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("which", nargs="?", choices=[*BENCHMARKS, "all"], default="all")
    parser.add_argument("--runs", type=_count, default=5, metavar="N", help="default: 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number here")
    return parser


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return count


def _facts() -> dict[str, str]:
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "CPUs": str(len(os.sched_getaffinity(0))),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "uv": version("uv"),
        "zlib-ng (binding)": version("zlib-ng"),
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
