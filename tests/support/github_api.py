"""GitHub's REST API on loopback, for one repository.

Every request, and every answer, is held against GitHub's own description (tests/data); what is not
as described stands in `faults`, which a test asserts to be empty.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import socket
import struct
import threading
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from jsonschema import Draft202012Validator, FormatChecker

from tests.support import loopback
from tests.support.loopback import LoopbackServer, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

DESCRIPTION = Path(__file__).parents[1] / "data" / "github-rest-api.openapi.json"
VERSION = "2026-03-10"
ACTIONS_LOGIN = "github-actions[bot]"
LONGEST = 65_536
TOO_LONG = f"Body is too long (maximum is {LONGEST} characters)"
REPOSITORY_ID = 1
WHEN = "2026-01-02T03:04:05Z"

ANYWHERE = frozenset({400, 401, 403, 404, 429, 500, 502, 503, 504})
"""Statuses that any path may answer, though the description does not say so of each."""

EXAMPLES = {"uri": "https://github.example/x", "date-time": WHEN, "email": "octo@github.example"}
DEFAULTS: Mapping[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1.0,
    "boolean": False,
    "array": [],
    "object": {},
}

FORMATS = FormatChecker(formats=())
FORMATS.checks("uri")(lambda value: value is None or bool(urlsplit(str(value)).scheme))
FORMATS.checks("date-time", raises=ValueError)(
    lambda value: value is None or bool(datetime.fromisoformat(str(value).replace("Z", "+00:00")))
)

COMMENTS = ("issues", "pull_requests")
NEEDS: Mapping[str, tuple[Sequence[str], str]] = {
    "issues/list-comments": (COMMENTS, "read"),
    "issues/create-comment": (COMMENTS, "write"),
    "issues/update-comment": (COMMENTS, "write"),
    "pulls/list": (["pull_requests"], "read"),
    "repos/list-pull-requests-associated-with-commit": (["pull_requests"], "read"),
    "actions/list-artifacts-for-repo": (["actions"], "read"),
    "actions/list-workflow-run-artifacts": (["actions"], "read"),
    "actions/download-artifact": (["actions"], "read"),
    "repos/get-release-by-tag": (["contents"], "read"),
    "repos/list-release-assets": (["contents"], "read"),
    "repos/upload-release-asset": (["contents"], "write"),
}
"""Which permissions of a job's token (one of them) a path needs, by GitHub's documentation."""

WRITING = {"issues": "write", "pull_requests": "write", "contents": "write", "actions": "read"}
READING = dict.fromkeys(WRITING, "read")
"""What the token of a fork's pull request may do."""


@dataclass(kw_only=True)
class Trouble:
    """What goes wrong with the next `times` requests of `method` whose path contains `part`."""

    method: str = "GET"
    part: str = ""
    times: int = 1
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "Server Error"
    slow: float = 0.0
    """Seconds before the answer to what has been carried out."""
    reset: bool = False
    carried_out: bool = False
    """Whether the request has its effect before the status or the reset."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request as it came; header names are in lower case, a parameter stands once."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One path and method of the description, and the values in the path that was asked for."""

    id: str
    values: Mapping[str, str]
    parameters: Sequence[Mapping[str, Any]]
    body: Mapping[str, Any] | None
    responses: Mapping[str, Any]


class Description:
    """GitHub's OpenAPI 3.0 document, with an API version's changes, as JSON Schema 2020-12."""

    def __init__(self, version: str | None) -> None:
        self._document = _as_json_schema(json.loads(DESCRIPTION.read_text("utf-8")), version)

    def find(self, method: str, path: str) -> Operation | None:
        """The operation whose template has most words in common with the path."""
        templates = sorted(self._document["paths"], key=lambda one: one.count("{"))
        for template in templates:
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
            match = re.fullmatch(pattern, path)
            if match and (found := self._document["paths"][template].get(method.lower())):
                content = found.get("requestBody", {}).get("content", {}).get("application/json")
                return Operation(
                    id=found["operationId"],
                    values={name: unquote(text) for name, text in match.groupdict().items()},
                    parameters=[self._resolved(one) for one in found.get("parameters", [])],
                    body=content and content["schema"],
                    responses={k: self._resolved(v) for k, v in found["responses"].items()},
                )
        return None

    def errors(self, schema: Mapping[str, Any], value: object) -> list[str]:
        """What is wrong with a value."""
        whole = {**schema, "components": self._document["components"]}
        found = Draft202012Validator(whole, format_checker=FORMATS).iter_errors(value)
        return [f"{error.json_path}: {error.message[:200]}" for error in found]

    def example(self, schema: str | Mapping[str, Any], given: Any = ...) -> Any:
        """A whole value (a schema's by its name): `given`, and what is required besides."""
        named = isinstance(schema, str)
        found = self._resolved({"$ref": f"#/components/schemas/{schema}"} if named else schema)
        kinds = found.get("type", "object")
        if given is ...:
            given = self._default(found, kinds)
        if "properties" in found and isinstance(given, dict):
            inner = found["properties"]
            names = dict.fromkeys([*found.get("required", []), *given])
            return {name: self.example(inner[name], given.get(name, ...)) for name in names}
        if kinds == "array":
            return [self.example(found["items"], one) for one in given]
        return given

    def _default(self, schema: Mapping[str, Any], kinds: Any) -> Any:
        if "null" in kinds:
            return None
        if "enum" in schema:
            return schema["enum"][0]
        return EXAMPLES.get(schema.get("format", ""), DEFAULTS.get(kinds))

    def _resolved(self, node: Any) -> Any:
        while "$ref" in node or "oneOf" in node:
            if "oneOf" in node:
                node = node["oneOf"][0]
                continue
            names, node = node["$ref"].split("/")[1:], self._document
            for name in names:
                node = node[name]
        return node


def _as_json_schema(node: Any, version: str | None) -> Any:
    """`nullable` as a type, and what a later API version changes (JSON merge patches)."""
    if isinstance(node, list):
        return [_as_json_schema(one, version) for one in node]
    if not isinstance(node, dict):
        return node
    for change in node.get("x-github-breaking-changes", []):
        if change["version"] == version:
            node = _merged(node, change["patch"])
    made = {key: _as_json_schema(value, version) for key, value in node.items()}
    if made.get("nullable") is True:
        made["type"] = [made["type"], "null"]
        made |= {"enum": [*made["enum"], None]} if "enum" in made else {}
    return made


def _merged(value: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    base = dict(value) if isinstance(value, dict) else {}
    changed = {key: _merged(base.get(key), one) for key, one in patch.items() if one is not None}
    return {key: one for key, one in base.items() if key not in patch} | changed


class GitHubApi(LoopbackServer):
    """The API for one repository and one token, between enter and exit.

    `login` is whose the token is; None: a job's own, which may not ask who it is. `prefix` is
    /api/v3 for an Enterprise Server. `permissions` are the token's (READING: a fork's). The state
    is in `comments`, `releases`, `artifacts` and `pulls`; the add_ methods fill it.
    """

    def __init__(
        self,
        *,
        repository: str = "octo/project",
        token: str = "ghs_loopbackToken",
        login: str | None = None,
        prefix: str = "",
        permissions: Mapping[str, str] = WRITING,
    ) -> None:
        super().__init__()
        self.repository, self.token, self.login = repository, token, login
        self.prefix, self.uploads = prefix, "/api/uploads" if prefix else "/uploads"
        self.permissions = permissions
        self.description = Description(None if prefix else VERSION)
        self.comments: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self.releases: dict[str, dict[str, Any]] = {}
        self.artifacts: list[dict[str, Any]] = []
        self.pulls: list[dict[str, Any]] = []
        self.troubles: list[Trouble] = []
        self.requests: list[Seen] = []
        self.faults: list[str] = []
        self.blobs = _Blobs(self.faults)
        self._ids, self._lock, self._closing = count(1), threading.Lock(), threading.Event()

    def __enter__(self) -> Self:
        self.blobs.__enter__()
        super().__enter__()
        assert self._server is not None
        self._server.RequestHandlerClass = _Handler
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            self.blobs.__exit__(kind, error, trace)

    def stop_waiting(self) -> None:
        self._closing.set()

    @property
    def url(self) -> str:
        """The API's address, for GITHUB_API_URL."""
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    def add_comment(self, number: int, body: str, *, login: str = ACTIONS_LOGIN) -> dict[str, Any]:
        """A comment on a pull request."""
        identity, at = next(self._ids), f"https://github.example/{self.repository}/pull/{number}"
        given = {"id": identity, "body": body, "user": {"login": login}}
        given["html_url"] = f"{at}#issuecomment-{identity}"
        comment: dict[str, Any] = self.description.example("issue-comment", given)
        self.comments[number].append(comment)
        return comment

    def add_release(self, tag: str, *, immutable: bool = False) -> dict[str, Any]:
        """A release without assets."""
        identity = next(self._ids)
        path = f"{self.uploads}/repos/{self.repository}/releases/{identity}/assets"
        upload_url = f"http://127.0.0.1:{self.port}{path}{{?name,label}}"
        given = {"id": identity, "tag_name": tag, "upload_url": upload_url, "immutable": immutable}
        self.releases[tag] = self.description.example("release", given)
        return self.releases[tag]

    def add_asset(self, tag: str, name: str, content: bytes, **more: Any) -> dict[str, Any]:
        """A file of a release; `content` itself is not kept."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        given = {"id": next(self._ids), "name": name, "size": len(content), "digest": digest}
        given["browser_download_url"] = f"https://github.example/{tag}/{name}"
        asset: dict[str, Any] = self.description.example("release-asset", {**given, **more})
        self.releases[tag]["assets"].append(asset)
        return asset

    def add_artifact(
        self,
        name: str,
        content: bytes | Mapping[str, bytes],
        *,
        branch: str = "main",
        sha: str = "a" * 40,
        run_id: int = 1,
        head_repository_id: int = REPOSITORY_ID,
        expired: bool = False,
    ) -> int:
        """An artifact with these files (or, as bytes, this zip); gives its number."""
        identity = next(self._ids)
        self.blobs.contents[identity] = content if isinstance(content, bytes) else zipped(content)
        run = {"id": run_id, "head_branch": branch, "head_sha": sha}
        run |= {"repository_id": REPOSITORY_ID, "head_repository_id": head_repository_id}
        given = {"id": identity, "name": name, "expired": expired, "workflow_run": run}
        # The newest first, as GitHub lists them.
        self.artifacts.insert(0, self.description.example("artifact", given))
        return identity

    def add_pull(
        self,
        number: int,
        *,
        head: str,
        sha: str,
        state: str = "open",
        head_repository_id: int = REPOSITORY_ID,
        base: str = "",
    ) -> None:
        """A pull request; `head` is OWNER:BRANCH, `base` the repository that it is into."""
        source = {"id": head_repository_id, "owner": {"login": head.partition(":")[0]}}
        given = {
            "number": number,
            "state": state,
            "head": {"label": head, "ref": head.partition(":")[2], "sha": sha, "repo": source},
            "base": {"repo": {"full_name": base or self.repository}},
        }
        self.pulls.append(self.description.example("pull-request-simple", given))

    def answer(self, request: Request) -> Reply:
        if len(request.body) < int(request.headers.get("Content-Length", 0)):
            return _Reset()  # the client went away in the middle
        with self._lock:
            seen = self._seen(request)
            self.requests.append(seen)
            trouble = self._trouble(seen)
            ours = trouble is not None and not (trouble.slow or trouble.carried_out)
            reply = self._answered(seen, carry_out=not ours)
        if trouble is None:
            return reply
        self._closing.wait(trouble.slow)
        if trouble.reset:
            return _Reset()
        return _said(trouble.status, trouble.message, trouble.headers) if trouble.status else reply

    def _seen(self, request: Request) -> Seen:
        target = urlsplit(request.headers[":path"])
        query = parse_qs(target.query, keep_blank_values=True, strict_parsing=bool(target.query))
        self.faults += [f"{name} stands twice" for name, found in query.items() if len(found) > 1]
        headers = {name.lower(): value for name, value in request.headers.items()}
        is_json = headers.get("content-type", "").startswith("application/json")
        return Seen(
            method=request.method,
            path=target.path,
            query={name: values[0] for name, values in query.items()},
            headers=headers,
            body=json.loads(request.body) if is_json else request.body or None,
        )

    def _trouble(self, seen: Seen) -> Trouble | None:
        for trouble in self.troubles:
            if trouble.times and trouble.method == seen.method and trouble.part in seen.path:
                trouble.times -= 1
                return trouble
        return None

    def _answered(self, seen: Seen, *, carry_out: bool) -> Reply:
        uploads = seen.path.startswith(self.uploads)
        path = seen.path.removeprefix(self.uploads if uploads else self.prefix)
        operation = self.description.find(seen.method, path)
        if operation is None:
            self.faults.append(f"{seen.method} {path}: not in GitHub's description")
            return _said(404, "Not Found")
        wrong = [*self._wrong_headers(seen), *self._wrong_values(operation, seen)]
        if uploads != (operation.id == "repos/upload-release-asset"):
            wrong.append("assets, and nothing else, go to the upload host")
        self.faults += [f"{operation.id}: {one}" for one in wrong]
        if wrong or not carry_out:
            return _said(400, "; ".join(wrong))
        reply = self._allowed(operation, seen)
        ours = self._wrong_reply(operation, reply)
        self.faults += [f"answer to {operation.id}: {one}" for one in ours]
        return reply

    def _wrong_headers(self, seen: Seen) -> Iterator[str]:
        expected = {
            "accept": "application/vnd.github+json",
            "x-github-api-version": None if self.prefix else VERSION,
        }
        for name, value in expected.items():
            if seen.headers.get(name) != value:
                yield f"{name}: {seen.headers.get(name)}"
        if seen.headers.get("user-agent", "Python-urllib").startswith("Python-urllib"):
            yield "no user-agent of its own"
        if seen.headers.get("authorization") is None:
            yield "no authorization"

    def _wrong_values(self, operation: Operation, seen: Seen) -> Iterator[str]:
        given = {"query": dict(seen.query), "path": dict(operation.values)}
        for parameter in operation.parameters:
            name, schema = parameter["name"], parameter["schema"]
            text = given[parameter["in"]].pop(name, None)
            if text is not None:
                whole = schema.get("type") == "integer" and text.isdecimal()
                yield from self.description.errors(schema, int(text) if whole else text)
            elif parameter.get("required"):
                yield f"no parameter {name}"
        if given["query"] or int(seen.query.get("per_page", 1)) > 100:
            yield f"unknown, or over 100: {seen.query}"
        if operation.body is not None:
            yield from self.description.errors(operation.body, seen.body)
            unknown = set(seen.body if isinstance(seen.body, dict) else ()) - set(
                operation.body["properties"]
            )
            yield from (f"{name} is not asked for" for name in unknown)
        elif operation.id == "repos/upload-release-asset":
            # The description has octet-stream; the documentation asks for the file's own type.
            if seen.headers.get("content-type") != "application/zip":
                yield "the content-type is not that of a zip"
        elif seen.body is not None:
            yield "a body that is not asked for"

    def _wrong_reply(self, operation: Operation, reply: Reply) -> Iterator[str]:
        described = operation.responses.get(str(reply.status))
        if described is None and reply.status not in ANYWHERE:
            yield f"status {reply.status} is not described"
        content = (described or {}).get("content", {}).get("application/json")
        schema = content["schema"] if content else {"$ref": "#/components/schemas/basic-error"}
        if reply.body:
            yield from self.description.errors(schema, json.loads(reply.body))
        if "Link" in reply.headers and "Link" not in (described or {}).get("headers", {}):
            yield "a Link that is not described"

    def _allowed(self, operation: Operation, seen: Seen) -> Reply:
        if seen.headers["authorization"] != f"Bearer {self.token}":
            return _said(401, "Bad credentials")
        values = operation.values
        if "repo" in values and f"{values['owner']}/{values['repo']}" != self.repository:
            return _said(404, "Not Found")
        names, level = NEEDS.get(operation.id, ((), "read"))
        enough = {level, "write"}
        if names and not any(self.permissions.get(name) in enough for name in names):
            return _said(403, "Resource not accessible by integration")
        return self._served(operation, seen)

    def _served(self, operation: Operation, seen: Seen) -> Reply:
        numbers = ("_id", "_number")
        values = {
            name: int(text) if name.endswith(numbers) else text
            for name, text in operation.values.items()
        }
        serve = {
            "users/get-authenticated": self._user,
            "issues/list-comments": self._listed_comments,
            "issues/create-comment": self._created_comment,
            "issues/update-comment": self._updated_comment,
            "pulls/list": self._listed_pulls,
            "repos/list-pull-requests-associated-with-commit": self._pulls_of_commit,
            "repos/get-release-by-tag": self._release,
            "repos/list-release-assets": self._listed_assets,
            "repos/upload-release-asset": self._uploaded,
            "actions/list-artifacts-for-repo": self._listed_artifacts,
            "actions/list-workflow-run-artifacts": self._listed_artifacts,
            "actions/download-artifact": self._archive,
        }
        return serve[operation.id](values, seen)

    def _user(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        if self.login is None:
            return _said(403, "Resource not accessible by integration")
        given = {"login": self.login, "user_view_type": "private"}
        return _json(200, self.description.example("private-user", given))

    def _listed_comments(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        return self._page(seen, self.comments[values["issue_number"]])

    def _created_comment(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        body = seen.body["body"]
        if len(body) > LONGEST:
            return _invalid("IssueComment", "unprocessable", "body", TOO_LONG)
        login = self.login or ACTIONS_LOGIN
        return _json(201, self.add_comment(values["issue_number"], body, login=login))

    def _updated_comment(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        every = [one for comments in self.comments.values() for one in comments]
        comment = next((one for one in every if one["id"] == values["comment_id"]), None)
        if comment is None:
            return _said(404, "Not Found")
        if len(seen.body["body"]) > LONGEST:
            return _invalid("IssueComment", "unprocessable", "body", TOO_LONG)
        comment["body"] = seen.body["body"]
        return _json(200, comment)

    def _listed_pulls(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        state, head = seen.query.get("state", "open"), seen.query.get("head")
        found = [one for one in self.pulls if state in {"all", one["state"]}]
        return self._page(seen, [one for one in found if head in {None, one["head"]["label"]}])

    def _pulls_of_commit(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        sha = values["commit_sha"]
        return self._page(seen, [one for one in self.pulls if one["head"]["sha"] == sha])

    def _release(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        release = self.releases.get(values["tag"])
        return _json(200, release) if release else _said(404, "Not Found")

    def _listed_assets(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        return self._page(seen, self._release_of(values)["assets"])

    def _uploaded(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        release, name = self._release_of(values), seen.query["name"]
        if any(asset["name"] == name for asset in release["assets"]):
            return _invalid("ReleaseAsset", "already_exists", "name")
        return _json(201, self.add_asset(release["tag_name"], name, seen.body))

    def _release_of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        found = self.releases.values()
        return next(one for one in found if one["id"] == values["release_id"])

    def _listed_artifacts(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        found = [
            one
            for one in self.artifacts
            if seen.query.get("name") in {None, one["name"]}
            and values.get("run_id") in {None, (one["workflow_run"] or {}).get("id")}
        ]
        return self._page(seen, found, key="artifacts")

    def _archive(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        identity = values["artifact_id"]
        if identity not in self.blobs.contents:
            return _said(410, "Artifact has expired")
        return Reply(status=302, headers={"Location": self.blobs.url(identity)})

    def _page(self, seen: Seen, items: Sequence[Any], *, key: str = "") -> Reply:
        size, page = int(seen.query.get("per_page", 30)), int(seen.query.get("page", 1))
        part, last = items[(page - 1) * size : page * size], max(1, -(-len(items) // size))
        links = {"prev": page - 1, "next": page + 1 if page < last else 0, "last": last}
        at = f"http://127.0.0.1:{self.port}{seen.path}"
        link = ", ".join(
            f'<{at}?{urlencode({**seen.query, "page": number})}>; rel="{name}"'
            for name, number in links.items()
            if number
        )
        document = {"total_count": len(items), key: part} if key else part
        return _json(200, document, {"Link": link} if last > 1 else {})


class _Blobs(LoopbackServer):
    """Where artifacts are stored: another server, which must never see the token."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__()
        self.contents: dict[int, bytes] = {}
        self._faults = faults

    def url(self, identity: int) -> str:
        return f"http://127.0.0.1:{self.port}/{identity}?signature=secretSignature"

    def answer(self, request: Request) -> Reply:
        if "Authorization" in request.headers:
            self._faults.append("the token was sent to the storage")
            return Reply(status=403)
        content = self.contents.get(int(request.path[1:]))
        return Reply(status=404) if content is None else Reply(body=content)


class _Handler(loopback._Handler):
    def _serve(self) -> None:
        # HTTP/2's name for it: a Request has no query.
        self.headers[":path"] = self.path
        super()._serve()

    def _send(self, reply: Reply) -> None:
        if isinstance(reply, _Reset):
            # Closed with lingering for no time, a connection is reset.
            now = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
            self.connection.close()
        else:
            super()._send(reply)


class _Reset(Reply):
    """No answer: the connection is reset."""


def zipped(files: Mapping[str, bytes]) -> bytes:
    """An artifact's zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _json(status: int, document: object, headers: Mapping[str, str] = {}) -> Reply:
    whole = {"Content-Type": "application/json; charset=utf-8", "X-RateLimit-Remaining": "4999"}
    return Reply(status=status, body=json.dumps(document).encode(), headers={**whole, **headers})


def _said(status: int, message: str, headers: Mapping[str, str] = {}) -> Reply:
    return _json(status, {"message": message, "status": str(status)}, headers)


def _invalid(resource: str, code: str, at: str, message: str | None = None) -> Reply:
    error = {"resource": resource, "code": code, "field": at}
    error |= {"message": message} if message else {}
    document = {"message": "Validation Failed", "errors": [error], "documentation_url": "-"}
    return _json(422, document)
