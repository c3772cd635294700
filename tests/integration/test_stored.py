"""Reports of earlier runs, and the pull request of a run: nobody else's is taken for them."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from overflow.rest import Rest, RestFault
from overflow.stored import (
    LARGEST_ENTRY,
    MOST_ENTRIES,
    MOST_POSTED,
    Stored,
    artifacts_of_run,
    find_report,
    pull_request_of_run,
    unpacked,
)
from tests.support.github_api import GitHubApi, Trouble, zipped

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE, HEAD, OTHER = "b" * 40, "d" * 40, "c" * 40
NAME = "overflow-report-0123456789"
FORK = 2


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubApi]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with GitHubApi() as server:
        yield server
    assert server.faults == []


@pytest.fixture
def rest(api: GitHubApi) -> Rest:
    return Rest(api.url, api.token, sleep=lambda _: None)


def find(api: GitHubApi, rest: Rest, *, branch: str = "main") -> Stored | None:
    return find_report(rest, api.repository, artifact_name=NAME, branch=branch, sha=BASE)


def report(text: bytes) -> dict[str, bytes]:
    return {"report.json": text, "run.json": b"{}"}


def test_no_report(api: GitHubApi, rest: Rest) -> None:
    assert find(api, rest) is None
    assert len(api.requests) == 1


def test_report_of_the_very_commit_is_preferred(api: GitHubApi, rest: Rest) -> None:
    api.add_artifact(NAME, report(b"before"), sha=BASE)
    api.add_artifact(NAME, report(b"exact"), sha=BASE)
    api.add_artifact(NAME, report(b"newest"), sha=OTHER)
    assert find(api, rest) == Stored(content=b"exact", sha=BASE)


def test_else_the_newest_of_the_branch(api: GitHubApi, rest: Rest) -> None:
    api.add_artifact(NAME, report(b"old"), sha=HEAD)
    api.add_artifact(NAME, report(b"new"), sha=OTHER)
    assert find(api, rest) == Stored(content=b"new", sha=OTHER)


@pytest.mark.parametrize(
    "changes",
    [{"branch": "feature"}, {"head_repository_id": FORK}, {"expired": True}],
    ids=["branch", "fork", "expired"],
)
def test_what_is_not_the_base_branchs_own(
    api: GitHubApi, rest: Rest, changes: dict[str, Any]
) -> None:
    api.add_artifact(NAME, report(b"{}"), **{"sha": BASE, **changes})
    assert find(api, rest) is None


def test_another_name_is_another_leg(api: GitHubApi, rest: Rest) -> None:
    api.add_artifact(f"{NAME}0", report(b"{}"), sha=BASE)
    assert find(api, rest) is None
    assert api.requests[0].query["name"] == NAME


def test_artifact_without_a_run_belongs_to_nobody(api: GitHubApi, rest: Rest) -> None:
    api.add_artifact(NAME, report(b"{}"), sha=BASE)
    api.artifacts[0]["workflow_run"] = None
    assert find(api, rest) is None


def test_branch_with_hostile_name(api: GitHubApi, rest: Rest) -> None:
    api.add_artifact(NAME, report(b"{}"), sha=BASE, branch="a/::error::`$(x)`")
    assert find(api, rest, branch="a/::error::`$(x)`") is not None


def test_later_pages_are_read(api: GitHubApi, rest: Rest) -> None:
    api.add_artifact(NAME, report(b"exact"), sha=BASE)
    for _ in range(120):
        api.add_artifact(NAME, b"", sha=OTHER, head_repository_id=FORK)
    assert find(api, rest) == Stored(content=b"exact", sha=BASE)


def test_run_whose_build_failed_has_no_report(api: GitHubApi, rest: Rest) -> None:
    api.add_artifact(NAME, report(b"older"), sha=OTHER)
    api.add_artifact(NAME, {"fault.json": b"{}"}, sha=BASE)
    assert find(api, rest) == Stored(content=b"older", sha=OTHER)


def test_artifact_that_expires_in_the_meantime(api: GitHubApi, rest: Rest) -> None:
    identity = api.add_artifact(NAME, report(b"{}"), sha=BASE)
    del api.blobs.contents[identity]
    assert find(api, rest) is None


def test_storage_that_fails_is_asked_again_by_a_fresh_address(api: GitHubApi, rest: Rest) -> None:
    api.add_artifact(NAME, report(b"{}"), sha=BASE)
    api.troubles.append(Trouble(part="/zip", status=502))
    assert find(api, rest) is not None


def of_run(api: GitHubApi, rest: Rest, run_id: int) -> list[tuple[str, dict[str, bytes]]]:
    names = re.compile(re.escape(NAME))
    return list(artifacts_of_run(rest, api.repository, run_id, names, {"report.json"}))


def test_artifacts_of_this_run_only(api: GitHubApi, rest: Rest) -> None:
    api.add_artifact(NAME, report(b"one"), run_id=1)
    api.add_artifact(NAME, report(b"two"), run_id=2)
    assert of_run(api, rest, 1) == [(NAME, {"report.json": b"one"})]
    assert of_run(api, rest, 3) == []


def test_artifact_of_a_run_that_has_expired(api: GitHubApi, rest: Rest) -> None:
    api.add_artifact(NAME, report(b"one"), expired=True)
    assert of_run(api, rest, 1) == []
    gone = api.add_artifact(NAME, report(b"two"))
    del api.blobs.contents[gone]
    assert of_run(api, rest, 1) == []


def test_artifacts_of_a_run_by_the_form_of_their_names(api: GitHubApi, rest: Rest) -> None:
    api.add_artifact("overflow-report-a", report(b"old"))
    api.add_artifact("overflow-report-a", report(b"new"))
    api.add_artifact("overflow-report-b", {"fault.json": b"{}"})
    api.add_artifact("overflow-report-c", report(b"of another run"), run_id=2)
    api.add_artifact("function.zip", report(b"{}"))
    names, files = re.compile("overflow-report-[a-z]"), {"report.json", "fault.json"}
    assert list(artifacts_of_run(rest, api.repository, 1, names, files)) == [
        ("overflow-report-a", {"report.json": b"new"}),
        ("overflow-report-b", {"fault.json": b"{}"}),
    ]


def test_no_more_artifacts_of_a_run_than_may_be_posted(api: GitHubApi, rest: Rest) -> None:
    for number in range(MOST_POSTED + 1):
        api.add_artifact(f"overflow-report-{number}", {})
    found = artifacts_of_run(rest, api.repository, 1, re.compile(".*"), {"report.json"})
    assert len(list(found)) == MOST_POSTED


def test_only_what_is_asked_for_is_unpacked() -> None:
    archive = zipped({"../report.json": b"1", "report.json": b"2", "x/report.json": b"3"})
    assert unpacked(archive, {"report.json", "fault.json"}) == {"report.json": b"2"}


def with_flag(archive: bytes) -> bytes:
    """The zip with its entry said to be encrypted."""
    at = archive.index(b"PK\x01\x02") + 8
    return archive[:6] + b"\x01" + archive[7:at] + b"\x01" + archive[at + 1 :]


def twice() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile sees what we are about
        archive.writestr("report.json", b"1")
        archive.writestr("report.json", b"2")
    return stream.getvalue()


WHOLE = zipped({"report.json": b"some content " * 99})


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"PK\x03\x04",
        WHOLE[:-30],
        WHOLE[:45] + b"\xff\xff" + WHOLE[47:],
        with_flag(WHOLE),
        twice(),
        zipped({"report.json": b"0" * (LARGEST_ENTRY + 1)}),
        zipped({f"{number}": b"" for number in range(MOST_ENTRIES)} | {"report.json": b""}),
    ],
    ids=["empty", "start", "cut", "damaged", "encrypted", "twice", "bomb", "many"],
)
def test_unsound_zip_is_a_fault(archive: bytes) -> None:
    with pytest.raises(RestFault) as caught:
        unpacked(archive, {"report.json"})
    assert caught.value.kind == "invalid"


def test_zip_that_is_too_large_is_not_read(
    api: GitHubApi, rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.add_artifact(NAME, report(b"x"), sha=BASE)
    monkeypatch.setattr("overflow.stored.LARGEST_ARCHIVE", 100)
    with pytest.raises(RestFault, match="more than 100 bytes"):
        find(api, rest)


def run(**changes: object) -> dict[str, object]:
    """What GitHub's event says of a fork's run."""
    whole: dict[str, object] = {
        "head_sha": HEAD,
        "head_branch": "fix",
        "head_repository": {"id": FORK, "owner": {"login": "contributor"}},
        "pull_requests": [],
    }
    return {**whole, **changes}


def number_of(api: GitHubApi, rest: Rest, **changes: object) -> int | None:
    return pull_request_of_run(rest, api.repository, run(**changes))


def add_pull(api: GitHubApi, number: int, **changes: Any) -> None:
    given = {"head": "contributor:fix", "sha": HEAD, "head_repository_id": FORK}
    api.add_pull(number, **{**given, **changes})


def test_pull_request_of_a_forks_run(api: GitHubApi, rest: Rest) -> None:
    add_pull(api, 4, head="contributor:other", sha=OTHER)
    add_pull(api, 5)
    assert number_of(api, rest) == 5
    assert api.requests[0].query["head"] == "contributor:fix"


@pytest.mark.parametrize(
    "changes",
    [
        {"sha": OTHER},
        {"state": "closed"},
        {"base": "octo/other"},
        {"head": "mallory:fix", "head_repository_id": 3},
    ],
    ids=["moved on", "closed", "other base", "another fork at this commit"],
)
def test_pull_request_that_the_run_was_not_for(
    api: GitHubApi, rest: Rest, changes: dict[str, Any]
) -> None:
    add_pull(api, 5, **changes)
    assert number_of(api, rest) is None


def test_pull_request_by_commit_where_the_branch_was_renamed(api: GitHubApi, rest: Rest) -> None:
    add_pull(api, 5, head="contributor:renamed")
    assert number_of(api, rest) == 5


def test_two_pull_requests_of_one_head_are_told_apart_by_age(api: GitHubApi, rest: Rest) -> None:
    add_pull(api, 9)
    add_pull(api, 5)
    assert number_of(api, rest) == 5


@pytest.mark.parametrize("changes", [{"head_repository": None}, {"head_sha": None}])
def test_run_without_a_head_is_for_none(
    api: GitHubApi, rest: Rest, changes: dict[str, object]
) -> None:
    add_pull(api, 5)
    assert number_of(api, rest, **changes) is None
