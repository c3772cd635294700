"""Comparison: what came, went, grew; and nothing said of what is unknown."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from overflow.comparison import Comparison, KnownBase, UnknownBase, compare
from overflow.limits import megabytes
from tests.unit.builders import plan_of
from tests.unit.reports import packed, report

SIZES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(min_value=0, max_value=300))


def compared(before: dict[str, float], after: dict[str, float]) -> Comparison:
    base = KnownBase(report=report(before), sha="1" * 40, exact=True)
    return compare(report(after), base)


def test_each_status() -> None:
    base = report({"same": 1, "up": 1, "down": 5, "gone": 2, "other": 1})
    head = report({"same": 1, "up": 4, "down": 4, "came": 2, "other": 1})
    rows = tuple(replace(row, version="2.0") if row.name == "other" else row for row in head.rows)
    found = compare(
        replace(head, rows=rows), KnownBase(report=base, sha="1" * 40, exact=True)
    ).changes
    assert [(one.name, one.status, one.delta // megabytes(1)) for one in found] == [
        ("up", "grown", 3),
        ("came", "new", 2),
        ("gone", "removed", -2),
        ("down", "shrunk", -1),
        ("other", "changed", 0),
        ("same", "unchanged", 0),
    ]


def test_growth_is_of_all_there_is() -> None:
    found = compared({"a": 10}, {"a": 12})
    assert found.growth == megabytes(2)
    base = KnownBase(report=report({"a": 300}), sha="1" * 40, exact=True)
    deferred = compare(report(plan=plan_of({"a": 230}, project=2)), base)
    assert deferred.growth == megabytes(2 - 1 + 230 - 300)


def test_what_is_added_to_the_project_is_no_growth() -> None:
    """Bytecode, and what is packed, which is in the bundle and in /tmp."""
    sizes = packed().sizes
    plain = replace(sizes, bytecode=0, packed=0, unpacked=0, support=0)
    base = KnownBase(report=replace(packed(), sizes=plain), sha="1" * 40, exact=True)
    assert compare(packed(), base).growth == 0


def test_unknown_is_not_zero() -> None:
    found = compare(report({"a": 10}), UnknownBase(reason="no report"))
    assert found.growth is None
    assert found.changes == found.changed == found.unchanged == ()


def test_nothing_changed_is_zero() -> None:
    found = compared({"a": 10}, {"a": 10})
    assert found.growth == 0
    assert found.changed == ()
    assert [one.name for one in found.unchanged] == ["a"]


@given(SIZES, SIZES)
def test_every_distribution_once_the_largest_change_first(
    before: dict[str, float], after: dict[str, float]
) -> None:
    found = compared(before, after)
    assert sorted(one.name for one in found.changes) == sorted(before | after)
    keys = [(-abs(one.delta), one.name) for one in found.changes]
    assert keys == sorted(keys)
    assert len(found.changed) + len(found.unchanged) == len(found.changes)
    installed = found.head.sizes.installed
    assert sum(one.after for one in found.changes) == installed
    assert sum(one.delta for one in found.changes) == installed - sum(
        megabytes(size) for size in before.values()
    )
