"""A server that is held to GitHub's own description of its REST API, which is in tests/data."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from jsonschema import Draft202012Validator, FormatChecker

from tests.support.loopback import LoopbackServer, Reply, Request, json_reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DESCRIPTION = Path(__file__).parents[1] / "data" / "github-rest-api.openapi.json"
VERSION = "2026-03-10"
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

    def wrong_request(self, operation: Operation, seen: Seen) -> Iterator[str]:
        """What is not as described of a request, its headers aside."""
        given = {"query": dict(seen.query), "path": dict(operation.values)}
        for parameter in operation.parameters:
            name, schema = parameter["name"], parameter["schema"]
            text = given[parameter["in"]].pop(name, None)
            if text is not None:
                whole = schema.get("type") == "integer" and text.isdecimal()
                yield from self.errors(schema, int(text) if whole else text)
            elif parameter.get("required"):
                yield f"no parameter {name}"
        if given["query"] or int(seen.query.get("per_page", 1)) > 100:
            yield f"unknown, or over 100: {seen.query}"
        if operation.body is not None:
            yield from self.errors(operation.body, seen.body)
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

    def wrong_reply(self, operation: Operation, reply: Reply) -> Iterator[str]:
        """What is not as described of an answer."""
        described = operation.responses.get(str(reply.status))
        if described is None and reply.status not in ANYWHERE:
            yield f"status {reply.status} is not described"
        content = (described or {}).get("content", {}).get("application/json")
        schema = content["schema"] if content else {"$ref": "#/components/schemas/basic-error"}
        if reply.body:
            yield from self.errors(schema, json.loads(reply.body))
        if "Link" in reply.headers and "Link" not in (described or {}).get("headers", {}):
            yield "a Link that is not described"

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


class DescribedServer(LoopbackServer):
    """An API that holds each request, and each of its own answers, against the description.

    `requests` has what came, `faults` what was not as described; `troubles` are carried out in
    their order. A subclass serves what is as described, in `allowed`.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self.prefix, self.uploads = prefix, "/api/uploads" if prefix else "/uploads"
        self.description = Description(None if prefix else VERSION)
        self.troubles: list[Trouble] = []
        self.requests: list[Seen] = []
        self.faults: list[str] = []
        self._lock, self._closing = threading.Lock(), threading.Event()

    def allowed(self, operation: Operation, seen: Seen) -> Reply:
        """The answer to a request that is as described."""
        raise NotImplementedError

    def stop_waiting(self) -> None:
        self._closing.set()

    def answer(self, request: Request) -> Reply:
        if len(request.body) < int(request.headers.get("Content-Length", 0)):
            return Reply(reset=True)  # the client went away in the middle
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
            return Reply(reset=True)
        return said(trouble.status, trouble.message, trouble.headers) if trouble.status else reply

    def _seen(self, request: Request) -> Seen:
        query = parse_qs(request.query, keep_blank_values=True, strict_parsing=bool(request.query))
        self.faults += [f"{name} stands twice" for name, found in query.items() if len(found) > 1]
        headers = {name.lower(): value for name, value in request.headers.items()}
        is_json = headers.get("content-type", "").startswith("application/json")
        return Seen(
            method=request.method,
            path=request.path,
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
            return said(404, "Not Found")
        wrong = [*self._wrong_headers(seen), *self.description.wrong_request(operation, seen)]
        if uploads != (operation.id == "repos/upload-release-asset"):
            wrong.append("assets, and nothing else, go to the upload host")
        self.faults += [f"{operation.id}: {one}" for one in wrong]
        if wrong or not carry_out:
            return said(400, "; ".join(wrong))
        reply = self.allowed(operation, seen)
        ours = self.description.wrong_reply(operation, reply)
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


def as_json(status: int, document: object, headers: Mapping[str, str] = {}) -> Reply:
    """A document, as the API sends it."""
    whole = {"Content-Type": "application/json; charset=utf-8", "X-RateLimit-Remaining": "4999"}
    return json_reply(document, status=status, headers={**whole, **headers})


def said(status: int, message: str, headers: Mapping[str, str] = {}) -> Reply:
    """An error, as the API says it."""
    return as_json(status, {"message": message, "status": str(status)}, headers)
