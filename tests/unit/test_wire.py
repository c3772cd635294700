"""Wire: report.json as its schema says, read back as it was, and refused where it is not one."""

from __future__ import annotations

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
from overflow.proof import Cold, Finding, Proof
from overflow.report import ZIP, Failure, Function, Place, Prediction, Report, Row, Sizes, Written
from overflow.trim import Cut, Kind, Level, Trimmed
from overflow.wire import MOST_ROWS, failure_from_json, failure_to_json, from_json, to_json
from tests.unit.reports import REPORTS, SAMPLES, assert_golden, failure, fits

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
    placement=st.sampled_from(["vendored", "packed", "deferred"]),
    note=TEXT,
    compressed=COUNT,
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
    installer=st.sampled_from(["", "uv", "builtin"]),
)
SECONDS = st.integers(min_value=0, max_value=10**6).map(lambda number: number / 1000)
PREDICTIONS = st.builds(
    Prediction,
    client=SECONDS,
    install=SECONDS,
    execute=SECONDS,
    compile=SECONDS,
    later=SECONDS,
    strategies=st.dictionaries(st.sampled_from(["defer", "pack", "auto"]), SECONDS),
)
COLD = st.builds(
    lambda install, imports: Cold(install=install, total=round(install + imports, 3)),
    SECONDS,
    SECONDS,
)
PROOFS = st.builds(
    Proof,
    finding=st.sampled_from(Finding),
    cold=st.none() | COLD,
    problem=TEXT,
    distribution=TEXT,
    trace=TEXT,
    note=TEXT,
)
CUTS = st.builds(
    Cut,
    name=TEXT,
    kind=st.sampled_from([one.value for one in Kind]),
    files=st.integers(min_value=0, max_value=2**53 - 1),
    size=st.integers(min_value=0, max_value=2**53 - 1),
)
TRIMMED = st.builds(
    Trimmed, level=st.sampled_from(Level), cuts=st.lists(CUTS, max_size=3).map(tuple)
)
REPORT = st.builds(
    Report,
    version=TEXT,
    project=TEXT,
    outcome=st.sampled_from(Outcome),
    strategy=st.sampled_from(["defer", "pack", "auto"]),
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
        bytecode=COUNT,
        packed=COUNT,
        bundle=COUNT,
        deferred=COUNT,
        unpacked=COUNT,
        on_import=COUNT,
    ),
    rows=st.lists(ROWS, max_size=4).map(tuple),
    written=st.none() | WRITTEN,
    seconds=st.just({}),
    prediction=st.none() | PREDICTIONS,
    proof=st.none() | PROOFS,
    trimmed=TRIMMED,
)


@pytest.mark.parametrize("outcome", SAMPLES)
def test_golden(outcome: str) -> None:
    # The version is the only thing that changes by itself.
    text = re.sub(r'("overflow_version": )".*"', r'\1"VERSION"', to_json(SAMPLES[outcome]()))
    assert_golden(f"{outcome}.report.json", text)


@pytest.mark.parametrize("outcome", SAMPLES)
def test_samples_are_as_the_schema_says(outcome: str) -> None:
    content = json.loads(to_json(SAMPLES[outcome]()))
    assert sorted(error.message for error in VALIDATOR.iter_errors(content)) == []


@given(REPORT)
def test_comes_back_as_it_was(report: Report) -> None:
    text = to_json(report)
    assert VALIDATOR.is_valid(json.loads(text))
    assert from_json(text.encode()) == report


def with_zip(zip_bytes: int, *warnings: str) -> Report:
    found = fits()
    assert found.written is not None
    written = replace(found.written, zip_bytes=zip_bytes)
    return replace(found, plan_warnings=warnings, written=written, seconds={})


def test_durations_are_kept_to_the_millisecond() -> None:
    rounded = {key: round(value, 3) for key, value in fits().seconds.items()}
    assert from_json(to_json(fits()).encode()).seconds == rounded


@pytest.mark.parametrize("megabytes_", [1, 51])
def test_warning_on_the_upload_is_made_once(megabytes_: int) -> None:
    own = with_zip(megabytes(51)).warnings[0]
    for others in [(), ("other",), (f"{ZIP} is ours",), (own,), (own, "other")]:
        found = with_zip(megabytes(megabytes_), *others)
        back = from_json(to_json(found).encode())
        assert (back, back.warnings) == (found, found.warnings)


def test_warning_on_the_upload_is_made_where_it_was_left_out() -> None:
    large = with_zip(megabytes(51), "other")
    content = json.loads(to_json(large))
    content["warnings"].pop()
    assert from_json(json.dumps(content).encode()).warnings == large.warnings


@given(st.builds(Failure, code=TEXT, message=TEXT, hint=TEXT, details=TEXT, exit_code=COUNT))
def test_failure_comes_back_as_it_was(found: Failure) -> None:
    assert failure_from_json(failure_to_json(found).encode()) == found


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


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_has_not(number: str) -> None:
    text = to_json(fits()).replace('"archive": 1.5', f'"archive": {number}')
    assert number in text
    with pytest.raises(InputFault, match="not JSON"):
        from_json(text.encode())


def test_number_of_rows_is_bounded() -> None:
    content = json.loads(to_json(fits()))
    content["distributions"] = content["distributions"][:1] * MOST_ROWS
    assert len(from_json(json.dumps(content).encode()).rows) == MOST_ROWS
    content["distributions"] += content["distributions"][:1]
    with pytest.raises(InputFault, match="distributions: more than 20,000"):
        from_json(json.dumps(content).encode())


@pytest.mark.parametrize("outcome", REPORTS)
def test_exit_code_is_that_of_the_outcome(outcome: str) -> None:
    content = json.loads(to_json(REPORTS[outcome]()))
    content["exit_code"] = 3 - content["exit_code"]
    with pytest.raises(InputFault, match="exit_code: does not fit"):
        from_json(json.dumps(content).encode())


@pytest.mark.parametrize("changes", [{"more": 1}, {"fault": {}}, {"schema": True}, {"schema": 1.0}])
def test_failure_is_closed_too(changes: dict[str, Any]) -> None:
    content = {**json.loads(failure_to_json(failure())), **changes}
    with pytest.raises(InputFault):
        failure_from_json(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("key", "value"), [("more", ""), ("code", None), ("exit_code", -1), ("exit_code", True)]
)
def test_failures_own_fields(key: str, value: Any) -> None:
    content = json.loads(failure_to_json(failure()))
    content["fault"][key] = value
    with pytest.raises(InputFault, match="fault"):
        failure_from_json(json.dumps(content).encode())


def test_message_names_the_place_and_not_what_stands_there() -> None:
    content = json.loads(to_json(fits()))
    content["distributions"][1]["::error::"] = 1
    with pytest.raises(InputFault) as caught:
        from_json(json.dumps(content).encode())
    assert caught.value.message.startswith("report.json: distributions[1].a field that is none of")
    assert "::error" not in caught.value.message


def test_half_a_character_is_shown_and_not_passed_on() -> None:
    content = json.loads(to_json(fits()))
    content["project"] = "a\ud800b"
    assert from_json(json.dumps(content).encode()).project == "a\\ud800b"


def test_failure_is_shown_as_it_is() -> None:
    assert json.loads(failure_to_json(failure()))["fault"]["code"] == "pyproject-invalid"
