"""Project: what a pyproject.toml says, or where it is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.errors import InputFault
from overflow.project import Project, check_selection, parse_project, parse_toml

FULL = b"""
[project]
name = "My.App_x"
requires-python = ">=3.12"
[project.optional-dependencies]
Fast_Path = ["alpha"]
[dependency-groups]
Dev = ["pytest"]
"""


def test_full() -> None:
    assert parse_project(parse_toml(FULL, "pyproject.toml", "pyproject-invalid")) == Project(
        name="my-app-x",
        requires_python=">=3.12",
        extras=frozenset({"fast-path"}),
        groups=frozenset({"dev"}),
    )


def test_least() -> None:
    found = parse_project({"project": {"name": "app"}})
    assert found == Project(
        name="app", requires_python=None, extras=frozenset(), groups=frozenset()
    )


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({}, "has no [project] table"),
        ({"tool": {}}, "has no [project] table"),
        ({"project": []}, "project: expected a table"),
        ({"project": {}}, "project.name: expected a string"),
        ({"project": {"name": 1}}, "project.name: expected a string"),
        ({"project": {"name": ""}}, "project.name: '' is not a valid name"),
        ({"project": {"name": "a b"}}, "project.name: 'a b' is not a valid name"),
        ({"project": {"name": "a\n::error::"}}, "is not a valid name"),
        ({"project": {"name": "a", "requires-python": 3.12}}, "project.requires-python"),
        ({"project": {"name": "a", "optional-dependencies": []}}, "project.optional-dependencies"),
        ({"project": {"name": "a"}, "dependency-groups": "dev"}, "dependency-groups: expected"),
    ],
)
def test_malformed_names_the_place(mapping: dict[str, Any], said: str) -> None:
    with pytest.raises(InputFault) as raised:
        parse_project(mapping)
    assert raised.value.code == "pyproject-invalid"
    assert raised.value.message.startswith("pyproject.toml: ")
    assert said in raised.value.message
    assert raised.value.hint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
TABLE = st.dictionaries(st.sampled_from(["name", "requires-python", "optional-dependencies"]), JSON)


@given(st.fixed_dictionaries({}, optional={"project": JSON | TABLE, "dependency-groups": JSON}))
def test_any_mapping_parses_or_is_refused(mapping: dict[str, Any]) -> None:
    try:
        parse_project(mapping)
    except InputFault as fault:
        assert fault.code == "pyproject-invalid"


@given(st.integers(0, len(FULL)), st.integers(0, 30), st.binary(max_size=8))
def test_mangled_text_parses_or_is_refused(start: int, length: int, instead: bytes) -> None:
    text = FULL[:start] + instead + FULL[start + length :]
    try:
        parse_project(parse_toml(text, "pyproject.toml", "pyproject-invalid"))
    except InputFault as fault:
        assert fault.code == "pyproject-invalid"
        assert fault.message.startswith("pyproject.toml: ")


PROJECT = parse_project(parse_toml(FULL, "pyproject.toml", "pyproject-invalid"))


def test_selection_by_any_spelling() -> None:
    check_selection(PROJECT, extras=("fast.path", "FAST-PATH"), groups=("DEV",))


@pytest.mark.parametrize(
    ("extras", "groups", "code", "hint"),
    [
        (("slow",), (), "extra-unknown", "known: fast-path"),
        ((), ("docs",), "group-unknown", "known: dev"),
        (("dev",), (), "extra-unknown", "known: fast-path"),
    ],
)
def test_unknown_selection(
    extras: tuple[str, ...], groups: tuple[str, ...], code: str, hint: str
) -> None:
    with pytest.raises(InputFault) as raised:
        check_selection(PROJECT, extras=extras, groups=groups)
    assert (raised.value.code, raised.value.hint) == (code, hint)
    assert repr((*extras, *groups)[0]) in raised.value.message


def test_unknown_selection_of_a_project_without_any() -> None:
    with pytest.raises(InputFault) as raised:
        check_selection(parse_project({"project": {"name": "a"}}), extras=("x",), groups=())
    assert raised.value.hint == "it has no extras"
