"""Groups: who must lie under one folder with whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from overflow.grouping import group
from overflow.measure import measure
from tests.unit.builders import distribution, install

if TYPE_CHECKING:
    from pathlib import Path

    from overflow.measure import Distribution


def groups(*members: Distribution, looks_in: dict[str, set[str]] | None = None) -> list[list[str]]:
    wanted = looks_in or {}
    found = group(members, lambda one: frozenset(wanted.get(one.name, ())))
    return [sorted(names) for names in found]


def test_alone() -> None:
    assert groups(distribution("b"), distribution("a")) == [["a"], ["b"]]


def test_one_import_package_of_two_distributions() -> None:
    assert groups(
        distribution("a", packages=["x"]),
        distribution("b", packages=["shared"]),
        distribution("c", packages=["shared", "shared/sub"]),
    ) == [["a"], ["b", "c"]]


def test_chain_is_one_group_named_after_its_first() -> None:
    assert groups(
        distribution("d"),
        distribution("c", packages=["one"]),
        distribution("b", packages=["two"]),
        distribution("a", packages=["one", "two"]),
    ) == [["a", "b", "c"], ["d"]]


def test_namespace_without_init_ties_nothing(tmp_path: Path) -> None:
    install(tmp_path, "ns-a", files={"ns/a/__init__.py": "x"})
    install(tmp_path, "ns-b", files={"ns/b/__init__.py": "x"})
    assert groups(*measure(tmp_path).distributions) == [["ns-a"], ["ns-b"]]


def test_namespace_with_init_ties(tmp_path: Path) -> None:
    install(tmp_path, "ns-a", files={"ns/__init__.py": "x", "ns/a/__init__.py": "x"})
    install(tmp_path, "ns-b", files={"ns/b/__init__.py": "x"})
    assert groups(*measure(tmp_path).distributions) == [["ns-a", "ns-b"]]


def test_stray_files_hold_the_package_they_lie_in(tmp_path: Path) -> None:
    install(tmp_path, "alpha", files={"alpha/__init__.py": "x"})
    install(tmp_path, "beta", files={"beta/__init__.py": "x"})
    (tmp_path / "alpha" / "stray.txt").write_text("x")
    assert groups(*measure(tmp_path).distributions) == [["(in no RECORD)", "alpha"], ["beta"]]


def test_relative_rpath_ties_to_the_owner_of_the_folder() -> None:
    assert groups(
        distribution("a", files=["a/_a.so"]),
        distribution("b", files=["b.libs/libb.so"]),
        distribution("c", files=["c/x.so"]),
        looks_in={"a": {"b.libs", "nowhere"}},
    ) == [["a", "b"], ["c"]]


def test_rpath_to_its_own_folder_ties_nothing() -> None:
    assert groups(
        distribution("a", files=["a.libs/x.so"]),
        distribution("b", files=["b.libs/x.so"]),
        looks_in={"a": {"a.libs"}, "b": {"b.libs"}},
    ) == [["a"], ["b"]]


def test_folder_of_several_owners_ties_all_of_them() -> None:
    assert groups(
        distribution("a"),
        distribution("b", files=["libs/b.so"]),
        distribution("c", files=["libs/c.so"]),
        looks_in={"a": {"libs"}},
    ) == [["a", "b", "c"]]


NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True)
FOLDERS = st.frozensets(st.sampled_from(["x", "y", "z", "x/w"]), max_size=2)


@given(NAMES, st.data())
def test_partition(names: list[str], data: st.DataObject) -> None:
    members = [
        distribution(name, packages=data.draw(FOLDERS), files=[f"lib-{name}/l.so"])
        for name in names
    ]
    looks_in = {name: {f"lib-{data.draw(st.sampled_from('abcdefgh'))}"} for name in names}
    found = groups(*members, looks_in=looks_in)
    assert sorted(name for one in found for name in one) == sorted(names)
    assert found == sorted(found)
    # The order in which distributions come makes no difference.
    assert groups(*reversed(members), looks_in=looks_in) == found
    home = {name: position for position, one in enumerate(found) for name in one}
    for one in members:
        for other in members:
            if one.import_packages & other.import_packages:
                assert home[one.name] == home[other.name]
            if f"lib-{other.name}" in looks_in[one.name]:
                assert home[one.name] == home[other.name]
