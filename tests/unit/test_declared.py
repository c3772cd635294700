"""Declared: the line on which a distribution stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.declared import places, places_in_requirements
from overflow.project import parse_toml
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


TRAPS = """\
[project] # ] [dependency-groups]
description = \'\'\'
dependencies = ["no-1"]
\'\'\'
"dependencies" = [ # "no-2"
    'yes-1; extra == "no-3" and python_version > "3.10"',  # 'no-4'
    "yes-2[no-5]>=1; sys_platform == 'no-6'", "yes-3",
    # "no-7",
    \"\"\"yes-4\"\"\",
    "yes-5 @ https://x.example/#no-8",
]
scripts.no-9 = "no-10"
urls = { "no-11" = "no-12" }
authors = [{ name = "no-13" }]
optional-dependencies.a = ["yes-6"]
optional-dependencies."b = [" = ['yes-7']
[project.dependencies-of]
no-14 = ["no-15"]
[dependency-groups]
a = [
    { include-group = "no-16" }, "yes-8",
    { include-group = "no-17" },
    "yes-9",
]
b = []
[[tool.x]]
dependencies = ["no-18"]
["tool]".y] # [project]
project = { dependencies = ["no-19"] }
a = { dependencies = ["no-20"], b = [["no-21"]] }
"""


def test_traps() -> None:
    expected = {1: 6, 2: 7, 3: 7, 4: 9, 5: 10, 6: 15, 7: 16, 8: 21, 9: 23}
    wanted = {f"yes-{number}": line for number, line in expected.items()}
    for text in (TRAPS, TRAPS.replace("\n", "\r\n")):
        parse_toml(text.encode(), "pyproject.toml", "pyproject-invalid")
        found = places(text, "", lock_file="uv.lock")
        assert {name: place.line for name, place in found.items()} == wanted


@pytest.mark.parametrize(
    "text",
    [
        'project.dependencies = ["a"]',
        'project = { dependencies = ["a"], x = "b" }',
        'project = { x = "b", dependencies = ["a"] }',
        "[project]\n'dependencies' = ['a']",
        '["project"]\n"dependencies" = ["a"]',
        '[project]\noptional-dependencies = { x = ["a"], y = ["a"] }',
        "[ project . optional-dependencies ]\n'x' = [\"a\"]",
        'dependency-groups = { x = [{ include-group = "b" }, "a"] }',
        'dependency-groups.x = ["a"]',
    ],
)
def test_other_ways_to_say_the_same(text: str) -> None:
    assert set(places(text, "", lock_file="uv.lock")) == {"a"}


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


ENDS = st.sampled_from(["", "[x]>=1", "; extra == 'n0'", " @ https://n1.example/#n2"])
ENTRIES = st.builds("{}{}".format, st.sampled_from(["aa", "bb", "cc"]), ENDS)
GAPS = st.sampled_from(["", " ", "\n", ' # n3 "n4" ]\n', "\r\n"])


@given(st.data())
def test_array_in_any_layout(data: st.DataObject) -> None:
    entries = data.draw(st.lists(ENTRIES, max_size=4))
    text = "[project]\ndependencies = ["
    for entry in entries:
        text += f'{data.draw(GAPS)}"{entry}"{data.draw(GAPS)},'
    text += f"{data.draw(GAPS)}]\nname = 'n5'\n"
    parse_toml(text.encode(), "pyproject.toml", "pyproject-invalid")
    lines = {entry[:2]: text[: text.index(f'"{entry[:2]}')].count("\n") + 1 for entry in entries}
    found = places(text, "", lock_file="uv.lock")
    assert {name: place.line for name, place in found.items()} == lines


@given(st.text(alphabet="[]\"'#=\\,\n a-z.dependencies project{}", max_size=200))
def test_any_text_is_read(text: str) -> None:
    for place in places(f"[project]\n{text}", f"[[package]]\n{text}", lock_file="l").values():
        assert place.line > 1
    places_in_requirements(text)


@pytest.mark.parametrize(
    "unit",
    ["[", "{", "]", '"', "'", '\\"', '"a', "'a", '""" ', "[[", "a.", "a=[", "a={", "#", ",", "="],
)
def test_much_of_anything_is_read_once(unit: str) -> None:
    """A second look at each place would take hours of 100,000 of them."""
    for text in (unit * 100_000, f"[project]\ndependencies = [{unit * 100_000}"):
        places(text, "", lock_file="uv.lock")


def test_long_names_and_blanks_take_no_time() -> None:
    for entry in ("a" * 100_000, "a-" * 50_000, f"a{' ' * 100_000}x", " " * 100_000):
        places(f"[project]\ndependencies = ['{entry}']", "", lock_file="uv.lock")
        places(f"[project]\ndependencies = ['{entry}", "", lock_file="uv.lock")
        places_in_requirements(entry)
    places(f"[{' ' * 100_000}x", "", lock_file="uv.lock")
    places_in_requirements(f"a{' ' * 50_000}=")
