"""Wheels: what is fetched by URL, and what cannot be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from overflow.grouping import LONGEST_NAME, folder_name
from overflow.lockfile import LockedWheel
from overflow.plan import deferrable
from overflow.runtime.manifest import Wheel
from overflow.wheels import NO_URL, by_url, fetched
from tests.unit.builders import HASH, private, public

URL = "https://files.example/a.whl"
KNOWN = replace(public(), wheel=LockedWheel(filename="a.whl", sha256=HASH, url=URL, size=7))


def test_groups_are_as_the_manifest_has_them() -> None:
    groups = [frozenset({"a"}), frozenset({"b", "c"}), frozenset({"d"})]
    verdicts = dict.fromkeys("abc", KNOWN) | {"d": private()}
    first, second = fetched(groups, {"a", "b", "c"}, {"a": 1, "b": 2, "c": 3}, verdicts)
    wheel = Wheel(url=URL, sha256=HASH, size=7)
    assert (first.name, first.size, first.wheels) == ("0-a", 1, (wheel,))
    assert (second.name, second.size, second.wheels) == ("1-b", 5, (wheel, wheel))
    assert len({first.sha256, second.sha256, HASH}) == 3


def test_public_ones_without_a_url_stay_and_keep_their_group() -> None:
    verdicts = by_url({"a": KNOWN, "b": public(), "c": KNOWN, "d": private()})
    groups = [frozenset({"a"}), frozenset({"b", "c"}), frozenset({"d"})]
    leaving, notes = deferrable(groups, verdicts)
    assert leaving == {"a"}
    assert notes == {"b": NO_URL, "c": "shares files' folders with b"}
    assert verdicts["d"] == private()


def test_what_has_no_url_cannot_be_fetched() -> None:
    with pytest.raises(ValueError, match="by its URL"):
        fetched([frozenset({"a"})], {"a"}, {"a": 1}, {"a": public()})


def test_folder_names_are_those_of_files() -> None:
    assert folder_name(3, frozenset({"../x", "b"})) == "3----x"
    assert len(folder_name(12345, frozenset({"a" * 500}))) <= LONGEST_NAME
