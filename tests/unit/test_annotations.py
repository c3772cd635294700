"""Annotations: few, the most important first, on the line that is the cause."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.annotations import (
    LARGEST_LINE,
    LONGEST,
    LONGEST_TITLE,
    MOST,
    Annotation,
    annotate,
    to_commands,
)
from overflow.limits import TMP_MAXIMUM_MB, megabytes
from overflow.markdown import visible
from overflow.plan import Outcome
from overflow.report import Failure, Place, Report
from tests.unit.builders import limits, plan_of
from tests.unit.reports import (
    HOSTILE,
    failure,
    fits,
    hostile_report,
    overflows,
    packed,
    report,
    too_large,
)
from tests.unit.runner import parse_command

HARMFUL = st.text(alphabet="%0AD3aC2:,=\r\n \t;#[]./aé\u202e\x1b\U0001f4a3", max_size=40)


def said(found: Report | Failure, path: str = ".") -> list[tuple[str, str, str | None, int | None]]:
    return [
        (one.level, one.title, one.file, one.line) for one in annotate(found, project_path=path)
    ]


def on_line(number: int) -> Place:
    return Place(file="pyproject.toml", line=number)


def test_what_fits_says_nothing() -> None:
    assert annotate(fits(), project_path=".") == ()


def test_overflow_stands_on_the_largest_that_is_deferred() -> None:
    found = annotate(overflows(), project_path="services/shop")
    assert said(overflows(), "services/shop") == [
        ("warning", overflows().headline, "services/shop/pyproject.toml", 12),
        ("warning", "Overflow", None, None),
        ("warning", "Overflow", None, None),
    ]
    assert found[0].message.splitlines() == [
        "over 200.0 MB: public distributions are deferred",
        "alpha 1.0 takes 700.0 MB and is fetched into /tmp (public: on pypi.org)",
    ]
    assert "EphemeralStorage" in found[1].message
    assert "S3" in found[2].message


def test_the_largest_are_the_cause_whatever_is_packed() -> None:
    large = packed()
    largest = annotate(large, project_path=".")[0]
    assert "alpha 1.0 takes 150.0 MB and is in the bundle" in largest.message
    tight = replace(large, limits=replace(large.limits, threshold=megabytes(100)))
    messages = [one.message for one in annotate(tight, project_path=".")]
    assert any("beta 1.0 takes 140.0 MB and is carried compressed" in one for one in messages)


def test_only_as_many_as_account_for_what_is_over() -> None:
    sizes = {"a": 150, "b": 80, "c": 40, "d": 30, "e": 1}
    lines = {name: on_line(at) for at, name in enumerate(sizes, 1)}
    # With 1 MB of the project: 302 MB.
    for threshold, named in ((239, "a"), (152, "a"), (151, "ab"), (71, "abc"), (32, "abc")):
        plan = plan_of(sizes, within=limits(threshold, 250))
        found = annotate(report(plan=plan, lines=lines), project_path=".")
        assert [one.line for one in found] == list(range(1, len(named) + 1)), threshold


def test_too_large_stands_on_what_cannot_be_deferred() -> None:
    found = annotate(too_large(), project_path=".")
    assert said(too_large()) == [("error", "Too large: 310.5 MB of 210.0 MB", "pyproject.toml", 9)]
    (one,) = found
    assert one.message.splitlines() == [
        "what cannot be deferred takes 310.5 MB, over the limit of 210.0 MB",
        "beta 1.0 takes 200.0 MB and is in the bundle (private: other index: evil.example)",
        *(f"to do: {remedy}" for remedy in too_large().remedies),
    ]
    assert len(one.message.splitlines()) == 8


def test_too_large_names_as_many_as_it_takes() -> None:
    plan = plan_of({"a": 200, "b": 190, "c": 5}, kept=dict.fromkeys("abc", "git source"))
    found = report(plan=plan, lines={"a": on_line(3), "b": on_line(4)})
    assert said(found) == [
        ("error", "Too large: 396.1 MB of 250.0 MB", "pyproject.toml", 3),
    ]
    plan = plan_of({"a": 150, "b": 140, "c": 130}, kept=dict.fromkeys("abc", "git source"))
    assert [one[1] for one in said(report(plan=plan))] == [
        "Too large: 421.1 MB of 250.0 MB",
        "b: in the bundle",
    ]


def test_too_large_for_any_tmp_stands_on_what_is_deferred() -> None:
    plan = plan_of({"a": TMP_MAXIMUM_MB, "b": 20, "c": 1}, kept={"c": "git source"})
    found = annotate(report(plan=plan, lines={"a": on_line(5)}), project_path=".")
    assert [(one.level, one.line) for one in found] == [("error", 5)]
    assert "a 1.0 takes 10,240.0 MB and is fetched into /tmp" in found[0].message


def test_too_large_by_the_project_alone_has_no_line() -> None:
    found = report(plan=plan_of({}, project=300))
    assert [one[0] for one in said(found)] == ["error"]
    assert said(found)[0][2:] == (None, None)


@pytest.mark.parametrize(
    ("message", "file", "line"),
    [
        ("pyproject.toml: not valid TOML: no equals at line 3 column 7", "a/pyproject.toml", 3),
        ("uv.lock, packages[12].source: neither", "a/uv.lock", None),
        ("requirements.txt, line 14: --index-url is not carried over", "a/requirements.txt", 14),
        ("requirements.txt, line 0: no", "a/requirements.txt", None),
        ("requirements.txt, line 99999999: no", "a/requirements.txt", None),
        ("pyproject.tomlx: no", None, None),
        ("uv.lock.bak: no", None, None),
        ("other: pyproject.toml, line 3", None, None),
        ("--output: line 3", None, None),
    ],
)  # fmt: skip
def test_failure_stands_where_its_message_says(
    message: str, file: str | None, line: int | None
) -> None:
    assert said(failure(message), "a") == [("error", "Build failed: pyproject-invalid", file, line)]
    (one,) = annotate(failure(message), project_path="a")
    assert one.message == f"{message}\nhint: mend it there"


@pytest.mark.parametrize(
    ("path", "file", "shown"),
    [
        (".", "pyproject.toml", "pyproject.toml"),
        ("", "pyproject.toml", "pyproject.toml"),
        ("./a//b/", "pyproject.toml", "a/b/pyproject.toml"),
        ("a/b", "../../uv.lock", "uv.lock"),
        ("a", "../../uv.lock", None),
        ("..", "uv.lock", None),
        ("/a", "uv.lock", None),
        ("a", "/etc/passwd", None),
        ("a", "b\nc", None),
        ("a", "b\x1bc", None),
        ("a", "..", None),
        (".", "", None),
        (".", "..x/uv.lock", None),
    ],
)
def test_files_are_inside_of_the_workspace(path: str, file: str, shown: str | None) -> None:
    found = overflows()
    rows = tuple(replace(row, declared=Place(file=file, line=3)) for row in found.rows)
    assert said(replace(found, rows=rows), path)[0][2:] == (shown, 3 if shown else None)


def test_at_most_ten_of_a_level_and_the_warnings_have_room() -> None:
    many = plan_of({f"n{at:02}": 40 for at in range(60)}, within=limits(tmp=512))
    found = annotate(report(plan=many), project_path=".")
    assert [one.level for one in found] == ["warning"] * MOST
    assert "EphemeralStorage" in found[-1].message
    names = [f"n{at:02}" for at in range(60)]
    stuck = plan_of(dict.fromkeys(names, 40), kept=dict.fromkeys(names, "git source"))
    found = annotate(replace(report(plan=stuck), plan_warnings=("w",) * 20), project_path=".")
    assert [one.level for one in found] == ["error"] * MOST + ["warning"] * MOST
    full = replace(overflows(), plan_warnings=("w",) * 20)
    assert [one[1] for one in said(full)] == [full.headline] + ["Overflow"] * 9


def test_lengths_are_bounded() -> None:
    for outcome in Outcome:
        found = replace(hostile_report("x" * 100_000, rows=15), outcome=outcome)
        for one in annotate(found, project_path="."):
            assert len(one.message) <= LONGEST
            assert len(one.title) <= LONGEST_TITLE
    (one,) = annotate(replace(failure("x" * 100_000), code="y" * 1_000), project_path=".")
    assert (len(one.message), one.message[-1]) == (LONGEST, "…")
    assert (len(one.title), one.title[-1]) == (LONGEST_TITLE, "…")


@pytest.mark.parametrize("line", [0, LARGEST_LINE, 2**63])
def test_line_that_no_file_has(line: int) -> None:
    rows = tuple(replace(row, declared=on_line(line)) for row in overflows().rows)
    assert said(replace(overflows(), rows=rows))[0][2:] == ("pyproject.toml", None)


def test_commands() -> None:
    found = Annotation(level="warning", title="a, b", message="1\n2", file="x.toml", line=3)
    assert to_commands([found, replace(found, file=None)]) == [
        "::warning title=a%2C b,file=x.toml,line=3::1%0A2",
        "::warning title=a%2C b::1%0A2",
    ]


@given(HARMFUL, st.sampled_from(Outcome))
def test_hostile_text_is_but_text(text: str, outcome: Outcome) -> None:
    """The runner reads each line as one command, with the message that was meant."""
    one = replace(hostile_report(f"x{text}", rows=3), outcome=outcome)
    for found in (one, failure(f"uv.lock{text}")):
        meant = annotate(found, project_path=text)
        for annotation, line in zip(meant, to_commands(meant), strict=True):
            assert line.splitlines() == [line]
            read = parse_command(line)
            assert read is not None
            name, properties, message = read
            assert (name, message) == (annotation.level, annotation.message)
            assert set(properties) <= {"title", "file", "line"}
            assert properties["title"].strip() == annotation.title.strip()


def test_what_a_person_cannot_see_is_shown() -> None:
    found = annotate(replace(overflows(), bound_by=HOSTILE), project_path=".")[0]
    assert visible(found.message) == found.message
    assert found.message.startswith("evil | `x` <img src=x> @team")
