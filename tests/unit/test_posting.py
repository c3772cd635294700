"""Posting: which comment goes where, with GitHub played by stand-ins."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import pytest

from overflow import posting
from overflow.comparison import KnownBase, UnknownBase
from overflow.context import ARTIFACT_PREFIX
from overflow.record import NAMES, Record, record_files
from overflow.rest import RestFault
from overflow.sticky import LONGEST, Published
from tests.unit.reports import HOSTILE, failure, fits, hostile_report, report

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import TypeAlias

    from overflow.comparison import Base
    from overflow.report import Failure, Report
    from overflow.rest import Rest

    Files: TypeAlias = dict[str, bytes] | RestFault
    """What an artifact holds, or why that cannot be had."""

KEY = "0123456789abcdef0123"
OTHER = "f" * 20
REST = cast("Rest", object())
URL = "https://github.example/run/5"
RUN = {"id": 5, "event": "pull_request", "html_url": URL, "pull_requests": [{"number": 666}]}


def record(
    made: Report | Failure, base: Base | None = None, leg: str = "", artifact: str = ""
) -> Record:
    return Record(result=made, base=base, leg=leg, head="a" * 40, artifact=artifact)


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

    def __init__(self, number: int | None, artifacts: Mapping[str, Files]) -> None:
        self.number, self.artifacts = number, list(artifacts.items())
        self.put: list[tuple[int, str, str]] = []
        self.author: str | None = None
        self.asked: Mapping[str, object] = {}
        self.fetched: list[int] = []

    def publish(
        self,
        rest: Rest,
        *,
        owner_repo: str,
        number: int,
        marker: str,
        body: str,
        author: str | None = None,
    ) -> Published:
        assert (rest, owner_repo) == (REST, "owner/shop")
        self.put.append((number, marker, body))
        self.author = author
        return Published(action="created", url=f"https://c.example/{len(self.put)}")

    def pull_request_of_run(
        self, rest: Rest, owner_repo: str, run: Mapping[str, Any]
    ) -> int | None:
        self.asked = run
        return self.number

    def artifacts_of_run(self, rest: Rest, owner_repo: str, run_id: int) -> dict[str, int]:
        assert (owner_repo, run_id) == ("owner/shop", 5)
        return {name: 100 + at for at, (name, _) in enumerate(self.artifacts)}

    def files_of_artifact(
        self, rest: Rest, owner_repo: str, number: int, names: Collection[str]
    ) -> dict[str, bytes]:
        assert (owner_repo, names) == ("owner/shop", NAMES)
        self.fetched.append(number)
        files = self.artifacts[number - 100][1]
        if isinstance(files, RestFault):
            raise files
        return files


def posted(
    monkeypatch: pytest.MonkeyPatch,
    artifacts: Mapping[str, Files],
    number: int | None = 7,
    run: Mapping[str, object] = RUN,
) -> tuple[GitHub, list[str]]:
    github = GitHub(number, artifacts)
    for name in ("publish", "pull_request_of_run", "artifacts_of_run", "files_of_artifact"):
        monkeypatch.setattr(posting, name, getattr(github, name))
    return github, list(posting.post_run(REST, "owner/shop", run))


def test_body_begins_with_the_marker_that_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    github = GitHub(7, {})
    monkeypatch.setattr(posting, "publish", github.publish)
    text = body(record(fits()))
    posting.put(REST, "owner/shop", 7, key=KEY, body=text)
    assert github.put == [(7, posting.marker(KEY), text)]
    assert text.startswith(f"{posting.marker(KEY)}\n")
    assert text.count(posting.marker(KEY)) == 1
    assert github.author is None


def test_author_whom_github_does_not_name(monkeypatch: pytest.MonkeyPatch) -> None:
    github = GitHub(7, {})
    monkeypatch.setattr(posting, "publish", github.publish)
    posting.put(REST, "owner/shop", 7, key=KEY, body="text", author="my-app[bot]")
    assert github.author == "my-app[bot]"


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
    assert URL in github.put[0][2]
    assert "/artifacts/" not in github.put[0][2]


def test_pull_request_comes_from_the_run_and_not_from_an_artifact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = encoded(record(fits()))
    claimed = files["run.json"].replace(b"{", b'{"pull_request": 666, "number": 666,', 1)
    artifacts = {ARTIFACT_PREFIX + KEY: {**files, "run.json": claimed}}
    github, _ = posted(monkeypatch, artifacts)
    assert github.asked is RUN
    assert [number for number, _, _ in github.put] == [7]


@pytest.mark.parametrize("named", ["shop.zip", "", "another.zip", HOSTILE])
def test_zip_of_the_same_run_is_linked(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    """By its number, which GitHub gave; the record only says which of the run's it is."""
    artifacts = {
        "shop.zip": {},
        ARTIFACT_PREFIX + KEY: encoded(record(fits(), artifact=named)),
    }
    github, _ = posted(monkeypatch, artifacts)
    [(_, _, text)] = github.put
    assert (f"{URL}/artifacts/100" in text) is (named == "shop.zip")
    assert text.count("/artifacts/") == int(named == "shop.zip")
    assert github.fetched == [101], "the zip itself is not fetched"


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"run.json": b"[]"}, "run.json: "),
        ({}, "run.json is missing"),
        (RestFault("invalid", "the artifact is not a sound zip: x"), "the artifact is not a "),
    ],
    ids=["no record", "nothing", "no zip"],
)
def test_artifact_that_is_unsound_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, files: Files, why: str
) -> None:
    artifacts: dict[str, Files] = {
        ARTIFACT_PREFIX + KEY: files,
        ARTIFACT_PREFIX + OTHER: encoded(record(fits())),
    }
    github, said = posted(monkeypatch, artifacts)
    assert [marker for _, marker, _ in github.put] == [posting.marker(OTHER)]
    assert said[0].startswith(f"{ARTIFACT_PREFIX}{KEY}: {why}")


def test_a_run_has_so_many_comments_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{ARTIFACT_PREFIX}{at:020x}" for at in range(posting.MOST_POSTED + 1)]
    files = encoded(record(fits()))
    github, said = posted(monkeypatch, dict.fromkeys(reversed(names), files))
    assert len(github.fetched) == len(github.put) == len(said) == posting.MOST_POSTED
    first, last = github.put[0][1], github.put[-1][1]
    assert first == posting.marker(names[0].removeprefix(ARTIFACT_PREFIX))
    assert last == posting.marker(names[-2].removeprefix(ARTIFACT_PREFIX))


@pytest.mark.parametrize(
    "name",
    [KEY, f"{ARTIFACT_PREFIX}{KEY}0", ARTIFACT_PREFIX, f"{ARTIFACT_PREFIX}{KEY[1:]}>", "x"],
)
def test_artifacts_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    github, said = posted(monkeypatch, {name: encoded(record(fits()))})
    assert (github.put, github.fetched) == ([], [])
    assert said == ["That run left no report: nothing to post"]


def of_event(name: str | None) -> dict[str, object]:
    return {**RUN, "event": name}


@pytest.mark.parametrize(
    ("number", "run"),
    [
        (None, RUN),
        (7, {}),
        (7, {**RUN, "id": "5"}),
        *((7, of_event(name)) for name in (None, "push", "schedule", "pull_request_target")),
    ],
)
def test_no_pull_request(
    monkeypatch: pytest.MonkeyPatch, number: int | None, run: Mapping[str, object]
) -> None:
    artifacts = {ARTIFACT_PREFIX + KEY: encoded(record(fits()))}
    github, said = posted(monkeypatch, artifacts, number, run)
    assert github.put == []
    assert github.fetched == []
    assert len(said) == 1
    assert said[0].endswith(": nothing to post")
