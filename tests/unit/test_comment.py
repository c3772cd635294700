"""Comment: golden files, a length that is kept, and never a number where none is known."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from overflow.comment import BUDGET, CHANGED, UNCHANGED, Post, failure_to_comment, to_comment
from overflow.comparison import KnownBase, UnknownBase, compare
from overflow.limits import megabytes
from overflow.report import Report, Written
from tests.unit.builders import limits, plan_of
from tests.unit.reports import (
    HOSTILE,
    assert_golden,
    failure,
    fits,
    hostile_report,
    overflows,
    packed,
    report,
    too_large,
)

GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

HARMFUL = st.text(alphabet="|`<>@#\n\r []()!*_~\\&$:;/.-+=1wé\u202e\x1b\U0001f4a3", max_size=60)

POST = Post(
    marker="<!-- overflow:comment:0123456789abcdef0123 -->",
    leg="",
    sha="c0ffee0123456789c0ffee0123456789c0ffee01",
    run_url="https://github.example/o/r/actions/runs/1",
    artifact_url="https://github.example/o/r/actions/runs/1/artifacts/2",
)
SHA = "0ddba11" + "0" * 33

BEFORE = {"numpy": 55, "pandas": 60, "boto3": 0.9, "six": 0.03, "botocore": 92, "left": 3}
AFTER = {"numpy": 62, "pandas": 60, "boto3": 0.5, "six": 0.03, "botocore": 92, "scipy": 100}


def known(base: Report, *, exact: bool = True) -> KnownBase:
    return KnownBase(report=base, sha=SHA, exact=exact)


def grown() -> Report:
    """A head over the threshold, with one distribution in another version."""
    head = report(
        plan=plan_of(AFTER, project=1.2),
        written=Written(bundle_bytes=1, zip_bytes=megabytes(16.6), zip_sha256="ab" * 32),
    )
    rows = (replace(row, version="2.0") if row.name in {"numpy", "six"} else row
            for row in head.rows)  # fmt: skip
    return replace(head, rows=tuple(rows))


def comment(head: Report, base: KnownBase | UnknownBase, post: Post = POST) -> str:
    return to_comment(compare(head, base), post)


def test_golden_of_growth() -> None:
    assert_golden("growth.comment.md", comment(grown(), known(report(plan=plan_of(BEFORE)))))


def test_cold_start_is_held_against_the_base() -> None:
    head, quick = packed(), packed().prediction
    assert quick is not None
    base = replace(head, prediction=replace(quick, install=0.0), proof=None)
    measured = f", {head.proof.cold.total:.2f} s measured" if head.proof and head.proof.cold else ""
    assert measured
    said = f"**Cold start:** 1.50 s predicted (base: 0.90 s){measured} without Lambda's client;"
    assert said in comment(head, known(base))
    alone = comment(head, UnknownBase(reason="none"))
    assert f"**Cold start:** 1.50 s predicted{measured}" in alone
    assert "; on one CPU, 1,769 MB of memory\n" in alone
    assert "Cold start" not in comment(fits(), known(fits()))


def test_golden_of_no_change() -> None:
    assert_golden("same.comment.md", comment(fits(), known(fits())))


def test_golden_of_an_unknown_base_beside_other_legs() -> None:
    leg = replace(POST, leg="build (3.12, `arm64`)", artifact_url=None)
    base = UnknownBase(reason="no report of main is stored, and its lock cannot be installed")
    assert_golden("unknown.comment.md", comment(overflows(), base, leg))


def test_golden_of_too_large_against_another_commit() -> None:
    base = known(report(plan=plan_of({"alpha": 10, "beta": 20})), exact=False)
    assert_golden("too-large.comment.md", comment(too_large(), base))


def test_golden_of_a_failure() -> None:
    found = failure("uv.lock: does not fit pyproject.toml", details=f"error: {HOSTILE}\n")
    assert_golden("failure.comment.md", failure_to_comment(found, POST))


def test_golden_of_a_large_project() -> None:
    before = {f"package-{number:04}": 0.1 + number % 7 / 10 for number in range(3_000)}
    after = {name: size + int(name[-1]) / 10 for name, size in before.items()}
    shown = comment(report(after), known(report(before)))
    assert shown.count("| package-") == CHANGED + UNCHANGED
    assert_golden("many.comment.md", shown)


def test_marker_is_the_first_line() -> None:
    for shown in (comment(fits(), known(fits())), failure_to_comment(failure(), POST)):
        assert shown.splitlines()[0] == POST.marker


def test_unknown_base_has_no_change() -> None:
    shown = comment(overflows(), UnknownBase(reason="none"))
    assert "**Base unknown:** none" in shown
    assert "Change" not in shown
    assert "| Base |" not in shown
    assert "+" not in re.sub(r"<.*?>", "", shown)


@pytest.mark.parametrize(("exact", "said"), [(True, False), (False, True)])
def test_base_is_named(*, exact: bool, said: bool) -> None:
    shown = comment(fits(), known(fits(), exact=exact))
    assert "compared with 0ddba11" in shown
    assert ("not this pull request's base commit" in shown) == said


def test_table_adds_up() -> None:
    found = compare(grown(), known(report(plan=plan_of(BEFORE))))
    shown = to_comment(found, POST)
    table = shown[shown.index("| Distribution | Base") : shown.index("| **Everything**")]
    cells = [[cell.strip() for cell in row.split("|")] for row in table.splitlines()[2:]]
    for column, total in ((2, found.base), (3, found)):
        report_ = total.report if isinstance(total, KnownBase) else grown()
        added = sum(_bytes(row[column]) for row in cells)
        assert added == pytest.approx(report_.sizes.content, abs=megabytes(0.05) * len(cells))


def _bytes(cell: str) -> float:
    units = {"MB": 1024**2, "KB": 1024, "B": 1}
    number, _, unit = cell.partition(" ")
    return float(number.replace(",", "")) * units[unit] if cell else 0.0


def test_what_to_set_anew_is_said() -> None:
    shown = comment(grown(), known(report(plan=plan_of(BEFORE))))
    assert "MemorySize 1,769 MB (was 384 MB)" in shown
    assert "set anew" not in comment(fits(), known(fits()))
    assert "set anew" not in comment(too_large(), known(fits()))


def test_nothing_changed_needs_no_table() -> None:
    assert "| Base |" not in comment(fits(), known(fits()))
    other = replace(fits(), sizes=replace(fits().sizes, project=1))
    assert "| Base |" in comment(fits(), known(other))


def test_legs_are_told_apart() -> None:
    alone = comment(fits(), known(fits())).splitlines()[1]
    of_leg = comment(fits(), known(fits()), replace(POST, leg="a | b")).splitlines()[1]
    assert alone == "### Fits: 101.1 MB of 250.0 MB"
    assert of_leg == "### small · python3.13 · arm64 · a &#124; b"
    failed = failure_to_comment(failure(), replace(POST, leg="a | b")).splitlines()
    assert failed[1] == "### a &#124; b"
    assert failed[3] == "**Build failed: <code>pyproject-invalid</code>**"


def test_artifact_is_linked() -> None:
    shown = comment(grown(), UnknownBase(reason=""))
    assert f"[function.zip]({POST.artifact_url}) 16.6 MB" in shown
    assert f"[full report]({POST.run_url})" in shown


@pytest.mark.parametrize("text", ["x" * 1_000_000, "\n" * 5_000, "@1" * 5_000, "💣" * 5_000, "`"])
def test_length_is_kept_whatever_is_in_a_report(text: str) -> None:
    found, post = hostile_report(text, rows=20), replace(POST, leg=text, sha=text, run_url=text)
    base = KnownBase(report=hostile_report(f"y{text}", rows=20), sha=text, exact=False)
    assert len(comment(found, base, post)) <= BUDGET
    assert len(comment(found, UnknownBase(reason=text), post)) <= BUDGET
    broken = replace(failure(text), code=text, hint=text, details=text)
    assert len(failure_to_comment(broken, post)) <= BUDGET


def test_length_is_kept_with_as_many_rows_as_there_can_be() -> None:
    """All that are shown, and each as long as one gets, would be too much."""
    head = hostile_report("x" * 115, rows=CHANGED + UNCHANGED)
    moved = [replace(row, placement="z" * 120) for row in head.rows]
    moved[:CHANGED] = [replace(row, version="y" * 120) for row in moved[:CHANGED]]
    compared = compare(head, known(replace(head, rows=tuple(moved))))
    assert len(to_comment(compared, POST, budget=10**6)) > BUDGET
    assert BUDGET - 1_000 < len(to_comment(compared, POST)) <= BUDGET


@given(st.integers(min_value=1_500, max_value=6_000), st.integers(min_value=0, max_value=40))
def test_length_is_kept(budget: int, rows: int) -> None:
    sizes = {f"name-{number}": 1 + number / 10 for number in range(rows)}
    base = known(report(dict.fromkeys(sizes, 1.0)))
    assert len(to_comment(compare(report(sizes), base), POST, budget=budget)) <= budget


def shape(text: str) -> list[str]:
    """The kinds of Markdown's blocks, in order."""
    return [token.type for token in GITHUB.parse(text)]


@given(HARMFUL)
def test_hostile_text_changes_no_block(text: str) -> None:
    def shown(one: str) -> str:
        base = hostile_report("old", rows=2)
        rows = tuple(replace(row, name=f"same{number}") for number, row in enumerate(base.rows))
        head = replace(hostile_report(one, rows=3), function=hostile_report(one, rows=0).function)
        compared = compare(head, KnownBase(report=replace(base, rows=rows), sha=one, exact=False))
        post = replace(POST, leg=one, sha=one, run_url=one, artifact_url=one)
        return to_comment(compared, post)

    assert shape(shown(f"x{text}")) == shape(shown("x"))


@given(HARMFUL)
def test_hostile_text_makes_no_element(text: str) -> None:
    allowed = {"text", "code_inline", "strong_open", "strong_close", "html_inline"}
    one = f"x{text}"
    post = replace(POST, leg=one, sha=one, run_url=one, artifact_url=one)
    shown = comment(hostile_report(one, rows=2), UnknownBase(reason=one), post)
    for token in GITHUB.parse(shown + failure_to_comment(failure(one, details=one), post)):
        for child in token.children or []:
            assert child.type in allowed
            if child.type == "html_inline":
                assert child.content in {"<code>", "</code>", "<sub>", "</sub>"}


def test_limits_may_be_nothing() -> None:
    nothing = report(plan=plan_of({}, project=0, support=(0, 0), within=limits(0, 0)))
    assert "**Size change:** none, 0 B" in comment(nothing, known(nothing))
