"""Remedies: what helps a bundle that is too large is said, and nothing that does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from overflow.classify import ADDED
from overflow.installer import InstalledBy
from overflow.limits import TMP_MAXIMUM_MB, megabytes
from overflow.lockfile import LockedWheel
from overflow.packing import packed_plan
from overflow.plan import Outcome, Strategy, Where
from overflow.remedies import COMPRESS, SPLIT, TRIM, TURN_ON, Means, remedied
from overflow.trim import Level
from tests.unit.builders import HASH, limits, plan_of, public

if TYPE_CHECKING:
    from overflow.plan import Plan

ANY = Means(runtime_install=True, network=True, trim=Level.AGGRESSIVE)
OFFLINE = replace(ANY, network=False)
OFF = replace(ANY, runtime_install=False)
FETCHABLE = replace(
    public(), wheel=LockedWheel(filename="x.whl", sha256=HASH, url="https://x.example/", size=7)
)


def packed(strategy: Strategy = Strategy.AUTO) -> Plan:
    """Public alpha, whose wheel has a URL, and private beta: 1,000 MB compressed to 300."""
    plan = plan_of({"alpha": 900, "beta": 100}, kept={"beta": "git source"})
    placements = tuple(
        replace(
            one,
            where=Where.PACKED,
            compressed=one.size * 3 // 10,
            verdict=FETCHABLE if one.name == "alpha" else one.verdict,
        )
        for one in plan.placements
    )
    plan = replace(plan, outcome=Outcome.FITS, strategy=strategy, placements=placements)
    return packed_plan(replace(plan, unpacked_size=megabytes(1000)))


PUBLISH = "make the largest that stay smaller, or publish them: "


def advice(plan: Plan, means: Means = ANY) -> tuple[str, ...]:
    assert plan.outcome is Outcome.TOO_LARGE
    return remedied(plan, means).remedies


def test_what_fits_needs_none() -> None:
    assert remedied(plan_of({"alpha": 1}), ANY).remedies == ()


def test_what_an_index_has_can_be_fetched() -> None:
    """And needs not be published."""
    way = "900.0 MB that an index has can then be fetched by the function"
    publish = f"{PUBLISH}beta (100.0 MB)"
    assert advice(packed(), OFFLINE) == (f"drop --no-network: {way}", publish)
    assert advice(packed(Strategy.PACK)) == (f"use --strategy auto: {way}", publish)
    assert advice(packed()) == (publish,)


def test_where_no_other_way_is_there_something_is_said() -> None:
    plan = packed()
    public_only = replace(plan, placements=plan.placements[:1])
    assert advice(public_only) == (SPLIT,)


def test_what_deferring_leaves() -> None:
    sizes = {"alpha": 20, "big": 200, "mid": 30, "small": 2, "tiny": 1}
    plan = plan_of(sizes, kept=dict.fromkeys(["big", "mid", "small", "tiny"], "git source"))
    builtin, compress, publish = advice(plan)
    assert builtin.startswith("use --installer builtin: most of the 38.0 MB ")
    assert compress == COMPRESS
    assert publish == f"{PUBLISH}big (200.0 MB), mid (30.0 MB), small (2.0 MB)"
    by_builtin = replace(plan, installed_by=InstalledBy.BUILTIN)
    assert advice(by_builtin) == (compress, publish)


def test_what_overflow_adds_is_nobodys_to_publish() -> None:
    plan = plan_of({"alpha": 30, "apig-wsgi": 1}, kept={"apig-wsgi": ADDED}, within=limits(20, 20))
    (builtin,) = advice(plan)
    assert "uv" in builtin


@pytest.mark.parametrize("level", Level)
def test_nothing_may_be_unpacked(level: Level) -> None:
    """Trimming more makes it smaller, maybe not enough."""
    plan = plan_of({"alpha": 300}, runtime_install=False)
    found = advice(plan, replace(OFF, trim=level))
    assert found == (TURN_ON, *([TRIM] if level is not Level.AGGRESSIVE else []))


def test_project_files_and_layers() -> None:
    within = limits(140, 150, layers=100)
    plan = plan_of({"alpha": 30}, project=120, within=within)
    assert advice(plan)[1:] == (
        (
            "the project's own files take 120.0 MB: leave out what the function does not need with"
            " --exclude"
        ),
        "layers take 100.0 MB of the limit",
    )


@pytest.mark.parametrize("means", [ANY, OFF])
def test_layers_that_leave_no_room_are_all_there_is_to_mend(means: Means) -> None:
    plan = plan_of({"alpha": 10}, within=limits(-10, 0, layers=300))
    assert advice(plan, means) == ("the layers alone take 300.0 MB: have fewer or smaller ones",)


def test_larger_than_any_tmp() -> None:
    assert advice(plan_of({"alpha": TMP_MAXIMUM_MB + 1})) == (SPLIT,)
