"""The loopback stand-in for GitHub's API: it takes, and gives, only what GitHub describes."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from overflow.rest import API_VERSION, Rest, RestFault
from tests.support.github_api import GitHubApi
from tests.support.openapi import as_json

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMENTS = "/repos/octo/project/issues/7/comments"
TOKEN = "ghs_verySecretToken"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with GitHubApi(token=TOKEN) as server:
        yield server
    assert server.faults == []


@pytest.fixture
def rest(api: GitHubApi) -> Rest:
    return Rest(api.url, TOKEN, sleep=lambda _: None)


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


@pytest.mark.parametrize("path", ["/rate_limit", "/repos/octo/project/pulls/7"])
def test_what_github_describes_and_the_loopback_api_has_not(
    api: GitHubApi, rest: Rest, path: str
) -> None:
    with pytest.raises(RestFault) as caught:
        rest.request("GET", path)
    assert caught.value.kind == "not-found"
    assert "not served here" in api.faults.pop()


def test_status_and_link_that_github_does_not_describe(api: GitHubApi) -> None:
    operation = api.description.find("GET", "/user")
    assert operation is not None
    user = api.description.example("private-user", {"user_view_type": "private"})
    for reply, wrong in [
        (as_json(200, user), []),
        (as_json(418, {"message": "teapot"}), ["status 418 is not described"]),
        (as_json(200, user, {"Link": "<x>"}), ["a Link that is not described"]),
    ]:
        assert list(api.description.wrong_reply(operation, reply)) == wrong
