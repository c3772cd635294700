"""The pull request's comment: one for a key, ours only, and no accident makes it two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from overflow.rest import Rest, RestFault
from overflow.sticky import LONGEST, Published, publish
from tests.support.github_api import READING, GitHubApi, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKER = "<!-- overflow:comment:0123456789abcdef0123 -->"
OTHER_LEG = "<!-- overflow:comment:0123456789abcdef4567 -->"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubApi]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with GitHubApi() as server:
        yield server
    assert server.faults == []


def put(api: GitHubApi, text: str, *, by: str = MARKER, **settings: Any) -> Published:
    rest = Rest(api.url, api.token, sleep=lambda _: None, **settings)
    return publish(rest, owner_repo=api.repository, number=7, marker=by, body=f"{by}\n{text}")


def texts(api: GitHubApi) -> list[str]:
    return [comment["body"].removeprefix(f"{MARKER}\n") for comment in api.comments[7]]


def sent(api: GitHubApi) -> list[str]:
    return [seen.method for seen in api.requests if seen.method != "GET"]


def refusal(api: GitHubApi, **settings: Any) -> RestFault:
    with pytest.raises(RestFault) as caught:
        put(api, "text", **settings)
    return caught.value


def test_is_created_then_left_then_updated_in_place(api: GitHubApi) -> None:
    first = put(api, "one")
    assert first.action == "created"
    assert first.url == "https://github.example/octo/project/pull/7#issuecomment-1"
    assert put(api, "one") == Published(action="unchanged", url=first.url)
    assert put(api, "two") == Published(action="updated", url=first.url)
    assert texts(api) == ["two"]
    assert sent(api) == ["POST", "PATCH"]


def test_marker_is_put_before_a_body_that_lacks_it(api: GitHubApi) -> None:
    rest = Rest(api.url, api.token)
    for expected in ("created", "unchanged"):
        made = publish(rest, owner_repo=api.repository, number=7, marker=MARKER, body="text")
        assert made.action == expected
    assert [one["body"] for one in api.comments[7]] == [f"{MARKER}\ntext"]


def test_each_leg_has_its_own(api: GitHubApi) -> None:
    for text in ("one", "two"):
        put(api, text)
        put(api, text, by=OTHER_LEG)
    assert [one["body"] for one in api.comments[7]] == [f"{MARKER}\ntwo", f"{OTHER_LEG}\ntwo"]


def test_line_breaks_and_blanks_at_the_end_are_no_change(api: GitHubApi) -> None:
    api.add_comment(7, f"{MARKER}\r\ntext\r\n")
    assert put(api, "text\n\n").action == "unchanged"


def test_is_found_on_a_later_page(api: GitHubApi) -> None:
    for number in range(150):
        api.add_comment(7, f"chatter {number}", login="somebody")
    ours = api.add_comment(7, f"{MARKER}\nold")
    for number in range(100):
        api.add_comment(7, f"chatter {number}", login="somebody")
    assert put(api, "new").action == "updated"
    assert ours["body"] == f"{MARKER}\nnew"
    assert len(api.comments[7]) == 251


def test_somebody_elses_comment_with_our_marker_is_not_touched(api: GitHubApi) -> None:
    theirs = api.add_comment(7, f"{MARKER}\ntheirs", login="mallory")
    assert put(api, "ours").action == "created"
    assert put(api, "ours again").action == "updated"
    assert theirs["body"] == f"{MARKER}\ntheirs"
    assert texts(api) == ["theirs", "ours again"]


def test_marker_counts_at_the_start_only(api: GitHubApi) -> None:
    api.add_comment(7, f"quoted: {MARKER}")
    assert put(api, "text").action == "created"


def test_of_several_the_oldest_is_kept(api: GitHubApi) -> None:
    for text in ("first", "second", "third"):
        api.add_comment(7, f"{MARKER}\n{text}")
    api.comments[7].reverse()
    put(api, "new")
    assert texts(api) == ["third", "second", "new"]


def test_author_is_the_tokens_own_user(api: GitHubApi) -> None:
    api.login = "octocat"
    api.add_comment(7, f"{MARKER}\nof the job's token")
    assert put(api, "one").action == "created"
    assert put(api, "two").action == "updated"
    assert [one["user"]["login"] for one in api.comments[7]] == ["github-actions[bot]", "octocat"]


def test_author_of_an_apps_token_is_told_to_us(api: GitHubApi) -> None:
    """It may not ask who it is: taken for a job's own, it would comment anew each time."""
    job, app = "of the job's token", "my-app[bot]"
    theirs = api.add_comment(7, f"{MARKER}\n{job}")
    ours = api.add_comment(7, f"{MARKER}\nold", login=app)
    rest = Rest(api.url, api.token)
    for expected in ("updated", "unchanged"):
        made = publish(
            rest, owner_repo=api.repository, number=7, marker=MARKER, body="new", author=app
        )
        assert made == Published(action=expected, url=ours["html_url"])
    assert texts(api) == [job, "new"]
    assert theirs["body"] == f"{MARKER}\n{job}"
    assert not [seen for seen in api.requests if seen.path.endswith("/user")]


def test_user_that_is_not_found_is_the_jobs_token(api: GitHubApi) -> None:
    api.add_comment(7, f"{MARKER}\nold")
    api.troubles.append(Trouble(part="/user", status=404))
    assert put(api, "new").action == "updated"


@pytest.mark.parametrize("status", [401, 500])
def test_author_is_not_guessed(api: GitHubApi, status: int) -> None:
    api.troubles.append(Trouble(part="/user", status=status, times=9))
    assert refusal(api).status == status
    assert sent(api) == []


def test_spent_limit_is_not_taken_for_the_jobs_token(api: GitHubApi) -> None:
    headers = {"Retry-After": "3600"}
    api.troubles.append(Trouble(part="/user", status=403, headers=headers))
    assert refusal(api).kind == "limited"


def test_deleted_in_the_meantime_is_created_anew(api: GitHubApi) -> None:
    api.add_comment(7, f"{MARKER}\nold")
    api.troubles.append(Trouble(method="PATCH", status=404))
    assert put(api, "new").action == "created"


def test_read_only_token_is_forbidden(api: GitHubApi) -> None:
    api.permissions = READING
    fault = refusal(api)
    assert (fault.kind, fault.status) == ("forbidden", 403)
    assert "Resource not accessible by integration" in fault.message
    assert api.comments[7] == []


def test_read_only_token_may_not_update(api: GitHubApi) -> None:
    api.permissions = READING
    api.add_comment(7, f"{MARKER}\nold")
    assert refusal(api).kind == "forbidden"
    assert texts(api) == ["old"]


def test_longest_comment_is_sent_and_a_longer_one_is_not(api: GitHubApi) -> None:
    room = LONGEST - len(MARKER) - 1
    assert put(api, "\N{PACKAGE}" * room).action == "created"
    api.requests.clear()
    with pytest.raises(RestFault) as caught:
        put(api, "x" * (room + 1))
    assert caught.value.kind == "too-long"
    assert api.requests == []


@pytest.mark.parametrize(
    "trouble",
    [{"reset": True}, {"slow": 0.4}, {"status": 500}, {"status": 502}],
    ids=["reset", "slow", "500", "502"],
)
def test_comment_that_was_made_without_an_answer_is_not_made_twice(
    api: GitHubApi, trouble: dict[str, Any]
) -> None:
    api.troubles.append(Trouble(method="POST", carried_out=True, **trouble))
    assert put(api, "text", timeout=0.15).action == "created"
    assert texts(api) == ["text"]
    assert sent(api) == ["POST"]


@pytest.mark.parametrize("trouble", [{"reset": True}, {"status": 500}], ids=["reset", "500"])
def test_comment_that_was_not_made_is_tried_again(api: GitHubApi, trouble: dict[str, Any]) -> None:
    api.troubles.append(Trouble(method="POST", **trouble))
    assert put(api, "text").action == "created"
    assert texts(api) == ["text"]
    assert sent(api) == ["POST", "POST"]


def test_comment_that_cannot_be_made_is_given_up(api: GitHubApi) -> None:
    api.troubles.append(Trouble(method="POST", status=500, times=99))
    assert refusal(api).kind == "server"
    assert sent(api) == ["POST"] * 3


@pytest.mark.parametrize("status", [403, 429])
def test_rate_limit_of_writing_is_waited_out(api: GitHubApi, status: int) -> None:
    api.troubles.append(Trouble(method="POST", status=status, headers={"Retry-After": "60"}))
    assert put(api, "text").action == "created"
    assert texts(api) == ["text"]


def test_update_is_tried_again(api: GitHubApi) -> None:
    api.add_comment(7, f"{MARKER}\nold")
    api.troubles.append(Trouble(method="PATCH", status=502))
    assert put(api, "new").action == "updated"


def test_pull_request_of_another_repository_is_not_found(api: GitHubApi) -> None:
    rest = Rest(api.url, api.token)
    with pytest.raises(RestFault) as caught:
        publish(rest, owner_repo="octo/other", number=7, marker=MARKER, body="text")
    assert caught.value.kind == "not-found"
