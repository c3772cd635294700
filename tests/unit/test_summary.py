"""Summary: golden files for each outcome, a budget that is kept, hostile text that stays put."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from overflow.limits import megabytes
from overflow.proof import NOT_WANTED, Finding, Proof
from overflow.summary import BUDGET, failure_to_markdown, percent, snippet, to_markdown
from overflow.text import to_text
from overflow.trim import Cut, Level, Trimmed
from tests.unit.builders import limits, plan_of
from tests.unit.reports import (
    HOSTILE,
    REPORTS,
    SAMPLES,
    assert_golden,
    failure,
    fits,
    hostile_report,
    overflows,
    report,
)

if TYPE_CHECKING:
    from overflow.report import Report

GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

HARMFUL = st.text(alphabet="|`<>@#\n\r []()!*_~\\&$:;/.-+=1wé\u202e\x1b\U0001f4a3", max_size=60)


def test_a_bundle_that_was_not_started_is_said_to_be_so() -> None:
    """To a reader of the summary and of the terminal, in the same words."""
    found = replace(fits(), proof=Proof(finding=Finding.UNPROVEN, note=NOT_WANTED))
    for shown in (to_markdown(found), to_text(found)):
        assert "\nNot started (--no-verify).\n" in shown


def many() -> Report:
    """More distributions than a summary of the goldens' budget takes."""
    return report({f"distribution-{number:04}": 0.08 for number in range(3_000)})


@pytest.mark.parametrize("outcome", SAMPLES)
def test_golden(outcome: str) -> None:
    assert_golden(f"{outcome}.summary.md", to_markdown(SAMPLES[outcome]()))


def test_golden_of_a_failure() -> None:
    found = failure(
        "uv.lock, packages[3].source: neither `registry` nor <git>",
        details=f"error: Failed to resolve\n  ╰─▶ {HOSTILE}\n```\n</details>\n",
    )
    assert_golden("failure.summary.md", failure_to_markdown(found))


def test_golden_that_is_cut() -> None:
    shown = to_markdown(many(), budget=4_000, artifact="overflow-report")
    assert_golden("many.summary.md", shown)


def test_all_rows_where_there_is_room() -> None:
    shown = to_markdown(many())
    assert shown.count("| distribution-") == 3_000
    assert "more distributions" not in shown


def test_what_is_cut_is_summed_up() -> None:
    shown = to_markdown(many(), budget=100_000)
    kept = shown.count("| distribution-")
    assert 99_000 < len(shown.encode()) <= 100_000
    left = 3_000 - kept
    assert f"\n… and {left:,} more distributions ({left * 0.08:.1f} MB): see report.json" in shown


def test_artifact_is_named() -> None:
    shown = to_markdown(many(), budget=100_000, artifact="report|x")
    assert "see report.json in the artifact <code>report&#124;x</code>" in shown


@pytest.mark.parametrize("text", ["x" * 5_000_000, "\n" * 5_000, "@1" * 5_000, "💣" * 5_000, "`"])
def test_budget_is_kept_whatever_is_in_a_report(text: str) -> None:
    found = hostile_report(text, rows=30)
    assert len(to_markdown(found).encode()) <= BUDGET
    broken = replace(failure(text), code=text, hint=text, details=text)
    assert len(failure_to_markdown(broken).encode()) <= BUDGET


@given(st.integers(min_value=2_500, max_value=8_000), st.integers(min_value=0, max_value=60))
def test_budget_is_kept(budget: int, rows: int) -> None:
    found = report({f"name-{number}": 1 for number in range(rows)})
    assert len(to_markdown(found, budget=budget).encode()) <= budget


def shape(text: str) -> list[str]:
    """The kinds of Markdown's blocks, in order."""
    return [token.type for token in GITHUB.parse(text)]


@given(HARMFUL)
def test_hostile_text_changes_no_block(text: str) -> None:
    shown = to_markdown(hostile_report(f"x{text}", rows=3))
    assert shape(shown) == shape(to_markdown(hostile_report("x", rows=3)))


@given(HARMFUL)
def test_hostile_text_makes_no_element(text: str) -> None:
    """Within the blocks there is what we wrote: code and bold, no link, image or HTML."""
    allowed = {"text", "code_inline", "strong_open", "strong_close", "html_inline"}
    for token in GITHUB.parse(to_markdown(hostile_report(f"x{text}", rows=2))):
        for child in token.children or []:
            assert child.type in allowed
            if child.type == "html_inline":
                assert child.content in {"<code>", "</code>"}


@given(HARMFUL)
def test_hostile_failure_changes_no_block(text: str) -> None:
    broken = replace(failure(f"x{text}"), code=f"x{text}", hint=f"x{text}", details=f"x{text}x")
    plain = failure_to_markdown(failure("x", details="x"))
    assert shape(failure_to_markdown(broken)) == shape(plain)


def test_hostile_text_stays_in_its_cell() -> None:
    rows = [line for line in to_markdown(overflows()).splitlines() if line.startswith("| ")]
    head = "| Distribution | Size | Share | Public or private | Placement |"
    distributions = rows[rows.index(head) + 2 :]
    assert len(distributions) == 4
    assert all(row.count("|") == 6 for row in distributions)


def test_snippet_holds_on_to_its_lines() -> None:
    """A report of a fork can name any handler; the snippet is pasted by a person."""
    hostile = hostile_report('x"\n```\nRole: admin #', rows=0)
    lines = snippet(hostile).splitlines()
    assert len(lines) == len(snippet(fits()).splitlines())
    assert lines[2] == r'Handler: "x\"\n```\nRole: admin #"'
    assert "Role: admin" not in {line.strip() for line in lines}


def test_snippet() -> None:
    assert snippet(overflows()).splitlines()[2:-1] == [
        'Handler: "overflow_trampoline.handler"',
        'Runtime: "python3.12"',
        'Architectures: ["x86_64"]',
        "EphemeralStorage:",
        "  Size: 832",
        "MemorySize: 1769",
    ]


@pytest.mark.parametrize(
    ("threshold", "limit", "layers"), [(240, 250, 0), (0, 10, 240), (0, 0, 250), (250, 250, 0)]
)
def test_threshold_is_marked_where_it_is(threshold: int, limit: int, layers: int) -> None:
    found = report(plan=plan_of({}, within=limits(threshold, limit, layers=layers)))
    shown = to_markdown(found)
    bars = re.search(r"```text\n(.*?)\n```", shown, re.DOTALL)
    assert bars
    first, caption = bars[1].splitlines()
    assert f"threshold {threshold}.0 MB" in caption or threshold == 0
    assert (caption.find("┘") + caption.find("└") + 1) == first.index("│")
    assert ("Layers take" in shown) == bool(layers)


def test_threshold_above_the_limit_is_not_marked() -> None:
    found = report(plan=plan_of({}, within=limits(300, 250)))
    assert not re.search("[│┘└]", to_markdown(found))


def test_what_to_set_is_said_where_there_is_a_bundle() -> None:
    said = {name: "### Set on the function" in to_markdown(one()) for name, one in REPORTS.items()}
    assert said == {"fits": True, "overflows": True, "too-large": False}


def test_more_notes_than_are_read() -> None:
    shown = to_markdown(report({}, notes=[f"note {number}" for number in range(1_021)]))
    assert shown.count("**Note:**") == 20
    assert "… and 1,001 more in report.json" in shown


def test_percent() -> None:
    assert [percent(1, 3), percent(5, 0), percent(megabytes(1), megabytes(1))] == [
        "33.3 %",
        "0.0 %",
        "100.0 %",
    ]


def test_of_what_was_trimmed_the_largest_are_listed() -> None:
    cuts = tuple(Cut(name=f"d{at}", kind="tests", files=1, size=1024) for at in range(103))
    shown = to_markdown(replace(fits(), trimmed=Trimmed(level=Level.SAFE, cuts=cuts)))
    assert "| **All** | 103 | **0.1 MB** |" in shown
    assert "| d99 | tests | 1 | 1.0 KB |" in shown
    assert "| d100 |" not in shown
    assert "| … and 3 more |  |  | 3.0 KB |" in shown
    hostile = Trimmed(level=Level.SAFE, cuts=(Cut(name="<b>|`", kind="tests", files=1, size=1),))
    assert "<b>" not in to_markdown(replace(fits(), trimmed=hostile))
