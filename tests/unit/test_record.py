"""Record: written by one step, read by a later one or by a stranger's workflow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.comparison import KnownBase, UnknownBase
from overflow.errors import InputFault
from overflow.record import BASE, NAMES, RUN, Record, read_record, record_files
from overflow.report import FAULT, REPORT
from tests.unit.reports import HOSTILE, as_read, failure, fits, overflows, too_large

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from overflow.comparison import Base
    from overflow.report import Report

SHA = "a" * 40


def timeless(report: Report) -> Report:
    """Durations are of no use to who reads it."""
    return as_read(report)


def record(
    report: Report | None = None,
    base: Base | None = None,
    leg: str = "services/api, 3.12",
    artifact: str = "shop.zip",
) -> Record:
    result = timeless(report) if report else failure(details=HOSTILE)
    return Record(result=result, base=base, leg=leg, head=SHA, artifact=artifact)


def encoded(one: Record) -> dict[str, bytes]:
    return {name: text.encode() for name, text in record_files(one).items()}


BASES: dict[str, Base | None] = {
    "none": None,
    "exact": KnownBase(report=timeless(fits()), sha="b" * 40, exact=True),
    "near": KnownBase(report=timeless(overflows()), sha="b" * 40, exact=False),
    "unknown": UnknownBase(reason=HOSTILE),
}
RESULTS: dict[str, Callable[[], Report] | None] = {
    "fits": fits,
    "overflows": overflows,
    "too large": too_large,
    "failed": None,
}


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("result", RESULTS)
def test_is_read_as_it_was_written(result: str, base: str) -> None:
    make = RESULTS[result]
    written = record(make() if make else None, BASES[base])
    assert read_record(encoded(written)) == written


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_leg(leg: str) -> None:
    written = record(fits(), UnknownBase(reason=leg), leg=leg, artifact=leg)
    assert read_record(encoded(written)) == written


def test_zip_is_named_and_need_not_be() -> None:
    for name in ("shop.zip", ""):
        assert json.loads(record_files(record(fits(), artifact=name))[RUN])["artifact"] == name


def test_files_are_those_that_are_fetched() -> None:
    assert set(encoded(record(fits(), BASES["exact"]))) == {REPORT, BASE, RUN}
    assert set(encoded(record(None, BASES["unknown"]))) == {FAULT, RUN}
    assert {REPORT, BASE, RUN, FAULT} == NAMES


def refused(files: Mapping[str, bytes]) -> str:
    with pytest.raises(InputFault) as raised:
        read_record(files)
    assert raised.value.code == "report-invalid"
    return raised.value.message


@pytest.mark.parametrize(
    ("make", "name"), [(fits, REPORT), (None, FAULT), (fits, BASE), (None, RUN)]
)
def test_missing(make: Callable[[], Report] | None, name: str) -> None:
    files = encoded(record(make() if make else None, BASES["exact"]))
    del files[name]
    # Without its report, a record is one of a failure.
    missing = FAULT if name == REPORT else name
    assert refused(files) == f"{missing} is missing"


def test_failure_beside_a_report_is_not_looked_at() -> None:
    files = encoded(record(fits()))
    assert read_record({**files, FAULT: b"{}"}) == read_record(files)


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda run: run.pop(key)


@pytest.mark.parametrize(
    "change",
    [
        without("leg"),
        without("head"),
        without("artifact"),
        without("schema"),
        lambda run: run.update(artifact=7),
        lambda run: run.update(schema=2),
        lambda run: run.update(base=[]),
        lambda run: run.update(base={"sha": 5}),
        lambda run: run.update(base={"sha": "", "reason": None}),
        lambda run: run.update(base={"sha": "x", "exact": "yes"}),
        lambda run: run.update(leg=["x"]),
    ],
)
def test_malformed_run(change: Callable[[dict[str, Any]], object]) -> None:
    files = encoded(record(fits(), BASES["exact"]))
    run = json.loads(files[RUN])
    change(run)
    assert refused({**files, RUN: json.dumps(run).encode()}).startswith("run.json: ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
DOCUMENTS = [encoded(record(fits(), BASES["near"])), encoded(record(None, BASES["unknown"]))]


def places(document: object) -> list[tuple[Any, Any]]:
    """Every container of a document with every key of it."""
    found: list[tuple[Any, Any]] = []
    keys: list[Any] = []
    if isinstance(document, dict):
        keys = list(document)
    elif isinstance(document, list):
        keys = list(range(len(document)))
    for key in keys:
        found.append((document, key))
        found += places(document[key])  # type: ignore[index]
    return found


@given(st.data())
def test_mutated_fields_raise_nothing_else(data: st.DataObject) -> None:
    files = dict(data.draw(st.sampled_from(DOCUMENTS)))
    name = data.draw(st.sampled_from(sorted(files)))
    document = json.loads(files[name])
    container, key = data.draw(st.sampled_from(places(document)))
    container[key] = data.draw(JSON)
    attempted({**files, name: json.dumps(document).encode()})


@given(st.data())
def test_mutated_bytes_raise_nothing_else(data: st.DataObject) -> None:
    files = dict(data.draw(st.sampled_from(DOCUMENTS)))
    name = data.draw(st.sampled_from(sorted(files)))
    content = files[name]
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 20)))
    changed = content[:start] + data.draw(st.binary(max_size=20)) + content[end:]
    attempted({**files, name: changed})


@given(st.dictionaries(st.sampled_from(sorted(NAMES)), st.binary(max_size=50)))
def test_any_bytes_raise_nothing_else(files: dict[str, bytes]) -> None:
    attempted(files)


def attempted(files: Mapping[str, bytes]) -> None:
    """Read; if that succeeds it is a record that can be written again."""
    try:
        found = read_record(files)
    except InputFault as fault:
        assert fault.code == "report-invalid"
    else:
        assert read_record(encoded(found)) == found
