"""Forecast: what a cold start will take, by the model of costs.py and the recorded seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from overflow.costs import CLIENT, INTERPRETER, installing
from overflow.packing import choose
from overflow.plan import Strategy
from overflow.report import Prediction

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from overflow.appraisal import Appraisal
    from overflow.budget import Budget
    from overflow.packing import Choice
    from overflow.startup import Recording, Seconds


def forecast(
    scales: Appraisal,
    choice: Choice,
    compiled: Collection[str],
    fetching: tuple[float, float] = (0.0, 0.0),
) -> Prediction:
    """The prediction for a choice. compiled: what has bytecode, by the recording's names.

    fetching: seconds beside what is packed, at start-up and later.
    """
    pace = _pace(scales.recording)
    install, on_import = (seconds * pace for seconds in scales.unpacking(choice))
    start, later = fetching
    return _prediction(
        scales.recording, compiled, install=install + start, on_import=on_import + later
    )


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What was chosen, and what the other strategies would have to work with."""

    strategy: Strategy
    chosen: Choice | None
    """What is packed; None where something is fetched, which no other strategy does."""
    compiled: Collection[str]
    """What has bytecode, by the recording's names."""
    scales: Appraisal
    """What it was chosen by."""
    budgets: Sequence[Budget]
    """What it was chosen from, in order; none where all fits and nothing overflows."""
    tmp: int
    lazy: bool
    """Whether `auto` may be lazy."""
    deferred: int
    """Bytes that `defer` would install at cold start."""


def others(terms: Terms) -> dict[str, float]:
    """Seconds of start and first use together, by strategy that was not chosen.

    As far as sizes are known: nothing is compressed for a plan that is not carried out.
    """
    found: dict[Strategy, Prediction | None] = {
        Strategy.DEFER: _deferring(terms.scales.recording, terms.deferred)
    }
    for strategy in {Strategy.PACK, Strategy.AUTO} - {terms.strategy}:
        found[strategy] = _other(terms, lazy=terms.lazy and strategy is Strategy.AUTO)
    return {strategy.value: one.total for strategy, one in found.items() if one is not None}


def _other(terms: Terms, *, lazy: bool) -> Prediction | None:
    """Packing that is lazy or not; None where it is too much."""
    if not terms.budgets:
        return forecast(terms.scales, frozenset(), terms.compiled)
    for budget in terms.budgets:
        scales = replace(budget.scales, lazy=lazy)
        choice = choose(scales.loads(), budget.room(fetches=False), tmp=terms.tmp)
        if choice is not None:
            is_same = budget.scales is terms.scales and choice == terms.chosen
            other = replace(budget, scales=scales)
            return forecast(scales, choice, terms.compiled if is_same else other.compiled(choice))
    return None


def _deferring(recording: Recording, size: int) -> Prediction:
    """By uv, without bytecode."""
    return _prediction(recording, (), install=installing(size), on_import=0.0)


def _prediction(
    recording: Recording, compiled: Collection[str], *, install: float, on_import: float
) -> Prediction:
    start, demand = recording.start, recording.demand
    return Prediction(
        client=CLIENT * _pace(recording),
        install=install,
        execute=recording.seconds,
        compile=_compiling(start, compiled),
        later=on_import + _executing(demand) + _compiling(demand, compiled),
    )


def _pace(recording: Recording) -> float:
    """How much slower the machine of the recording was than that of the constants."""
    return recording.interpreter / INTERPRETER


def _executing(files: Mapping[str, Seconds]) -> float:
    return sum(one.execute for one in files.values())


def _compiling(files: Mapping[str, Seconds], compiled: Collection[str]) -> float:
    return sum(one.compile for path, one in files.items() if path not in compiled)
