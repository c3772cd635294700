"""Reports of earlier runs, and the pull request of a run: nobody else's is taken for them."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from overflow.rest import Rest, RestFault
from overflow.stored import (
    LARGEST_ENTRY,
    MOST_ENTRIES,
    Stored,
    artifacts_of_run,
    files_of_artifact,
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


def test_artifacts_of_this_run_only(api: GitHubApi, rest: Rest) -> None:
    """Of a name that two attempts left, the newest; what they hold is not fetched."""
    api.add_artifact("overflow-report-a", report(b"old"))
    newer = api.add_artifact("overflow-report-a", report(b"new"))
    other = api.add_artifact("function.zip", report(b"{}"))
    api.add_artifact("gone.zip", report(b"{}"), expired=True)
    api.add_artifact("overflow-report-a", report(b"of another run"), run_id=2)
    expected = {"overflow-report-a": newer, "function.zip": other}
    assert artifacts_of_run(rest, api.repository, 1) == expected
    api.artifacts.reverse()
    assert artifacts_of_run(rest, api.repository, 1) == expected
    assert artifacts_of_run(rest, api.repository, 3) == {}
    assert not [seen for seen in api.requests if seen.path.endswith("/zip")]


def test_artifacts_of_a_run_are_not_looked_at_without_end(
    api: GitHubApi, rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overflow.stored.MOST_ARTIFACTS", 120)
    for number in range(250):
        api.add_artifact(f"overflow-report-{number}", b"")
    assert len(artifacts_of_run(rest, api.repository, 1)) == 120
    assert len(api.requests) == 2


def test_files_of_an_artifact(api: GitHubApi, rest: Rest) -> None:
    number = api.add_artifact(NAME, report(b"one"))
    wanted = {"report.json", "fault.json"}
    assert files_of_artifact(rest, api.repository, number, wanted) == {"report.json": b"one"}
    del api.blobs.contents[number]
    assert files_of_artifact(rest, api.repository, number, wanted) == {}


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


def forged(method: int) -> bytes:
    """A zip by another method than GitHub's, with a stream that is none of that method."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("report.json", b"some content " * 99)
    content = stream.getvalue()
    start = content.index(b"report.json") + len("report.json") + 4  # past the method's own head
    return content[:start] + b"\xff" * 20 + content[start + 20 :]


def far_away() -> bytes:
    """A zip whose entry is said to begin where no machine has memory (zip64, APPNOTE 4.5.3)."""
    content = zipped({"report.json": b"{}"})
    entry, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    more = struct.pack("<HHQ", 1, 8, 2**64 - 1)
    directory = bytearray(content[entry:end] + more)
    directory[30:32], directory[42:46] = struct.pack("<H", len(more)), b"\xff" * 4
    last = bytearray(content[end:])
    last[12:16] = struct.pack("<L", len(directory))
    return content[:entry] + directory + last


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
        forged(zipfile.ZIP_LZMA),
        forged(zipfile.ZIP_BZIP2),
        far_away(),
    ],
    ids="empty start cut damaged encrypted twice bomb many lzma bzip2 far".split(),
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
