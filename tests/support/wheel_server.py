"""Wheels over HTTP or HTTPS on loopback, from a server that keeps connections and can misbehave."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from typing_extensions import Self

WHOLE = 1 << 62


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request."""

    path: str
    span: str | None
    """Its Range header."""
    port: int
    """The client's: the same for requests on one connection."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How one request goes wrong."""

    status: int = 0
    location: str = ""
    sent: int = WHOLE
    """Bytes of the body after which the connection is closed."""
    silent: bool = False
    """Nothing is answered until the server closes."""
    no_range: bool = False
    """206 without saying which part it is."""
    no_length: bool = False
    """The end of the connection is the end of the body (RFC 9112, 6.3)."""


class WheelServer:
    """Serve `files` by path between enter and exit, with ranges unless told otherwise.

    faults: for each path, what happens to its next requests, one after the other.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.asked: list[Asked] = []
        self.ranges = True
        self.closing = threading.Event()
        self._context = context
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        assert self._server is not None
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://localhost:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.of = self
        if self._context is not None:
            wrapped = self._context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            self._server.socket = wrapped
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        assert self._thread is not None
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    of: WheelServer
    daemon_threads = False
    block_on_close = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may go away whenever they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 5
    server: _Server

    def do_GET(self) -> None:
        of, span = self.server.of, self.headers.get("Range")
        of.asked.append(Asked(path=self.path, span=span, port=self.client_address[1]))
        waiting = of.faults.get(self.path, [])
        fault = waiting.pop(0) if waiting else Fault()
        data = of.files.get(self.path)
        if fault.silent:
            of.closing.wait()
            self.close_connection = True
        elif fault.status or data is None:
            self._send(fault.status or 404, {"Location": fault.location}, b"no wheel", fault)
        elif span is not None and span.startswith("bytes=-"):
            self._send(501, {}, b"Unsupported client range", fault)  # as PyPI's CDN does
        elif span is None or not of.ranges:
            self._send(200, {}, data, fault)
        else:
            self._send_part(span, data, fault)

    def _send_part(self, span: str, data: bytes, fault: Fault) -> None:
        first, _, last = span.removeprefix("bytes=").partition("-")
        start, end = int(first), int(last) + 1 if last else len(data)
        where = {} if fault.no_range else {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
        self._send(206, where, data[start:end], fault)

    def _send(self, status: int, headers: dict[str, str], body: bytes, fault: Fault) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if fault.no_length:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: fault.sent])
        if fault.sent < len(body):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Keep the test's output free of access logs."""
