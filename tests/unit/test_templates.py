"""Templates: frames that are filled once, and never look into what they are filled with."""

from __future__ import annotations

import ast

import pytest

from overflow.resources import templates_folder
from overflow.templates import NAMES, render


def test_names_are_those_of_the_folder() -> None:
    assert sorted(path.name for path in templates_folder().iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_missing_value_is_an_error(name: str) -> None:
    with pytest.raises(KeyError):
        render(name)


def test_values_are_not_expanded() -> None:
    shown = render("trampoline.py", handler="$version ${version} $$", version="1")
    assert '"$version ${version} $$"' in shown
    ast.parse(shown)
