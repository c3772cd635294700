"""A package index on loopback: PEP 503 and PEP 691 over a folder of distributions."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import threading
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from tests.support.loopback import LoopbackServer, Reply, Request

if TYPE_CHECKING:
    from pathlib import Path

_JSON = "application/vnd.pypi.simple.v1+json"
_HTML = "text/html; charset=utf-8"
_SUFFIXES = (".whl", ".tar.gz")


class LocalIndex(LoopbackServer):
    """Serve the distributions that are in `folder` at the time of each request.

    `requests` has the paths asked for. `fail` answers every request with 503, `slow` delays
    each by so many seconds, `basic_auth` is a user and a password to insist on, and
    `upload_time` (such as 2025-01-01T00:00:00Z) stands for all files in the JSON listings,
    without which `--exclude-newer` finds nothing.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fail: bool = False,
        slow: float = 0.0,
        basic_auth: tuple[str, str] | None = None,
        upload_time: str | None = None,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.fail = fail
        self.slow = slow
        self.basic_auth = basic_auth
        self.upload_time = upload_time
        self.requests: list[str] = []
        self._closing = threading.Event()

    @property
    def url(self) -> str:
        """The index's address, for UV_DEFAULT_INDEX."""
        return f"http://127.0.0.1:{self.port}/simple"

    @property
    def url_with_auth(self) -> str:
        """The address with the user and the password in it."""
        if self.basic_auth is None:
            return self.url
        user, password = (quote(part, safe="") for part in self.basic_auth)
        return f"http://{user}:{password}@127.0.0.1:{self.port}/simple"

    def stop_waiting(self) -> None:
        self._closing.set()

    def answer(self, request: Request) -> Reply:
        self.requests.append(request.path)
        if self.slow:
            self._closing.wait(self.slow)
        if self.fail:
            return Reply(status=503)
        if not self._allowed(request):
            return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="index"'})
        return self._find(request)

    def _find(self, request: Request) -> Reply:
        match [unquote(part) for part in request.path.strip("/").split("/")]:
            case ["simple"]:
                return self._projects(request)
            case ["simple", name]:
                return self._project(request, name)
            case ["files", name] if (file := self._files().get(name)) is not None:
                headers = {"Content-Type": "application/octet-stream"}
                return Reply(body=file.read_bytes(), headers=headers)
        return Reply(status=404)

    def _allowed(self, request: Request) -> bool:
        if self.basic_auth is None:
            return True
        expected = base64.b64encode(":".join(self.basic_auth).encode()).decode()
        return bool(request.headers.get("Authorization") == f"Basic {expected}")

    def _files(self) -> dict[str, Path]:
        # Looked up by name rather than joined to the folder: a request cannot get out of it.
        return {
            path.name: path
            for path in sorted(self.folder.iterdir())
            if path.name.endswith(_SUFFIXES)
        }

    def _projects(self, request: Request) -> Reply:
        names = sorted({_project_name(name) for name in self._files()})
        if _wants_json(request):
            projects = [{"name": name} for name in names]
            return _json_reply({"meta": {"api-version": "1.1"}, "projects": projects})
        return _html_reply("Simple index", [(f"/simple/{name}/", name) for name in names])

    def _project(self, request: Request, name: str) -> Reply:
        wanted = _normalized(name)
        files = {n: path for n, path in self._files().items() if _project_name(n) == wanted}
        if not files:
            return Reply(status=404)
        sums = {n: hashlib.sha256(path.read_bytes()).hexdigest() for n, path in files.items()}
        if not _wants_json(request):
            links = [(f"/files/{quote(n)}#sha256={sums[n]}", n) for n in files]
            return _html_reply(f"Links for {wanted}", links)
        entries = [
            {
                "filename": n,
                "url": f"/files/{quote(n)}",
                "hashes": {"sha256": sums[n]},
                "size": path.stat().st_size,
                **({"upload-time": self.upload_time} if self.upload_time else {}),
            }
            for n, path in files.items()
        ]
        versions = sorted({n.split("-")[1].removesuffix(".tar.gz") for n in files})
        return _json_reply(
            {
                "meta": {"api-version": "1.1"},
                "name": wanted,
                "versions": versions,
                "files": entries,
            }
        )


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _project_name(filename: str) -> str:
    """The project of a distribution whose own name has no dash, as make_wheel's have none."""
    return _normalized(filename.split("-", maxsplit=1)[0])


def _wants_json(request: Request) -> bool:
    return _JSON in request.headers.get("Accept", "")


def _json_reply(document: object) -> Reply:
    return _listing(json.dumps(document), _JSON)


def _html_reply(title: str, links: list[tuple[str, str]]) -> Reply:
    anchors = [f'<a href="{html.escape(url)}">{html.escape(text)}</a><br>' for url, text in links]
    lines = [f"<!DOCTYPE html><html><head><title>{html.escape(title)}</title></head><body>"]
    return _listing("\n".join([*lines, *anchors, "</body></html>"]), _HTML)


def _listing(text: str, content_type: str) -> Reply:
    # Another test's index may get the same port: what a listing said must not be kept.
    headers = {"Content-Type": content_type, "Cache-Control": "no-cache"}
    return Reply(body=text.encode(), headers=headers)
