"""An HTTP server on 127.0.0.1 that leaves no thread, port or socket behind."""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from email.message import Message
    from types import TracebackType

    from typing_extensions import Self


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a client asked for; `query` is what stands after the path's `?`, as it was sent."""

    method: str
    path: str
    query: str
    headers: Message
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the client is answered; with `reset`, only that the connection is reset."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: bool = False


class LoopbackServer:
    """Answer requests on 127.0.0.1, one thread for each connection, between enter and exit.

    An exception in `answer` becomes a 500, and is raised again when the server is closed.
    """

    def __init__(self) -> None:
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def answer(self, request: Request) -> Reply:
        """Answer one request; called in the thread of its connection."""
        raise NotImplementedError

    def stop_waiting(self) -> None:
        """Make every `answer` that still blocks return: the server is being closed."""

    @property
    def port(self) -> int:
        """The port, once the server has been entered."""
        if self._server is None:
            raise RuntimeError("the server is not running: use it in a with statement")
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        if self._server is not None:
            raise RuntimeError("the server is running already")
        self._server = _Server(self.answer)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="loopback-server"
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self.stop_waiting()
        server.shutdown()
        thread.join()
        server.server_close()
        self._server = self._thread = None
        if server.failures and error is None:
            raise RuntimeError("the loopback server failed") from server.failures[0]


class _Server(socketserver.ThreadingTCPServer):
    # Not http.server.HTTPServer: that one looks up the host's name when it binds.
    allow_reuse_address = True
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        self.answer = answer
        self.failures: list[BaseException] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave out what socketserver prints: clients may go away whenever they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 30
    server: _Server

    def _serve(self) -> None:
        # Every connection carries one request, so that no thread waits for a second one.
        self.close_connection = True
        if "Transfer-Encoding" in self.headers:
            self._send(Reply(status=411))
            return
        length = int(self.headers.get("Content-Length") or 0)
        target = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=target.path,
            query=target.query,
            headers=self.headers,
            body=self.rfile.read(length),
        )
        try:
            reply = self.server.answer(request)
        except Exception as error:  # noqa: BLE001 - raised again when the server is closed
            self.server.failures.append(error)
            reply = Reply(status=500, body=repr(error).encode())
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        if reply.reset:
            # Closed with lingering for no time, a connection is reset.
            now = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
            self.connection.close()
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def __getattr__(self, name: str) -> Callable[[], None]:
        """The base class looks for one `do_` method for each HTTP method."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Keep the test's output free of access logs."""


def json_reply(document: object, *, status: int = 200, headers: Mapping[str, str] = {}) -> Reply:
    """A document as JSON."""
    whole = {"Content-Type": "application/json", **headers}
    return Reply(status=status, body=json.dumps(document).encode(), headers=whole)
