"""Which host gets the token, and which is called at all."""

from __future__ import annotations

import ssl
from email.message import Message
from typing import TYPE_CHECKING, NoReturn
from urllib.error import URLError

import pytest

from overflow.rest import Rest, RestFault

if TYPE_CHECKING:
    from collections.abc import Callable
    from urllib.request import Request as Sent

    from typing_extensions import Self

TOKEN = "ghs_verySecretToken"


def faulty(action: Callable[[], object]) -> RestFault:
    with pytest.raises(RestFault) as caught:
        action()
    assert TOKEN not in f"{caught.value!r} {caught.value} {caught.value.message}"
    return caught.value


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


def test_certificate_that_is_wrong_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
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
    assert faulty(lambda: Rest(url, TOKEN).request("GET", "/user")).kind == "invalid"
