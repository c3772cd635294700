"""Rest: GitHub's REST API on the standard library, with a bound on time, size and tries.

The token is sent to the API's own host (and to the upload host that the API names), over https,
and stands in no message. Plain http is for loopback only.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlencode, urljoin, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Kind = Literal["forbidden", "not-found", "too-long", "limited", "server", "unreachable", "invalid"]
API_VERSION = "2026-03-10"
"""Not sent to GitHub Enterprise Server, which answers 400 to a version that it does not know."""
ANSWER_LIMIT = 64 * 1024 * 1024  # bytes; 100 comments of 65,536 characters as \u1234 have 39 MB
UNNAMED_WAIT = 60.0  # seconds; "at least one minute" where no time is named (GitHub's docs)


class RestFault(Exception):
    """GitHub did not do what it was asked. Never a reason for a build to fail.

    `status` is HTTP's, 0 where there was no answer. `again` is the number of seconds after which
    the same request may be sent once more, None where it must not be.
    """

    def __init__(
        self, kind: Kind, message: str, *, status: int = 0, again: float | None = None
    ) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message
        self.status, self.again = status, again


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request as it is sent; `url` is the API's, or one that the API has named."""

    method: str
    url: str
    data: bytes | Callable[[], Iterable[bytes]] | None = None
    """A function gives the blocks anew for each try; the headers then name Content-Length."""
    headers: Mapping[str, str] = field(default_factory=dict)
    limit: int = ANSWER_LIMIT  # bytes of the answer
    patience: int = 1  # times the usual time that it may take

    @property
    def name(self) -> str:
        """For messages: without the query, which may hold a signature."""
        return f"{self.method} {urlsplit(self.url).path}"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was answered; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @cached_property
    def json(self) -> object:
        """The document; None where there was no body. Raises RestFault where it is not JSON."""
        try:
            return json.loads(self.content) if self.content else None
        except (ValueError, RecursionError):
            raise RestFault("invalid", "the answer is not JSON", status=self.status) from None


def part(value: object, *names: str) -> object:
    """A member of a member of a JSON object; None where one of them is not there."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def repository_path(owner_repo: str, *parts: str | int) -> str:
    """A path in the repository `OWNER/NAME`, escaped. RestFault where a name would leave it."""
    names = [*owner_repo.split("/"), *map(str, parts)]
    if owner_repo.count("/") != 1 or not {"", ".", ".."}.isdisjoint(names):
        raise RestFault("invalid", f"not in a repository: {'/'.join(names)!r}")
    return "/".join(["/repos", *(quote(name, safe="", errors="replace") for name in names)])


class Rest:
    """One API (https://api.github.com, https://ghe.example/api/v3) and the token for it.

    Proxies and certificates are those of the environment, as urllib reads it. A request may be
    tried `attempts` times and take `seconds` in all: 90 leave room for one `Retry-After: 60`.
    `timeout` is for each wait on the socket. Calls raise RestFault.
    """

    def __init__(
        self,
        api_url: str,
        token: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        attempts: int = 4,
        seconds: float = 90.0,
        timeout: float = 15.0,
    ) -> None:
        self.sleep, self._clock = sleep, clock
        self._api_url = api_url.rstrip("/")
        self._token = token
        self._headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
        }
        if not self._api_url.endswith("/api/v3"):
            self._headers["X-GitHub-Api-Version"] = API_VERSION
        self._attempts, self._seconds, self._timeout = attempts, seconds, timeout
        # Neither redirects nor error statuses are urllib's business here, nor file: and ftp:.
        self._opener = OpenerDirector()
        for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler()):
            self._opener.add_handler(handler)

    @cached_property
    def _home(self) -> tuple[str, str, int]:
        if not re.fullmatch(r"[\x21-\x7e]+", self._token):
            # http.client would show the whole header in its error.
            raise RestFault("invalid", "no token, or a character in it that no header can hold")
        return _origin(self._api_url)

    def url(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """The address of a path of the API."""
        return self._api_url + path + ("?" + urlencode(query, errors="replace") if query else "")

    def request(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None
    ) -> Answer:
        """One call; `body` is sent as JSON. A POST is repeated only where nothing was done."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        call = Call(method=method, url=self.url(path, query), data=data, headers=headers)
        return self.carry_out(call)

    def paged(
        self, path: str, *, query: Mapping[str, str] | None = None, key: str = "", pages: int = 100
    ) -> Iterator[object]:
        """Every item of a list (of the one that is the member `key`), 100 in a request."""
        url = self.url(path, {"per_page": "100", **(query or {})})
        for _ in range(pages):
            answer = self.carry_out(Call(method="GET", url=url))
            items = part(answer.json, key) if key else answer.json
            if not isinstance(items, list):
                raise RestFault("invalid", f"GET {path}: no list in the answer")
            yield from items
            link = re.search(r'<([^<>]*)>[^<]*;\s*rel="?next\b', answer.headers.get("link", ""))
            if link is None:
                return
            if _origin(url := link[1]) != self._home:
                break
        raise RestFault("invalid", f"GET {path}: over {pages} pages, or the next on another host")

    def carry_out(self, call: Call) -> Answer:
        """Send a call, again where that is allowed, until it is answered with 2xx."""
        deadline = self._clock() + self._seconds * call.patience
        attempt = 1
        while True:
            try:
                return self._tried(call, deadline)
            except RestFault as fault:
                pause = max(fault.again or 0.0, 2.0 ** (attempt - 1))
                last = attempt >= self._attempts or self._clock() + pause >= deadline
                if fault.again is None or last:
                    raise
            self.sleep(pause)
            attempt += 1

    def _tried(self, call: Call, deadline: float) -> Answer:
        try:
            answer = self._followed(call, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            text = self._said(f"{call.name}: no answer: {type(error).__name__} {error}")
            again = 0.0 if _may_repeat(call.method, error) else None
            raise RestFault("unreachable", text, again=again) from None
        if 200 <= answer.status < 300:
            return answer
        words = _words(answer)
        kind, text = _kind(answer, words), self._said(f"{call.name}: {answer.status} {words}")
        again = _again(call.method, kind, answer)
        raise RestFault(kind, text, status=answer.status, again=again)

    def _followed(self, call: Call, deadline: float) -> Answer:
        url, trusted = call.url, {self._home, _origin(call.url)}
        for _ in range(6):
            if _origin(url)[0] != "https" and self._home[0] == "https":
                break
            answer = self._exchanged(call, url, deadline, with_token=_origin(url) in trusted)
            # Only a GET is followed: the redirect of anything else becomes a fault.
            if call.method != "GET" or answer.status not in {301, 302, 303, 307, 308}:
                return answer
            url = urljoin(url, answer.headers.get("location", ""))
        raise RestFault("invalid", f"{call.name}: not over https, or redirected too often")

    def _exchanged(self, call: Call, url: str, deadline: float, *, with_token: bool) -> Answer:
        headers = {**call.headers, **(self._headers if with_token else {})}
        data = call.data() if callable(call.data) else call.data
        # _origin lets through https, and http on loopback, only.
        request = Request(url, data, headers, method=call.method)  # noqa: S310 - see above
        request.add_header("User-Agent", "overflow-action")
        left = max(0.001, min(self._timeout * call.patience, deadline - self._clock()))
        with self._opener.open(request, timeout=left) as response:
            found = {name.lower(): value for name, value in response.headers.items()}
            content = self._content(call, response, deadline)
            return Answer(status=response.status, headers=found, content=content)

    def _content(self, call: Call, response: http.client.HTTPResponse, deadline: float) -> bytes:
        content = bytearray()
        while block := response.read1(1024 * 1024):
            content += block
            if len(content) > call.limit:
                raise RestFault("invalid", f"{call.name}: more than {call.limit:,} bytes")
            if self._clock() > deadline:
                raise TimeoutError("too slow")
        if response.headers.get("Content-Length") not in {None, str(len(content))}:
            # read1() takes a broken connection for the end.
            raise http.client.HTTPException("the answer broke off")
        return bytes(content)

    def _said(self, text: str) -> str:
        return " ".join(text.replace(self._token, "***").split())[:400]


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises RestFault unless it is https, or http on loopback."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        raise RestFault("invalid", "an address that cannot be read") from None
    safe = scheme == "https" or re.fullmatch(r"localhost|127(\.[0-9]{1,3}){3}|::1", host)
    if not safe or scheme not in {"https", "http"} or not re.fullmatch(r"[a-z0-9.:_-]+", host):
        raise RestFault("invalid", f"not called, since it is not https: {scheme}://{host}")
    return scheme, host, port or (443 if scheme == "https" else 80)


def _may_repeat(method: str, error: Exception) -> bool:
    """Whether it does no harm: a POST may have been carried out, unless it was never sent."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, ValueError):  # a certificate, or a name, that stays as wrong as it is
        return False
    return method != "POST" or isinstance(reason, (ConnectionRefusedError, socket.gaierror))


def _words(answer: Answer) -> str:
    """What the API says in an error's body; nothing of a proxy's HTML page."""
    try:
        document = answer.json
    except RestFault:
        return ""
    errors = part(document, "errors")
    told = [document, *(errors if isinstance(errors, list) else [])]
    said = [part(one, "message") or part(one, "code") for one in told]
    return " ".join(text for text in said if isinstance(text, str))


def _kind(answer: Answer, words: str) -> Kind:
    status, said = answer.status, words.lower()
    spent = "retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0"
    if status == 429 or (status == 403 and (spent or "rate limit" in said)):
        return "limited"
    if status == 422 and "too long" in said:
        return "too-long"
    if status in {401, 403}:
        return "forbidden"
    if status in {404, 410}:
        return "not-found"
    return "server" if status >= 500 else "invalid"


def _again(method: str, kind: Kind, answer: Answer) -> float | None:
    """Seconds to wait. A 503 comes from in front of the API: nothing has been done yet."""
    headers = answer.headers
    if kind != "limited" and (kind != "server" or (method == "POST" and answer.status != 503)):
        return None
    if re.fullmatch(r"[0-9]{1,9}", headers.get("retry-after", "")):
        return float(headers["retry-after"])
    if kind == "server":
        return 0.0
    try:  # by the server's own clock: the runner's may be wrong
        now = parsedate_to_datetime(headers["date"]).timestamp()
        spent = headers["x-ratelimit-remaining"] == "0"
        return int(headers["x-ratelimit-reset"]) - now + 1 if spent else UNNAMED_WAIT
    except (KeyError, ValueError, OverflowError):
        return UNNAMED_WAIT
