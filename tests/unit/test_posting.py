"""Posting: which comment goes where, with GitHub played by stand-ins."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import pytest

from overflow import posting
from overflow.comparison import KnownBase, UnknownBase
from overflow.context import ARTIFACT_PREFIX
from overflow.record import NAMES, Record, record_files
from overflow.sticky import LONGEST, Published
from tests.unit.reports import HOSTILE, failure, fits, hostile_report, report

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from overflow.comparison import Base
    from overflow.report import Failure, Report
    from overflow.rest import Rest

KEY = "0123456789abcdef0123"
OTHER = "f" * 20
REST = cast("Rest", object())
RUN = {"id": 5, "html_url": "https://github.example/run/5", "pull_requests": [{"number": 666}]}


def record(made: Report | Failure, base: Base | None = None, leg: str = "") -> Record:
    return Record(result=made, base=base, leg=leg, head="a" * 40)


def body(one: Record) -> str:
    return posting.body_of(one, key=KEY, artifact_url="https://x.example/zip", run_url="https://r")


def encoded(one: Record) -> dict[str, bytes]:
    return {name: text.encode() for name, text in record_files(one).items()}


def test_marker_is_of_the_key_alone() -> None:
    assert posting.marker(KEY) == f"<!-- overflow:comment:{KEY} -->"
    assert body(record(fits())).splitlines()[0] == posting.marker(KEY)
    assert body(record(failure())).splitlines()[0] == posting.marker(KEY)


def test_report_is_compared_with_its_base() -> None:
    base = KnownBase(report=report({"alpha": 90}), sha="b" * 40, exact=True)
    text = body(record(report({"alpha": 100}), base))
    assert "+10.0 MB" in text
    assert "b" * 7 in text


@pytest.mark.parametrize("base", [None, UnknownBase(reason="no such commit")])
def test_unknown_base_is_no_zero(base: Base | None) -> None:
    text = body(record(report({"alpha": 100}), base))
    assert "Base unknown" in text
    assert ("no such commit" if base else "compared with none") in text
    assert "+0" not in text


def test_failure_says_why() -> None:
    text = body(record(failure("uv.lock is stale"), leg="services/api"))
    assert "pyproject-invalid" in text
    assert "uv.lock is stale" in text
    assert "services/api" in text


@pytest.mark.parametrize("rows", [1, 3000])
def test_hostile_report_fits_into_a_comment(rows: int) -> None:
    text = body(record(hostile_report(HOSTILE, rows=rows), UnknownBase(reason=HOSTILE), HOSTILE))
    assert len(text) <= LONGEST - len(posting.marker(KEY))
    assert not re.search(r"(?m)^\s*<img|\x1b", text)


class GitHub:
    """What was asked of GitHub, and what it answers."""

    def __init__(self, number: int | None, artifacts: dict[str, dict[str, bytes]]) -> None:
        self.number, self.artifacts = number, artifacts
        self.put: list[tuple[int, str, str]] = []
        self.asked: Mapping[str, object] = {}

    def publish(
        self, rest: Rest, *, owner_repo: str, number: int, marker: str, body: str
    ) -> Published:
        assert (rest, owner_repo) == (REST, "owner/shop")
        self.put.append((number, marker, body))
        return Published(action="created", url=f"https://c.example/{len(self.put)}")

    def pull_request_of_run(
        self, rest: Rest, owner_repo: str, run: Mapping[str, Any]
    ) -> int | None:
        self.asked = run
        return self.number

    def artifacts_of_run(
        self,
        rest: Rest,
        owner_repo: str,
        run_id: int,
        name: re.Pattern[str],
        files: Collection[str],
    ) -> Iterator[tuple[str, dict[str, bytes]]]:
        assert (owner_repo, run_id, files) == ("owner/shop", 5, NAMES)
        return (one for one in self.artifacts.items() if name.fullmatch(one[0]))


def posted(
    monkeypatch: pytest.MonkeyPatch,
    artifacts: dict[str, dict[str, bytes]],
    number: int | None = 7,
    run: Mapping[str, object] = RUN,
) -> tuple[GitHub, list[str]]:
    github = GitHub(number, artifacts)
    for name in ("publish", "pull_request_of_run", "artifacts_of_run"):
        monkeypatch.setattr(posting, name, getattr(github, name))
    return github, list(posting.post_run(REST, "owner/shop", run))


def test_marker_is_handed_over_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comment's first line is put there by who posts it."""
    github = GitHub(7, {})
    monkeypatch.setattr(posting, "publish", github.publish)
    text = body(record(fits()))
    posting.put(REST, "owner/shop", 7, key=KEY, body=text)
    [(number, marker, sent)] = github.put
    assert (number, marker) == (7, posting.marker(KEY))
    assert f"{marker}\n{sent}" == text
    assert marker not in sent


def test_every_leg_of_a_run_is_posted(monkeypatch: pytest.MonkeyPatch) -> None:
    artifacts = {
        ARTIFACT_PREFIX + KEY: encoded(record(fits())),
        ARTIFACT_PREFIX + OTHER: encoded(record(failure(), leg="other")),
    }
    github, said = posted(monkeypatch, artifacts)
    assert [(number, marker) for number, marker, _ in github.put] == [
        (7, posting.marker(KEY)),
        (7, posting.marker(OTHER)),
    ]
    assert said == [f"Comment created: https://c.example/{at}" for at in (1, 2)]
    assert "https://github.example/run/5" in github.put[0][2]


def test_pull_request_comes_from_the_run_and_not_from_an_artifact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = encoded(record(fits()))
    claimed = files["run.json"].replace(b"{", b'{"pull_request": 666, "number": 666,', 1)
    artifacts = {ARTIFACT_PREFIX + KEY: {**files, "run.json": claimed}}
    github, _ = posted(monkeypatch, artifacts)
    assert github.asked is RUN
    assert [number for number, _, _ in github.put] == [7]


def test_record_that_is_none_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    artifacts = {
        ARTIFACT_PREFIX + KEY: {"run.json": b"[]"},
        ARTIFACT_PREFIX + OTHER: encoded(record(fits())),
    }
    github, said = posted(monkeypatch, artifacts)
    assert [marker for _, marker, _ in github.put] == [posting.marker(OTHER)]
    assert said[0].startswith(f"{ARTIFACT_PREFIX}{KEY}: run.json: ")


@pytest.mark.parametrize(
    "name",
    [KEY, f"{ARTIFACT_PREFIX}{KEY}0", ARTIFACT_PREFIX, f"{ARTIFACT_PREFIX}{KEY[1:]}>", "x"],
)
def test_artifacts_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    github, said = posted(monkeypatch, {name: encoded(record(fits()))})
    assert (github.put, said) == ([], [])


@pytest.mark.parametrize(("number", "run"), [(None, RUN), (7, {}), (7, {"id": "5"})])
def test_no_pull_request(
    monkeypatch: pytest.MonkeyPatch, number: int | None, run: Mapping[str, object]
) -> None:
    artifacts = {ARTIFACT_PREFIX + KEY: encoded(record(fits()))}
    github, said = posted(monkeypatch, artifacts, number, run)
    assert github.put == []
    assert "nothing to post" in said[0]
