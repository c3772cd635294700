"""Plan: each outcome with the rule that made it, and what holds of every plan."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from overflow.limits import TMP_MAXIMUM_MB, megabytes, tmp_needed_mb
from overflow.plan import Outcome, Plan, Where, deferrable
from tests.unit.builders import limits, plan_of, private, public


def deferred(plan: Plan) -> set[str]:
    return {place.name for place in plan.deferred}


def notes(plan: Plan) -> dict[str, str]:
    return {place.name: place.note for place in plan.placements if place.note}


def test_fits_vendors_everything() -> None:
    plan = plan_of({"alpha": 100, "beta": 100}, kept={"beta": "git source"})
    assert plan.outcome is Outcome.FITS
    assert plan.bound_by == "at most 240.0 MB: everything is vendored"
    assert deferred(plan) == set()
    assert plan.support_size == megabytes(0.1)
    assert (plan.remedies, plan.warnings) == ((), ())


def test_threshold_itself_fits_and_one_byte_more_does_not() -> None:
    assert plan_of({"alpha": 239}, support=(0, 38)).outcome is Outcome.FITS
    assert plan_of({"alpha": 239 + 1 / 1024 / 1024}, support=(0, 38)).outcome is Outcome.OVERFLOWS


def test_overflows_defers_every_public_one() -> None:
    plan = plan_of({"alpha": 1, "beta": 400, "gamma": 3}, kept={"gamma": "git source"})
    assert plan.outcome is Outcome.OVERFLOWS
    assert plan.bound_by == "over 240.0 MB: public distributions are deferred"
    assert deferred(plan) == {"alpha", "beta"}
    assert plan.support_size == megabytes(38)
    assert plan.bundle_size == megabytes(1) + megabytes(3) + megabytes(38)


def test_mixed_group_stays_and_says_why() -> None:
    plan = plan_of(
        {"alpha": 100, "beta": 300, "inner": 10, "outer": 10},
        kept={"inner": "git source"},
        groups=[("alpha", "inner"), ("beta", "outer")],
    )
    assert deferred(plan) == {"beta", "outer"}
    assert notes(plan) == {"alpha": "shares files' folders with inner"}


def test_note_names_the_first_private_member() -> None:
    leaving, said = deferrable(
        [frozenset({"a", "c", "b"})], {"a": public(), "c": private(), "b": private()}
    )
    assert (leaving, said) == (frozenset(), {"a": "shares files' folders with b"})


@pytest.mark.parametrize(
    "kept",
    [("beta",), ("alpha", "beta")],
    ids=["uv would break the limit", "nothing may leave"],
)
def test_deferring_that_cannot_help_is_left(kept: tuple[str, ...]) -> None:
    plan = plan_of({"alpha": 5, "beta": 238}, kept=dict.fromkeys(kept, "git source"))
    assert plan.outcome is Outcome.FITS
    assert plan.bound_by == "over the threshold, under the limit; deferring cannot help"
    assert deferred(plan) == set()
    assert plan.support_size == megabytes(0.1)
    assert notes(plan) == {}


def test_between_threshold_and_limit_overflows_where_that_saves_room() -> None:
    plan = plan_of({"alpha": 100, "beta": 144}, kept={"beta": "git source"})
    assert (plan.outcome, deferred(plan)) == (Outcome.OVERFLOWS, {"alpha"})


def test_run_time_install_off_between_threshold_and_limit() -> None:
    plan = plan_of({"alpha": 245}, runtime_install=False)
    assert plan.outcome is Outcome.FITS
    assert plan.bound_by == "over the threshold, under the limit; run-time install is off"


def test_run_time_install_off_over_the_limit() -> None:
    plan = plan_of({"alpha": 300}, runtime_install=False)
    assert plan.outcome is Outcome.TOO_LARGE
    assert plan.bound_by == "over the limit of 250.0 MB, and run-time install is off"
    assert deferred(plan) == set()


def test_private_ones_alone_are_too_large() -> None:
    sizes = {"alpha": 20, "big": 200, "mid": 30, "small": 2, "tiny": 1}
    plan = plan_of(sizes, kept=dict.fromkeys(["big", "mid", "small", "tiny"], "git source"))
    assert plan.outcome is Outcome.TOO_LARGE
    assert plan.bound_by == "what cannot be deferred takes 272.0 MB, over the limit of 250.0 MB"


def test_nothing_to_defer_is_too_large() -> None:
    plan = plan_of({"alpha": 260}, kept={"alpha": "git source"})
    assert plan.bound_by == (
        "nothing can be deferred, and all of it takes 261.1 MB, over the limit of 250.0 MB"
    )
    assert plan.support_size == megabytes(0.1)  # no uv is carried for nothing


def test_layers_that_leave_no_room() -> None:
    plan = plan_of({"alpha": 10}, within=limits(-10, 0, layers=250))
    assert plan.outcome is Outcome.TOO_LARGE


def test_tmp_that_is_too_small_is_a_warning_with_the_number_to_set() -> None:
    plan = plan_of({"alpha": 600})
    assert plan.outcome is Outcome.OVERFLOWS
    (warning,) = plan.warnings
    assert "takes 600.0 MB of /tmp, which has 512.0 MB" in warning
    assert f"set EphemeralStorage to {tmp_needed_mb(megabytes(600))} MB or more" in warning
    assert plan_of({"alpha": 600}, within=limits(tmp=TMP_MAXIMUM_MB)).warnings == ()
    assert plan_of({"alpha": 400}).warnings == ()


def test_overflow_that_no_tmp_can_hold() -> None:
    plan = plan_of({"alpha": TMP_MAXIMUM_MB + 1}, within=limits(tmp=TMP_MAXIMUM_MB))
    assert plan.outcome is Outcome.TOO_LARGE
    assert plan.bound_by == "the overflow of 10,241.0 MB is larger than any /tmp"


@pytest.mark.parametrize("size", [9_200, 9_400, 9_800, 10_200])
def test_no_plan_asks_for_more_tmp_than_lambda_gives(size: int) -> None:
    plan = plan_of({"alpha": size}, within=limits(tmp=TMP_MAXIMUM_MB))
    if plan.outcome is Outcome.OVERFLOWS:
        assert tmp_needed_mb(plan.deferred_size) <= TMP_MAXIMUM_MB
        assert plan.warnings == ()


def test_threshold_above_the_limit_lets_nothing_through() -> None:
    plan = plan_of({"alpha": 255}, kept={"alpha": "git source"}, within=limits(260, 250))
    assert plan.outcome is Outcome.TOO_LARGE


MB = st.floats(0, 400, allow_nan=False)


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True))
    cut = draw(st.integers(0, len(names)))
    threshold = draw(st.floats(0, 250))
    return {
        "sizes": {name: draw(MB) for name in names},
        "kept": {name: "git source" for name in names if draw(st.booleans())},
        "groups": [names[:cut]] if cut else [],
        "project": draw(st.floats(0, 100)),
        "within": limits(threshold, draw(st.floats(threshold, 260)), tmp=draw(MB) + 512),
        "support": (0.1, draw(st.floats(0.1, 40))),
        "runtime_install": draw(st.booleans()),
    }


@given(cases())
def test_what_holds_of_every_plan(case: dict[str, Any]) -> None:
    plan = plan_of(**case)
    assert [place.name for place in plan.placements] == sorted(case["sizes"])
    assert sum(place.size for place in plan.placements) == plan.vendored_size + plan.deferred_size
    assert plan.bundle_size == plan.project_size + plan.vendored_size + plan.support_size
    assert all(place.verdict.is_public for place in plan.deferred)
    assert not (deferred(plan) & set(case["kept"]))
    for group in case["groups"]:
        assert set(group) <= deferred(plan) or not set(group) & deferred(plan)
    if plan.outcome is Outcome.TOO_LARGE:
        assert plan.bundle_size > plan.limits.limit
    else:
        assert plan.bundle_size <= plan.limits.limit
    if plan.outcome is Outcome.FITS:
        assert not plan.deferred
    if plan.outcome is Outcome.OVERFLOWS:
        assert plan.deferred
        assert case["runtime_install"]
        assert all(place.where is not Where.DEFERRED for place in plan.placements if place.note)


SEVERITY = {Outcome.FITS: 0, Outcome.OVERFLOWS: 1, Outcome.TOO_LARGE: 2}


@given(cases(), st.sampled_from("abcdefgh"), MB)
def test_growth_never_makes_a_plan_fit_better(case: dict[str, Any], name: str, more: float) -> None:
    assume(name in case["sizes"])
    before = plan_of(**case)
    after = plan_of(**{**case, "sizes": {**case["sizes"], name: case["sizes"][name] + more}})
    assert SEVERITY[after.outcome] >= SEVERITY[before.outcome]
