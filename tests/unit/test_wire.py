"""Wire: report.json as its schema says, read back as it was, and refused where it is not one."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from overflow.errors import InputFault
from overflow.limits import LARGEST_REPORT, Limits, megabytes
from overflow.plan import Outcome
from overflow.report import Failure, Function, Place, Report, Row, Sizes, Written
from overflow.wire import failure_from_json, failure_to_json, from_json, to_json
from tests.unit.reports import REPORTS, assert_golden, failure, fits

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
COUNT = st.integers(min_value=0, max_value=2**53 - 1)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
PLACES = st.builds(Place, file=TEXT, line=st.integers(min_value=1, max_value=2**31))
ROWS = st.builds(
    Row,
    name=TEXT,
    version=TEXT,
    size=COUNT,
    visibility=st.sampled_from(["public", "private"]),
    reason=TEXT,
    placement=st.sampled_from(["vendored", "deferred"]),
    note=TEXT,
    declared=st.none() | PLACES,
)
WRITTEN = st.builds(
    Written,
    bundle_bytes=COUNT,
    zip_bytes=COUNT,
    zip_sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
)
FUNCTIONS = st.builds(
    Function,
    runtime=st.sampled_from(["python3.10", "python3.14"]),
    architecture=st.sampled_from(["x86_64", "arm64"]),
    glibc=st.sampled_from(["2.26", "2.34"]),
    handler=TEXT,
    calls=TEXT,
    interface=st.sampled_from(["function", "wsgi", "asgi", "auto"]),
    ephemeral_storage_mb=st.integers(min_value=512, max_value=10_240),
    memory_mb=st.integers(min_value=128, max_value=10_240),
)
REPORT = st.builds(
    Report,
    version=TEXT,
    project=TEXT,
    outcome=st.sampled_from(Outcome),
    strategy=st.just("defer"),
    bound_by=TEXT,
    remedies=TEXTS,
    plan_warnings=TEXTS,
    notes=TEXTS,
    function=FUNCTIONS,
    limits=st.builds(Limits, threshold=COUNT, limit=COUNT, layers=COUNT, tmp=COUNT),
    sizes=st.builds(
        Sizes,
        installed=COUNT,
        project=COUNT,
        vendored=COUNT,
        support=COUNT,
        bundle=COUNT,
        deferred=COUNT,
    ),
    rows=st.lists(ROWS, max_size=4).map(tuple),
    written=st.none() | WRITTEN,
    seconds=st.just({}),
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner)
)


@pytest.mark.parametrize("outcome", REPORTS)
def test_golden(outcome: str) -> None:
    # The version is the only thing that changes by itself.
    text = re.sub(r'("overflow_version": )".*"', r'\1"VERSION"', to_json(REPORTS[outcome]()))
    assert_golden(f"{outcome}.report.json", text)


@pytest.mark.parametrize("outcome", REPORTS)
def test_samples_are_as_the_schema_says(outcome: str) -> None:
    content = json.loads(to_json(REPORTS[outcome]()))
    assert sorted(error.message for error in VALIDATOR.iter_errors(content)) == []


@given(REPORT)
def test_comes_back_as_it_was(report: Report) -> None:
    text = to_json(report)
    assert VALIDATOR.is_valid(json.loads(text))
    assert from_json(text.encode()) == report


def test_durations_stay_behind_and_the_warning_on_the_upload_is_made_once() -> None:
    found = fits()
    assert found.written is not None
    large = replace(found, written=replace(found.written, zip_bytes=megabytes(51)))
    back = from_json(to_json(large).encode())
    assert back.seconds == {}
    assert back.warnings == large.warnings != ()


@given(st.builds(Failure, code=TEXT, message=TEXT, hint=TEXT, details=TEXT, exit_code=COUNT))
def test_failure_comes_back_as_it_was(found: Failure) -> None:
    assert failure_from_json(failure_to_json(found).encode()) == found


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON value, as its container and key."""
    keys = value.items() if isinstance(value, dict) else enumerate(value)
    inner = [] if not isinstance(value, (dict, list)) else list(keys)
    return [place for key, one in inner for place in [(value, key), *_below(one)]]


def _below(value: Any) -> list[tuple[Any, Any]]:
    return places(value) if isinstance(value, (dict, list)) else []


@given(st.data())
def test_changed_json_is_refused_or_read(data: st.DataObject) -> None:
    """Whatever a fork puts into its artifact: a report, or InputFault."""
    content = json.loads(to_json(REPORTS["overflows"]()))
    container, key = data.draw(st.sampled_from(places(content)))
    container[key] = data.draw(JSON)
    try:
        found = from_json(json.dumps(content).encode())
    except InputFault as fault:
        assert fault.code == "report-invalid"
    else:
        to_json(found).encode()


@given(st.binary(max_size=50), st.integers(min_value=0, max_value=3_000))
def test_changed_bytes_are_refused_or_read(noise: bytes, at: int) -> None:
    content = to_json(fits()).encode()
    for read in (from_json, failure_from_json):
        try:
            read(content[:at] + noise + content[at + len(noise) :])
        except InputFault as fault:
            assert fault.code == "report-invalid"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"schema": 2}',
        b"1" * 10_000,
        b" " * (LARGEST_REPORT + 1),
    ],
)
def test_what_is_no_report_is_refused(content: bytes) -> None:
    for read in (from_json, failure_from_json):
        with pytest.raises(InputFault) as caught:
            read(content)
        assert caught.value.code == "report-invalid"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("outcome",), "fine"),
        (("sizes", "bundle_bytes"), -1),
        (("sizes", "bundle_bytes"), True),
        (("sizes", "bundle_bytes"), 1.5),
        (("sizes", "bundle_bytes"), 2**53),
        (("artifact", "zip_sha256"), "F" * 64),
        (("distributions", 0, "placement"), "elsewhere"),
        (("distributions", 0, "visibility"), ""),
        (("distributions", 0), None),
        (("notes",), "text"),
        (("notes", 0), 1),
        (("function",), []),
    ],
)
def test_what_the_schema_refuses_is_refused(path: tuple[Any, ...], value: Any) -> None:
    content = json.loads(to_json(REPORTS["overflows"]()))
    container = content
    for key in path[:-1]:
        container = container[key]
    container[path[-1]] = value
    assert not VALIDATOR.is_valid(content) or value == 2**53
    with pytest.raises(InputFault):
        from_json(json.dumps(content).encode())


def test_half_a_character_is_shown_and_not_passed_on() -> None:
    content = json.loads(to_json(fits()))
    content["project"] = "a\ud800b"
    assert from_json(json.dumps(content).encode()).project == "a\\ud800b"


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


def test_failure_is_shown_as_it_is() -> None:
    assert json.loads(failure_to_json(failure()))["fault"]["code"] == "pyproject-invalid"
