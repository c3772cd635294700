"""Connection: the bytes of files by URL, over connections that are kept open.

Where a connection breaks, the file is asked for from there on; where a server knows no ranges,
what is known already is skipped. What is got is trusted for its hash alone (fetch.py), so any
server may send it; but no redirect leads from https to anything else.
"""

from __future__ import annotations

import socket
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection, InvalidURL
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPResponse
    from ssl import SSLContext

PAUSES = (0.1, 0.5)
"""Seconds before the second and the third try: Lambda gives an init ten in all."""

PATIENCE = 4.0
"""Seconds that a server may be silent, and that connecting to it may take, all its addresses
together. Who has no way to it (a VPC without one) is told so while the init still lives: silence is
met with one more try only."""

CHUNK = 64 * 1024
"""Bytes given at a time: what is inflated of them stays in cache."""

REDIRECTS = 5
"""At most so many for one request."""

REDIRECTING = frozenset({301, 302, 303, 307, 308})
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that another try may not get (RFC 9110, RFC 6585)."""


class Unreachable(Exception):
    """A file that cannot be got; says why, on one line and without its URL."""


class _Passing(Exception):
    """What another try may not meet."""


class Connections:
    """One thread's connections, one to each server."""

    def __init__(self, context: SSLContext | None) -> None:
        self._context = context
        self._open: dict[tuple[str, str, int | None], HTTPConnection] = {}

    def close(self) -> None:
        """Close them all."""
        for one in self._open.values():
            one.close()

    def end(self, url: str, first: int, size: int) -> bytes | None:
        """The bytes of a file of this size, from `first` on; None where that part cannot be had.

        Then the whole may be: a server may know no ranges, or have another file. Counted from the
        end (`bytes=-N`), PyPI's refuses them. Raises Unreachable.
        """
        failures = 0
        while True:
            try:
                return self._end(url, first, size)
            except (OSError, HTTPException, _Passing) as error:
                failures = _wait(failures, error)

    def pieces(
        self, url: str, first: int = 0, last: int | None = None, size: int = 0
    ) -> Iterator[bytes]:
        """The bytes of a file from `first` up to `last` (None: its end). Raises Unreachable.

        size: of the whole file; 0: unknown. A try counts as failed only if it brought nothing.
        """
        failures = 0
        while True:
            try:
                for data in self._pieces(url, first, last, size):
                    failures = 0
                    first += len(data)
                    yield data
            except (OSError, HTTPException, _Passing) as error:
                failures = _wait(failures, error)
            else:
                return

    def _end(self, url: str, first: int, size: int) -> bytes | None:
        try:
            connection, response = self._ask(url, f"bytes={first}-{size - 1}")
        except Unreachable:
            return None  # asked for as a whole it comes, or that says why not
        try:
            if response.status != 206 or _content_range(response) != (first, size):
                return None
            data = response.read(size - first)
            if len(data) < size - first:
                raise _closed_early(connection)
            return data
        finally:
            _leave(connection, response)

    def _pieces(self, url: str, first: int, last: int | None, size: int) -> Iterator[bytes]:
        whole = first == 0 and last is None
        span = "" if whole else f"bytes={first}-{'' if last is None else last - 1}"
        connection, response = self._ask(url, span)
        try:
            position = _content_range(response)[0] if response.status == 206 else 0
            while last is None or position < last:
                data = response.read(CHUNK)
                if not data:
                    break
                # From a server without ranges comes more than what was asked for.
                part = data[max(0, first - position) :]
                position += len(data)
                if part := part if last is None else part[: max(0, last - first)]:
                    first += len(part)
                    yield part
            # Without a length in the answer (None), nothing else says that it was cut short.
            expected = last or (size if response.length is None else 0)
            if response.length or position < expected:
                raise _closed_early(connection)
        finally:
            _leave(connection, response)

    def _ask(self, url: str, span: str) -> tuple[HTTPConnection, HTTPResponse]:
        """The answer with the file, whoever gives it."""
        for _ in range(1 + REDIRECTS):
            connection, response = self._request(url, span)
            if response.status in (200, 206):
                return connection, response
            location = response.headers.get("Location", "")
            _leave(connection, response)
            if response.status not in REDIRECTING:
                kind = _Passing if response.status in PASSING else Unreachable
                raise kind(f"status {response.status}")
            url = _redirected(url, location)
        raise Unreachable("too many redirects")

    def _request(self, url: str, span: str) -> tuple[HTTPConnection, HTTPResponse]:
        headers = {"User-Agent": "overflow", **({"Range": span} if span else {})}
        connection = None
        try:
            parts = urlsplit(url)
            connection = self._connection(parts.scheme, parts.hostname or "", parts.port)
            target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
            connection.request("GET", target, headers=headers)
            return connection, connection.getresponse()
        except BaseException as error:
            if connection is not None:
                connection.close()
            # A certificate that is not trusted is a ValueError, too (ssl).
            if isinstance(error, (InvalidURL, ValueError)):
                raise Unreachable(str(error)) from error
            raise

    def _connection(self, scheme: str, host: str, port: int | None) -> HTTPConnection:
        found = self._open.get((scheme, host, port))
        if found is None:
            if scheme == "https":
                found = HTTPSConnection(host, port, timeout=PATIENCE, context=self._context)
            else:
                found = HTTPConnection(host, port, timeout=PATIENCE)
            # http.client has one patience for both, and that for each address.
            found._create_connection = _connected  # type: ignore[attr-defined]  # noqa: SLF001
            self._open[scheme, host, port] = found
        return found


def _connected(address: tuple[str, int], patience: float, *_: object) -> socket.socket:
    """A connection to one of a host's addresses, as http.client asks for it. Raises OSError."""
    host, port = address
    count = len(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    found = socket.create_connection(address, patience / max(1, count))
    found.settimeout(patience)
    return found


def _wait(failures: int, error: Exception) -> int:
    """Before the next try, or Unreachable; gives the number of failures."""
    is_silence = isinstance(error, TimeoutError)
    if failures >= len(PAUSES) - is_silence:
        why = str(error) or type(error).__name__
        why += " (a VPC needs a way to the index: a NAT gateway, say)" if is_silence else ""
        raise Unreachable(f"{1 + failures} tries, the last one: {why}") from error
    time.sleep(PAUSES[failures])
    return failures + 1


def _closed_early(connection: HTTPConnection) -> _Passing:
    connection.close()  # which takes the answer for read to its end, and would be used again
    return _Passing("the connection was closed early")


def _leave(connection: HTTPConnection, response: HTTPResponse) -> None:
    """Be done with an answer; one that was not read to its end would be in the next one's way."""
    if not response.isclosed():
        connection.close()


def _content_range(response: HTTPResponse) -> tuple[int, int]:
    """Where the bytes begin, and the size of the whole file."""
    unit, _, text = response.headers.get("Content-Range", "").partition(" ")
    span, _, total = text.partition("/")
    first = span.partition("-")[0]
    if unit != "bytes" or not (first.isdecimal() and total.isdecimal()):
        raise _Passing("an answer without its range")
    return int(first), int(total)


def _redirected(url: str, location: str) -> str:
    allowed = ("https",) if url.startswith("https:") else ("https", "http")
    try:
        target = urljoin(url, location)
        scheme = urlsplit(target).scheme
    except ValueError as error:
        raise Unreachable(f"a redirect to no URL: {error}") from error
    if scheme not in allowed:
        raise Unreachable("a redirect away from https")
    return target
