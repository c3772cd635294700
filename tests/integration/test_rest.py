"""Calls to GitHub's API: what is sent to whom, what is tried again, and what a fault says."""

from __future__ import annotations

import http.client
import itertools
import ssl
from email.message import Message
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.error import URLError
from urllib.parse import urlsplit

import pytest

from overflow.rest import API_VERSION, UNNAMED_WAIT, Call, Rest, RestFault, part, repository_path
from tests.support.github_api import DESCRIPTION, LONGEST, GitHubApi, Trouble
from tests.support.loopback import LoopbackServer, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from urllib.request import Request as Sent

    from typing_extensions import Self

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


@pytest.mark.parametrize(
    "url",
    [
        "http://ghe.example/api/v3",
        "http://127.0.0.1.example",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "https://a b",
        "https://[",
        "",
    ],
)
def test_token_goes_nowhere_without_https(url: str) -> None:
    assert faulty(lambda: user(Rest(url, TOKEN))).kind == "invalid"


@pytest.mark.parametrize("token", ["", f"{TOKEN}\nX: y", "ö", f"{TOKEN} "])
def test_token_that_is_none(api: GitHubApi, token: str) -> None:
    assert faulty(lambda: user(Rest(api.url, token))).kind == "invalid"
    assert api.requests == []


def test_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "")
    with Scripted(Reply(body=b"1")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert Rest("http://127.0.0.1:9", TOKEN).request("GET", "/user").json == 1
        assert proxy.requests[0].headers["Host"] == "127.0.0.1:9"


class Opener:
    """Stands for https hosts: each address has a reply."""

    def __init__(self, **replies: tuple[int, str]) -> None:
        self.replies = replies
        self.sent: list[tuple[str, bool]] = []

    def open(self, sent: Sent, timeout: float) -> Response:
        self.sent.append((sent.full_url, sent.has_header("Authorization")))
        status, target = self.replies[sent.full_url.rpartition("/")[2]]
        return Response(status, target)


class Broken:
    """No connection comes about."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def open(self, sent: Sent, timeout: float) -> NoReturn:
        raise self.error


class Response:
    def __init__(self, status: int, target: str) -> None:
        self.status = status
        self.headers = Message()
        self.headers["Link" if status == 200 else "Location"] = target
        self._blocks = [b"[1]", b""]

    def read1(self, size: int) -> bytes:
        return self._blocks.pop(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None: ...


def hosts(monkeypatch: pytest.MonkeyPatch, **replies: tuple[int, str]) -> tuple[Rest, Opener]:
    rest, opener = Rest("https://api.github.com", TOKEN), Opener(**replies)
    monkeypatch.setattr(rest, "_opener", opener)
    return rest, opener


def test_certificate_that_is_wrong_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, slept: list[float]
) -> None:
    rest = Rest("https://api.github.com", TOKEN, sleep=slept.append)
    reason = ssl.SSLCertVerificationError("self-signed certificate")
    monkeypatch.setattr(rest, "_opener", Broken(URLError(reason)))
    assert "self-signed" in faulty(lambda: rest.request("GET", "/user")).message
    assert slept == []


def test_redirect_within_the_api_keeps_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    rest, opener = hosts(monkeypatch, user=(301, "/2"), **{"2": (200, "")})
    rest.request("GET", "/user")
    assert opener.sent == [
        ("https://api.github.com/user", True),
        ("https://api.github.com/2", True),
    ]


@pytest.mark.parametrize(
    "elsewhere",
    ["https://blob.example/2", "https://api.github.com:444/2", "https://api.github.com.example/2"],
)
def test_redirect_to_another_host_leaves_the_token(
    monkeypatch: pytest.MonkeyPatch, elsewhere: str
) -> None:
    rest, opener = hosts(monkeypatch, user=(302, elsewhere), **{"2": (200, "")})
    rest.request("GET", "/user")
    assert opener.sent == [("https://api.github.com/user", True), (elsewhere, False)]


@pytest.mark.parametrize("target", ["http://api.github.com/2", "http://127.0.0.1/2", "file:///2"])
def test_redirect_from_https_is_not_followed(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    rest, opener = hosts(monkeypatch, user=(302, target))
    assert faulty(lambda: rest.request("GET", "/user")).kind == "invalid"
    assert len(opener.sent) == 1


def test_redirects_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    rest, opener = hosts(monkeypatch, user=(302, "/user"))
    assert "too often" in faulty(lambda: rest.request("GET", "/user")).message
    assert len(opener.sent) == 6


def test_post_does_not_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    rest, opener = hosts(monkeypatch, user=(307, "https://blob.example/2"))
    fault = faulty(lambda: rest.request("POST", "/user", body={}))
    assert (fault.status, len(opener.sent)) == (307, 1)


def test_next_page_on_another_host_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rest, opener = hosts(
        monkeypatch, **{"x?per_page=100": (200, '<https://b.example>; rel="next"')}
    )
    assert faulty(lambda: list(rest.paged("/x"))).kind == "invalid"
    assert len(opener.sent) == 1


def asked(method: str, path: str, **changes: Any) -> list[str]:
    """What the loopback API finds wrong with a request."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/vnd.github+json"}
    headers |= {"X-GitHub-Api-Version": API_VERSION, "User-Agent": "test"}
    headers |= changes.pop("headers", {})
    with GitHubApi(token=TOKEN) as api:
        connection = http.client.HTTPConnection("127.0.0.1", api.port)
        connection.request(method, path, headers=headers, **changes)
        connection.getresponse().read()
        connection.close()
        return api.faults


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "changes"),
    [
        ("GET", "/repos/octo/project/nothing", {}),
        ("DELETE", "/user", {}),
        ("GET", f"{COMMENTS}?per_page=101", {}),
        ("GET", f"{COMMENTS}?page=x", {}),
        ("GET", f"{COMMENTS}?sort=up", {}),
        ("GET", f"{COMMENTS}?page=1&page=2", {}),
        ("GET", COMMENTS.replace("7", "seven"), {}),
        ("GET", COMMENTS, {"body": b"x"}),
        ("GET", "/user", {"headers": {"Accept": "*/*"}}),
        ("GET", "/user", {"headers": {"X-GitHub-Api-Version": "2020-01-01"}}),
        ("GET", "/user", {"headers": {"User-Agent": "Python-urllib/3.12"}}),
        ("POST", COMMENTS, {"body": b"{}", "headers": JSON}),
        ("POST", COMMENTS, {"body": b'{"body": 1}', "headers": JSON}),
        ("POST", COMMENTS, {"body": b'{"body": "", "user": ""}', "headers": JSON}),
        ("POST", COMMENTS, {"body": b"text"}),
        ("POST", "/repos/octo/project/releases/1/assets?name=x", {"body": b"x"}),
    ],
)
def test_loopback_api_takes_only_what_github_describes(
    method: str, path: str, changes: dict[str, Any]
) -> None:
    assert asked(method, path, **changes) != []


def test_loopback_api_holds_its_own_answers_to_the_description(api: GitHubApi, rest: Rest) -> None:
    del api.add_comment(7, "text")["html_url"]
    list(rest.paged(COMMENTS))
    assert "'html_url' is a required property" in api.faults.pop()
    api.add_comment(8, "text")["created_at"] = "yesterday"
    list(rest.paged(COMMENTS.replace("7", "8")))
    assert "is not a 'date-time'" in api.faults.pop()


def test_storage_of_the_loopback_api_refuses_the_token(api: GitHubApi) -> None:
    url = urlsplit(api.blobs.url(api.add_artifact("x", b"")))
    with pytest.raises(RestFault):
        Rest(f"http://{url.netloc}", TOKEN).request("GET", url.path)
    assert api.faults.pop() == "the token was sent to the storage"
