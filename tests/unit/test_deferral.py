"""Deferral: what strategy `defer` leaves out, by who installs it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from overflow.costs import CLIENT, FETCH, UV, fetching, installing
from overflow.decision import Decision, Question
from overflow.deferral import answer
from overflow.installer import InstalledBy
from overflow.lockfile import LockedWheel
from overflow.plan import Strategy
from overflow.runtime.manifest import Manifest, from_json
from overflow.wheels import NO_URL
from tests.unit.builders import HASH, distribution, handler, limits, private, public, target

if TYPE_CHECKING:
    from overflow.limits import Limits

URL = "https://files.example/x.whl"
KNOWN = replace(public(), wheel=LockedWheel(filename="x.whl", sha256=HASH, url=URL, size=7))
VERDICTS = {"a": KNOWN, "b": KNOWN, "c": public(), "d": private()}
DISTRIBUTIONS = [distribution(name, files=[f"{name}/lib.so"]) for name in VERDICTS]


def answered(installed_by: InstalledBy, within: Limits | None = None) -> Decision:
    """Where the shared objects of `a` look for others beside those of `b`."""
    question = Question(
        target=target(),
        handler=handler(),
        project_size=1,
        limits=within or limits(0, 250),
        strategy=Strategy.DEFER,
        runtime_install=True,
        lazy=True,
        installed_by=installed_by,
        network=True,
    )
    found = frozenset({"b"})
    nothing = frozenset[str]()
    return answer(
        question, DISTRIBUTIONS, VERDICTS, lambda one: found if one.name == "a" else nothing
    )


def test_installation_is_predicted_and_nothing_else() -> None:
    by_uv, builtin = (answered(one) for one in InstalledBy)
    assert by_uv.prediction is not None
    assert builtin.prediction is not None
    size = by_uv.plan.deferred_size
    assert by_uv.prediction.install == installing(size) > UV
    assert by_uv.prediction.seconds == CLIENT + installing(size)
    assert builtin.prediction.install == FETCH + fetching([7, 7], builtin.plan.deferred_size, 2)
    assert answered(InstalledBy.UV, within=limits(240, 250)).prediction is None, "nothing is"


def manifest(decision: Decision) -> Manifest:
    return from_json(decision.generated.files["_overflow/manifest.json"].decode())


def test_uv_installs_all_that_is_public_into_one_folder() -> None:
    found = answered(InstalledBy.UV)
    assert [place.name for place in found.plan.deferred] == ["a", "b", "c"]
    assert found.generated.installer is not None
    assert manifest(found).groups == ()
    assert manifest(found).deferred is not None


def test_builtin_fetches_groups_of_what_has_a_url() -> None:
    """Those whose shared objects look for each other share a folder."""
    found = answered(InstalledBy.BUILTIN)
    assert [place.name for place in found.plan.deferred] == ["a", "b"]
    assert {place.name: place.note for place in found.plan.placements}["c"] == NO_URL
    assert found.plan.installed_by is InstalledBy.BUILTIN
    assert found.generated.installer is None
    assert manifest(found).deferred is None
    (group,) = manifest(found).groups
    assert (group.name, len(group.wheels), group.size) == ("0-a", 2, 200)
