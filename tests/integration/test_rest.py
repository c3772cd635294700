"""Calls to GitHub's API: what is sent to whom, what is tried again, and what a fault says."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from overflow.rest import API_VERSION, UNNAMED_WAIT, Call, Rest, RestFault, part, repository_path
from tests.support.github_api import LONGEST, GitHubApi, Trouble
from tests.support.loopback import LoopbackServer, Reply, Request
from tests.support.openapi import DESCRIPTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


COMMENTS = "/repos/octo/project/issues/7/comments"
TOKEN = "ghs_verySecretToken"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with GitHubApi(token=TOKEN, login="octocat") as server:
        yield server
    assert server.faults == []


@pytest.fixture
def slept() -> list[float]:
    """The waits, none of which takes place."""
    return []


@pytest.fixture
def rest(api: GitHubApi, slept: list[float]) -> Rest:
    return Rest(api.url, TOKEN, sleep=slept.append)


def faulty(action: Callable[[], object]) -> RestFault:
    with pytest.raises(RestFault) as caught:
        action()
    assert TOKEN not in f"{caught.value!r} {caught.value} {caught.value.message}"
    return caught.value


def user(rest: Rest) -> object:
    return part(rest.request("GET", "/user").json, "login")


def post(rest: Rest) -> object:
    return rest.request("POST", COMMENTS, body={"body": "hello"}).json


def test_request_and_answer_are_as_github_describes_them(api: GitHubApi, rest: Rest) -> None:
    assert user(rest) == "octocat"
    assert part(post(rest), "body") == "hello"
    seen = api.requests[0].headers
    assert seen["authorization"] == f"Bearer {TOKEN}"
    assert seen["x-github-api-version"] == API_VERSION
    assert API_VERSION in DESCRIPTION.read_text("utf-8")


def test_enterprise_server_gets_no_version() -> None:
    with GitHubApi(token=TOKEN, login="octocat", prefix="/api/v3") as api:
        assert user(Rest(api.url + "/", TOKEN)) == "octocat"
        assert "x-github-api-version" not in api.requests[0].headers
        assert api.faults == []


@pytest.mark.parametrize("status", [429, 403])
def test_rate_limit_waits_as_long_as_it_is_told(
    api: GitHubApi, rest: Rest, slept: list[float], status: int
) -> None:
    headers = {"Retry-After": "7"}
    api.troubles.append(Trouble(method="POST", status=status, headers=headers))
    post(rest)
    assert slept == [7.0]
    assert len(api.comments[7]) == 1


def test_spent_limit_waits_for_its_reset_by_the_servers_clock(
    api: GitHubApi, rest: Rest, slept: list[float]
) -> None:
    headers = {
        "Date": "Fri, 02 Jan 2026 03:04:05 GMT",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "1767323050",  # five seconds later
    }
    api.troubles.append(Trouble(status=403, headers=headers))
    user(rest)
    assert slept == [6.0]


def test_limit_that_names_no_time_takes_a_minute(
    api: GitHubApi, rest: Rest, slept: list[float]
) -> None:
    api.troubles.append(Trouble(status=403, message="You have exceeded a secondary rate limit"))
    user(rest)
    assert slept == [UNNAMED_WAIT]


@pytest.mark.parametrize("asked", ["91", "3600", "99999999"])
def test_what_would_take_too_long_is_not_waited_for(
    api: GitHubApi, rest: Rest, slept: list[float], asked: str
) -> None:
    api.troubles.append(Trouble(status=429, headers={"Retry-After": asked}))
    assert faulty(lambda: user(rest)).kind == "limited"
    assert slept == []


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_error_is_tried_four_times(
    api: GitHubApi, rest: Rest, slept: list[float], status: int
) -> None:
    api.troubles.append(Trouble(status=status, times=9))
    fault = faulty(lambda: user(rest))
    assert (fault.kind, fault.status) == ("server", status)
    assert slept == [1.0, 2.0, 4.0]
    assert len(api.requests) == 4


@pytest.mark.parametrize(("status", "repeated"), [(500, False), (502, False), (503, True)])
def test_post_is_repeated_only_where_nothing_was_done(
    api: GitHubApi, rest: Rest, status: int, repeated: bool
) -> None:
    api.troubles.append(Trouble(method="POST", status=status))
    if repeated:
        post(rest)
    else:
        assert faulty(lambda: post(rest)).kind == "server"
    assert len(api.comments[7]) == int(repeated)


@pytest.mark.parametrize("trouble", [Trouble(slow=0.3), Trouble(reset=True)])
def test_get_is_repeated_after_no_answer(
    api: GitHubApi, slept: list[float], trouble: Trouble
) -> None:
    api.troubles.append(trouble)
    assert user(Rest(api.url, TOKEN, sleep=slept.append, timeout=0.1)) == "octocat"
    assert slept == [1.0]


@pytest.mark.parametrize("trouble", [{"slow": 0.3}, {"reset": True, "carried_out": True}])
def test_post_is_not_repeated_after_no_answer(api: GitHubApi, trouble: dict[str, Any]) -> None:
    api.troubles.append(Trouble(method="POST", **trouble))
    fault = faulty(lambda: post(Rest(api.url, TOKEN, timeout=0.1)))
    assert (fault.kind, fault.status) == ("unreachable", 0)
    assert len(api.comments[7]) == 1


def test_post_that_never_left_is_repeated(slept: list[float]) -> None:
    with LoopbackServer() as server:
        closed = f"http://127.0.0.1:{server.port}"
    fault = faulty(lambda: post(Rest(closed, TOKEN, sleep=slept.append)))
    assert fault.kind == "unreachable"
    assert slept == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "forbidden"), (403, "forbidden"), (404, "not-found"), (400, "invalid")],
)
def test_refusal_is_not_repeated(
    api: GitHubApi, rest: Rest, slept: list[float], status: int, kind: str
) -> None:
    api.troubles.append(Trouble(status=status, message=f"no\n::error::{TOKEN}"))
    fault = faulty(lambda: user(rest))
    assert (fault.kind, fault.status) == (kind, status)
    assert fault.message == f"GET /user: {status} no ::error::***"
    assert slept == []


def test_too_long_is_told_apart(rest: Rest) -> None:
    body = {"body": "x" * (LONGEST + 1)}
    fault = faulty(lambda: rest.request("POST", COMMENTS, body=body))
    assert (fault.kind, fault.status) == ("too-long", 422)
    assert "Body is too long" in fault.message


def test_all_pages_are_read(api: GitHubApi, rest: Rest) -> None:
    for number in range(201):
        api.add_comment(7, str(number))
    assert [part(one, "body") for one in rest.paged(COMMENTS)] == [str(n) for n in range(201)]
    assert [seen.query["per_page"] for seen in api.requests] == ["100", "100", "100"]
    assert "over 2 pages" in faulty(lambda: list(rest.paged(COMMENTS, pages=2))).message


def test_fields_of_objects() -> None:
    assert part({"a": {"b": 1}}, "a", "b") == 1
    assert part({"a": None}, "a", "b") is None
    assert part([1], "a") is None


def test_paths_are_escaped_and_stay_in_the_repository() -> None:
    path = repository_path("o/r", "releases", "tags", "v1/ü?#%")
    assert path == "/repos/o/r/releases/tags/v1%2F%C3%BC%3F%23%25"
    for name, last in [("o", "x"), ("o/r/s", "x"), ("o/..", "x"), ("o/r", ".."), ("o/r", "")]:
        assert faulty(lambda: repository_path(name, last)).kind == "invalid"  # noqa: B023


class Scripted(LoopbackServer):
    """Gives the same answer to everybody, and keeps who asked."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        return self.reply


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"<html>"),
        Reply(body=b"[" * 200_000),
        Reply(body=b"\xff"),
        Reply(body=b"x" * (1024 * 1024)),
    ],
    ids=["page", "deep", "bytes", "large"],
)
def test_senseless_answer_is_a_fault(reply: Reply) -> None:
    with Scripted(reply) as server:
        rest = Rest(server.url, TOKEN)
        call = Call(method="GET", url=rest.url("/user"), limit=512 * 1024)
        assert faulty(lambda: rest.carry_out(call).json).kind == "invalid"
        assert len(server.requests) == 1


def test_answer_that_breaks_off_is_asked_for_again(slept: list[float]) -> None:
    with Scripted(Reply(body=b'"ab"', headers={"Content-Length": "999"})) as server:
        rest = Rest(server.url, TOKEN, sleep=slept.append, attempts=2)
        assert "broke off" in faulty(lambda: rest.request("GET", "/user")).message
        assert slept == [1.0]


def test_answer_that_trickles_is_given_up() -> None:
    with Scripted(Reply(body=b'"ab"')) as server:
        rest = Rest(server.url, TOKEN, clock=itertools.count(0, 60).__next__)
        assert "too slow" in faulty(lambda: rest.request("GET", "/user")).message


def test_page_of_a_proxy_is_not_shown() -> None:
    with Scripted(Reply(status=502, body=b"<html>Bad gateway</html>")) as server:
        rest = Rest(server.url, TOKEN, attempts=1)
        assert faulty(lambda: rest.request("GET", "/user")).message == "GET /user: 502"


def test_list_that_is_none() -> None:
    with Scripted(Reply(body=b'{"items": 1}')) as server:
        rest = Rest(server.url, TOKEN)
        assert "no list" in faulty(lambda: list(rest.paged("/x"))).message
        assert "no list" in faulty(lambda: list(rest.paged("/x", key="items"))).message


def test_limit_without_a_clock_takes_a_minute(slept: list[float]) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}
    with Scripted(Reply(status=403, headers=headers)) as server:
        rest = Rest(server.url, TOKEN, sleep=slept.append, attempts=2)
        assert faulty(lambda: rest.request("GET", "/user")).kind == "limited"
        assert slept == [UNNAMED_WAIT]


def test_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "")
    with Scripted(Reply(body=b"1")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert Rest("http://127.0.0.1:9", TOKEN).request("GET", "/user").json == 1
        assert proxy.requests[0].headers["Host"] == "127.0.0.1:9"


@pytest.mark.parametrize("token", ["", f"{TOKEN}\nX: y", "ö", f"{TOKEN} "])
def test_token_that_is_none(api: GitHubApi, token: str) -> None:
    assert faulty(lambda: user(Rest(api.url, token))).kind == "invalid"
    assert api.requests == []
