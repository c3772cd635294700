"""`python -m benchmarks [WHICH] [--runs N] [--app NAME] [--json FILE]`.

Exit code 0 when every bound is met, 1 when one is missed, 2 when something needed is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import action, build, choice, lock, predict, start
from benchmarks.app import APPS
from benchmarks.machine import facts
from benchmarks.table import bounds_table, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.table import Outcome

BENCHMARKS: dict[str, Callable[..., Outcome]] = {
    "build": build.benchmark,
    "lock": lock.benchmark,
    "choice": choice.benchmark,
    "action": action.benchmark,
    "start": start.benchmark,
    "predict": predict.benchmark,
}
OF_APPS = ("start", "predict")
"""Those that --app narrows."""


def main() -> int:
    """Run what is asked for and print it; gives the exit code."""
    arguments = _parser().parse_args()
    chosen = BENCHMARKS if arguments.which == "all" else [arguments.which]
    machine = facts()
    print(table(("machine", ""), list(machine.items())), flush=True)
    try:
        outcomes = {name: _outcome(name, arguments) for name in chosen}
    except build.ToolMissing as missing:
        _say(str(missing))
        return 2
    for outcome in outcomes.values():
        print(f"\n{outcome.text}\n\n{bounds_table(outcome.bounds)}")
    if arguments.json:
        numbers = {name: outcome.numbers for name, outcome in outcomes.items()}
        content = json.dumps({"machine": machine, **numbers}, indent=2)
        arguments.json.write_text(content + "\n", encoding="utf-8")
    met = all(bound.met for outcome in outcomes.values() for bound in outcome.bounds)
    return 0 if met else 1


def _outcome(name: str, arguments: argparse.Namespace) -> Outcome:
    if name in OF_APPS:
        return BENCHMARKS[name](arguments.runs, _say, apps=arguments.app)
    return BENCHMARKS[name](arguments.runs, _say)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("which", nargs="?", choices=[*BENCHMARKS, "all"], default="all")
    parser.add_argument("--runs", type=_count, default=5, metavar="N", help="default: 5")
    parser.add_argument(
        "--app",
        action="append",
        default=[],
        choices=list(APPS),
        help="of start and predict, these apps only (default: all)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number here")
    return parser


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return count


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
