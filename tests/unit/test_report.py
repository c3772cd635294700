"""Report: golden files for each outcome, a schema for machines, and hostile text made harmless.

OVERFLOW_UPDATE_GOLDENS=1 writes the golden files anew; read the difference before committing it.
"""

from __future__ import annotations

import ast
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt

from overflow.errors import ExitCode
from overflow.limits import megabytes
from overflow.report import (
    BAR,
    Report,
    Written,
    bar,
    to_json,
    to_markdown,
    to_text,
)
from overflow.templates import markdown
from tests.unit.builders import handler, limits, plan_of, target

ROOT = Path(__file__).parents[2]
GOLDENS = Path(__file__).parent / "goldens"
SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

HOSTILE = "evil | `x` <img src=x> @team #1 [a](http://x.example) **b**\n::error::\x1b[31m &amp;"


def fits() -> Report:
    return Report(
        project="small",
        target=target("3.13", "arm64"),
        handler=handler("app:app", "asgi"),
        plan=plan_of({"alpha": 100, "beta": 0.05, "gamma": 0}, kept={"beta": "git source"}),
        notes=(),
        written=Written(bundle_bytes=106_062_644, zip_bytes=32_000_000, zip_sha256="0123" * 16),
        seconds={"project": 0.01234, "archive": 1.5},
    )


def overflows() -> Report:
    """With text that nobody would write by accident, wherever it can get in."""
    plan = plan_of(
        {"alpha": 700, "beta": 0.05, "gamma": 12.5, "inner": 3},
        kept={"beta": HOSTILE, "inner": "git source"},
        groups=[("gamma", "inner")],
        within=limits(200, 210, layers=40),
    )
    return Report(
        project="large",
        target=target("3.12"),
        handler=handler("src.ünïcode:make_app", "auto"),
        plan=replace(plan, placements=tuple(replace(one, note=HOSTILE) if one.name == "gamma"
                                            else one for one in plan.placements)),
        notes=("there was no uv.lock: made one", f"left out: link {HOSTILE}"),
        written=Written(bundle_bytes=1, zip_bytes=megabytes(51), zip_sha256="f" * 64),
        seconds={},
    )  # fmt: skip


def too_large() -> Report:
    plan = plan_of(
        {"alpha": 700, "beta": 200, "gamma": 12.5},
        kept={"beta": "other index: evil.example", "gamma": "path source"},
        project=60,
        within=limits(200, 210, layers=40),
    )
    return Report(
        project="huge",
        target=target("3.11"),
        handler=handler(),
        plan=plan,
        notes=("left out: link data/[link](javascript:x)",),
        written=None,
        seconds={"plan": 0.5},
    )


REPORTS = {"fits": fits, "overflows": overflows, "too-large": too_large}
RENDERED = {"report.json": to_json, "summary.md": to_markdown, "plan.txt": to_text}


@pytest.mark.parametrize("file", RENDERED)
@pytest.mark.parametrize("outcome", REPORTS)
def test_golden(outcome: str, file: str) -> None:
    golden = GOLDENS / f"{outcome}.{file}"
    report = REPORTS[outcome]()
    assert report.plan.outcome.value == outcome
    # The version is the only thing that changes by itself.
    text = re.sub(r'("overflow_version": )".*"', r'\1"VERSION"', RENDERED[file](report))
    if os.environ.get("OVERFLOW_UPDATE_GOLDENS") == "1":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("outcome", REPORTS)
def test_json_is_as_the_schema_says(outcome: str) -> None:
    content = json.loads(to_json(REPORTS[outcome]()))
    assert sorted(error.message for error in VALIDATOR.iter_errors(content)) == []
    sizes = content["sizes"]
    parts = ("project_bytes", "vendored_bytes", "support_bytes")
    assert sizes["bundle_bytes"] == sum(sizes[part] for part in parts)
    assert sizes["installed_bytes"] == sum(one["bytes"] for one in content["distributions"])


@pytest.mark.parametrize("change", ["missing", "more", "unit"])
def test_schema_refuses_what_is_not_a_report(change: str) -> None:
    content = json.loads(to_json(fits()))
    if change == "missing":
        del content["sizes"]["bundle_bytes"]
    elif change == "more":
        content["target"]["os"] = "linux"
    else:
        content["sizes"]["bundle_bytes"] = "100 MB"
    assert not VALIDATOR.is_valid(content)


def schemas(schema: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [*schema.get("properties", {}).values(), *[schema[k] for k in ["items"] if k in schema]]
    return [schema, *(found for one in inner for found in schemas(one))]


def test_schema_is_closed_and_explains_itself() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for schema in schemas(SCHEMA):
        assert schema["description"]
        if "properties" in schema:
            assert schema["additionalProperties"] is False
        elif schema["type"] != "array":
            assert re.search(r"(Unit: \w+|No unit)", schema["description"]), schema
    for name, schema in SCHEMA["properties"]["sizes"]["properties"].items():
        assert name.endswith("_bytes") == ("Unit: bytes." in schema["description"])


def test_schema_knows_every_step() -> None:
    story = [ROOT / "overflow" / name for name in ("installation.py", "pipeline.py")]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in story]
    steps = {
        node.args[0].value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "step"
        and isinstance(node.args[0], ast.Constant)
    }
    assert steps == set(SCHEMA["properties"]["seconds"]["properties"])


def test_exit_codes() -> None:
    assert [REPORTS[name]().exit_code for name in ("fits", "overflows", "too-large")] == [
        ExitCode.OK,
        ExitCode.OK,
        ExitCode.TOO_LARGE,
    ]


def test_zip_over_50_mb_must_go_through_s3() -> None:
    report = fits()
    assert report.written is not None
    limit = megabytes(50)
    assert replace(report, written=replace(report.written, zip_bytes=limit)).warnings == ()
    (warning,) = replace(report, written=replace(report.written, zip_bytes=limit + 1)).warnings
    assert "S3" in warning


def test_largest_first_then_by_name() -> None:
    plan = plan_of({"a": 1, "b": 3, "c": 3})
    assert [place.name for place in plan.by_size] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("size", "limit", "filled"),
    [(0, 100, 0), (50, 100, BAR // 2), (100, 100, BAR), (900, 100, BAR), (1, 0, BAR), (1, -5, BAR)],
)
def test_bar(size: int, limit: int, filled: int) -> None:
    assert bar(size, limit) == "█" * filled + "░" * (BAR - filled)


@pytest.mark.parametrize(
    "hostile",
    [
        "|",
        "`",
        "<b>",
        "@team",
        "#1",
        "a\nb",
        "\r",
        "[x](y)",
        "![x](y)",
        "~~x~~",
        "*x*",
        "__x__",
        "https://x.example",
        "www.x.example",
        "&lt;",
        "$x$",
        "\\|",
        "a@b.example",
        "WWW.x.example",
    ],
)
def test_markdown_leaves_no_mark(hostile: str) -> None:
    shown = re.sub(r"&#\d+;", "", markdown(hostile))
    assert not re.search(r"[|`<>@#\n\r\[\]()~*_\\&$]|://|www\.", shown.replace("(y)", ""))


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"]) | st.just("\n"), max_size=30)
)
def test_markdown_reads_as_it_was(text: str) -> None:
    """By an implementation of CommonMark: one paragraph, one text, the same characters."""
    tokens = (
        MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(f"x{markdown(text)}x")
    )
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    children = tokens[1].children or []
    assert all(child.type == "text" for child in children)
    assert "".join(child.content for child in children) == f"x{text}x"


def test_hostile_text_stays_in_its_cell() -> None:
    rows = [line for line in to_markdown(overflows()).splitlines() if line.startswith("| ")]
    distributions = rows[rows.index("| Distribution | Size | Share | Public? | Placement |") + 2 :]
    assert len(distributions) == 4
    assert all(row.count("|") == 6 for row in distributions)
