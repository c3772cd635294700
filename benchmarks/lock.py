"""Large locks: read, classify, group, decide and generate, for 2,000 and 4,000 packages."""

from __future__ import annotations

import gc
import time
from statistics import median
from typing import TYPE_CHECKING, TypeVar

from benchmarks.synthetic import distributions, lock_text, packages, search_folders
from benchmarks.table import Bound, Outcome, table
from overflow.classify import classify, public_indexes
from overflow.decision import Question
from overflow.deferral import answer
from overflow.handler import Handler
from overflow.installer import InstalledBy
from overflow.limits import MIB, TMP_MAXIMUM_MB, Limits, megabytes
from overflow.lockfile import parse_lock
from overflow.plan import Strategy
from overflow.project import parse_toml
from overflow.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from overflow.measure import Distribution

SIZES = (2_000, 4_000)
SECONDS, GROWTH = 1.5, 2.2
"""Bounds: seconds for the larger, and times what the smaller takes."""

HANDLER = Handler(module="app", attribute="app", interface="wsgi")
LIMITS = Limits(
    threshold=megabytes(240), limit=megabytes(250), layers=0, tmp=megabytes(TMP_MAXIMUM_MB)
)
Given = TypeVar("Given")


class _Clock:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, phase: str, work: Callable[[], Given]) -> Given:
        started = time.perf_counter()
        given = work()
        self.seconds[phase] = time.perf_counter() - started
        return given


def benchmark(runs: int, say: Callable[[str], None]) -> Outcome:
    """Both sizes in turns, `runs` times each."""
    given = {size: _given(size) for size in SIZES}
    notes = [f"{size:,} packages: {_described(*each)}" for size, each in given.items()]
    done: dict[int, list[dict[str, float]]] = {size: [] for size in SIZES}
    for turn in range(runs):
        for size, (lock, installed) in given.items():
            seconds = _once(lock, installed)
            done[size].append(seconds)
            say(f"{turn + 1} of {runs}: {size:,} packages: {sum(seconds.values()):.2f} s")
    totals = {size: [sum(one.values()) for one in each] for size, each in done.items()}
    small, large = (median(totals[size]) for size in SIZES)
    return Outcome(
        text="\n".join([_text(done, totals), "", *notes]),
        bounds=(
            Bound(what=f"{SIZES[1]:,} packages", measured=large, at_most=SECONDS, unit=" s"),
            Bound(what=f"{SIZES[1]:,} / {SIZES[0]:,}", measured=large / small, at_most=GROWTH),
        ),
        numbers={str(size): list(each) for size, each in done.items()},
    )


def _given(size: int) -> tuple[bytes, list[Distribution]]:
    chosen = packages(size)
    return lock_text(chosen).encode(), distributions(chosen)


def _described(lock: bytes, installed: Sequence[Distribution]) -> str:
    wheels = lock.count(b'.whl", hash') / len(installed)
    return f"a lock of {len(lock) / MIB:.1f} MB, {wheels:.1f} wheels each"


def _once(lock: bytes, installed: list[Distribution]) -> dict[str, float]:
    gc.collect()
    gc.disable()  # as the command does
    clock = _Clock()
    # A new one each time: what a target remembers of wheels is worth nothing to a new process.
    target = Target(python=(3, 12), architecture="x86_64")
    mapping = clock.time("read TOML", lambda: parse_toml(lock, "uv.lock", "lock-invalid"))
    parsed = clock.time("parse lock", lambda: parse_lock(mapping))
    verdicts = clock.time(
        "classify",
        lambda: classify(
            installed, lock=parsed, project="project", target=target, indexes=public_indexes(())
        ),
    )
    question = _question(target)
    clock.time("plan", lambda: answer(question, installed, verdicts, search_folders))
    gc.enable()
    return clock.seconds


def _question(target: Target) -> Question:
    return Question(
        target=target,
        handler=HANDLER,
        project_size=MIB,
        limits=LIMITS,
        strategy=Strategy.DEFER,
        lazy=True,
        network=True,
        installed_by=InstalledBy.UV,
        runtime_install=True,
    )


def _text(
    done: Mapping[int, Sequence[Mapping[str, float]]], totals: Mapping[int, Sequence[float]]
) -> str:
    small, large = SIZES
    rows = [
        _row(phase, *([one[phase] for one in done[size]] for size in SIZES))
        for phase in done[small][0]
    ]
    rows.append(_row("all", totals[small], totals[large]))
    header = ("median ms (min-max)", f"{small:,} packages", f"{large:,} packages", "ratio")
    return table(header, rows)


def _row(what: str, small: Sequence[float], large: Sequence[float]) -> tuple[str, ...]:
    cells = (
        f"{median(one) * 1000:.1f} ({min(one) * 1000:.1f}-{max(one) * 1000:.1f})"
        for one in (small, large)
    )
    return what, *cells, f"{median(large) / median(small):.2f}"
