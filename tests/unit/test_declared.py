"""Declared: the line on which a distribution stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.declared import places, places_in_requirements
from overflow.report import Place

PYPROJECT = """\
[build-system]
requires = ["hatchling"]

[project]
name = "shop"
keywords = ["numpy"]
dependencies = ["requests>=2", "Zope.Interface"]  # and "rich"
optional-dependencies.extra = ["flask"]
classifiers = [
    "torch",
]

[project.optional-dependencies]
data = [
    "pandas[sql]>=2; python_version > '3.10'",
    # "dask",
    'scipy @ https://wheels.example/scipy.whl',
]

[dependency-groups]
dev = ["pytest~=8.0", {include-group = "lint"}]

[tool.other]
dependencies = ["boto3"]

[[tool.uv.index]]
name = "sympy"
"""

LOCK = """\
version = 1

[[package]]
name = "requests"
version = "2.32.0"
dependencies = [
    { name = "urllib3" },
]

[[package]]
name = "urllib3"
version = "2.2.0"

[package.metadata]
name = "certifi"
"""


def line(name: str, *, pyproject: str = PYPROJECT, lock: str = LOCK) -> Place | None:
    return places(pyproject, lock, lock_file="../uv.lock").get(name)


@pytest.mark.parametrize(
    ("name", "number"),
    [("requests", 7), ("zope-interface", 7), ("pandas", 15), ("scipy", 17), ("pytest", 21)],
)
def test_where_the_project_asks_for_it(name: str, number: int) -> None:
    assert line(name) == Place(file="pyproject.toml", line=number)


def test_otherwise_where_the_lock_has_it() -> None:
    assert line("urllib3") == Place(file="../uv.lock", line=11)


@pytest.mark.parametrize(
    "name", ["hatchling", "numpy", "torch", "rich", "dask", "boto3", "sympy", "certifi", "shop"]
)
def test_what_is_no_requirement_is_not_found(name: str) -> None:
    assert line(name) is None


def test_several_lines() -> None:
    text = '[project]\ndependencies = [\n  "a",\n  "b==1", "c",\n]\nname = "d"\n'
    found = places(text, "", lock_file="uv.lock")
    assert {name: place.line for name, place in found.items()} == {"a": 3, "b": 4, "c": 4}


def test_header_with_spaces() -> None:
    text = '[ project ]\ndependencies = ["a"]\n  [dependency-groups] # x\ndev = ["b"]\n'
    assert set(places(text, "", lock_file="uv.lock")) == {"a", "b"}


def test_first_of_two() -> None:
    text = '[project]\ndependencies = [\n"a",\n"a; x",\n]\n'
    assert line("a", pyproject=text) == Place(file="pyproject.toml", line=3)


def test_requirements() -> None:
    found = places_in_requirements(
        "# flask\n-r other.txt\nrequests==2.0 \\\n  --hash=sha256:aa\nZope.Interface\n\nrich # x\n"
    )
    assert {name: (place.file, place.line) for name, place in found.items()} == {
        "requests": ("requirements.txt", 3),
        "zope-interface": ("requirements.txt", 5),
        "rich": ("requirements.txt", 7),
    }


@given(st.text(alphabet="[]\"'#=\n a-z.dependencies project{}", max_size=200))
def test_any_text_is_read(text: str) -> None:
    for place in places(f"[project]\n{text}", f"[[package]]\n{text}", lock_file="l").values():
        assert place.line > 1
    places_in_requirements(text)


def test_long_lines_take_no_time() -> None:
    """Strings that never end must not make the regular expressions try all ways."""
    places(f"[project]\ndependencies = [{'#' + chr(34) * 50_000}", "", lock_file="uv.lock")
    places("[project]\ndependencies = ['" + "a" * 50_000, "", lock_file="uv.lock")
    places("[" * 50_000, "", lock_file="uv.lock")
    places(f"[{' ' * 50_000}x", "", lock_file="uv.lock")
    places(f"[project]\ndependencies = ['a{' ' * 50_000}x", "", lock_file="uv.lock")
    places_in_requirements(f"a{' ' * 50_000}=")
