"""GitHub's artifact service on loopback: what upload-artifact v4 and later speak, taken strictly.

The calls are those of the toolkit's results/api/v1/artifact.proto as Twirp's JSON, and the block
blobs of Azure that the signed URLs lead to. What is not known here is refused, so that a client
that says more than these tests understand is noticed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree as ET

from tests.support.loopback import LoopbackServer, Reply, Request, json_reply

if TYPE_CHECKING:
    from collections.abc import Mapping

_SERVICE = "/twirp/github.actions.results.api.v1.ArtifactService/"
_BLOBS = "/blobs/"
_VERSION = 7
_DIGITS = re.compile(r"0|[1-9][0-9]*")
_TEXT = re.compile(r".+", re.DOTALL)
# What the toolkit refuses in names, since Windows does; the service refuses it as well.
_NAME = re.compile(r'[^\\/":<>|*?\r\n]+')
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z")
_RUN = {"workflow_run_backend_id": _TEXT, "workflow_job_run_backend_id": _TEXT}
# The fields that each call must have, and those that it may have.
_CALLS: Mapping[str, tuple[Mapping[str, re.Pattern[str]], Mapping[str, re.Pattern[str]]]] = {
    "CreateArtifact": (
        {**_RUN, "name": _NAME, "version": _DIGITS, "mime_type": _TEXT},
        {"expires_at": _TIME},
    ),
    # Proto3's JSON leaves out a size of 0, and writes 64-bit numbers as text.
    "FinalizeArtifact": ({**_RUN, "name": _NAME, "hash": _HASH}, {"size": _DIGITS}),
    "ListArtifacts": (_RUN, {"name_filter": _TEXT, "id_filter": _DIGITS}),
    "DeleteArtifact": ({**_RUN, "name": _NAME}, {}),
}


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """One whole artifact, as it would be downloaded; `sha256` is in hex."""

    name: str
    mime_type: str
    content: bytes
    sha256: str
    id: int


@dataclass(kw_only=True)
class _Upload:
    """An artifact that was created and isn't finalized yet."""

    mime_type: str
    signature: str
    blocks: dict[str, bytes] = field(default_factory=dict)
    content: bytes | None = None


class _Refusal(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.reply = json_reply({"code": code, "msg": message}, status=status)


class ArtifactService(LoopbackServer):
    """The artifact service of one workflow run, between enter and exit.

    `artifacts` has what was finalized, by name. `faults` says what a client did against the
    protocol: a test asserts that it is empty. `refused` has the names that were there already: the
    service answers 409, as GitHub does when two legs of a matrix choose one name. `token` and
    `url` are for ACTIONS_RUNTIME_TOKEN and ACTIONS_RESULTS_URL.
    """

    def __init__(self) -> None:
        super().__init__()
        self.run = {name: secrets.token_hex(8) for name in _RUN}
        self.token = _token(":".join(["Actions.Results", *self.run.values()]))
        self.artifacts: dict[str, Artifact] = {}
        self.faults: list[str] = []
        self.refused: list[str] = []
        self._uploads: dict[str, _Upload] = {}
        self._last_id = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The address, for ACTIONS_RESULTS_URL."""
        return f"http://127.0.0.1:{self.port}/"

    def answer(self, request: Request) -> Reply:
        with self._lock:
            try:
                if request.path.startswith(_BLOBS):
                    return self._put(request)
                return self._call(request)
            except _Refusal as refusal:
                return refusal.reply

    def _fault(self, request: Request, message: str, *, status: int = 400) -> _Refusal:
        self.faults.append(f"{request.method} {request.path}: {message}")
        return _Refusal(status, "invalid_argument", message)

    def _call(self, request: Request) -> Reply:
        method = request.path.removeprefix(_SERVICE)
        if request.method != "POST" or method not in _CALLS or request.path == method:
            raise self._fault(request, "no such call", status=404)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise self._fault(request, "not this run's token", status=401)
        message = self._message(request, method)
        match method:
            case "CreateArtifact":
                return self._create(request, message)
            case "FinalizeArtifact":
                return self._finalize(request, message)
            case "ListArtifacts":
                return self._list(message)
            case _:
                return self._delete(message)

    def _message(self, request: Request, method: str) -> dict[str, Any]:
        if request.headers.get_content_type() != "application/json":
            raise self._fault(request, "not application/json", status=415)
        try:
            message = json.loads(request.body)
        except ValueError:
            raise self._fault(request, "not JSON") from None
        if not isinstance(message, dict):
            raise self._fault(request, "not an object")
        needed, allowed = _CALLS[method]
        if missing := sorted(set(needed) - set(message)):
            raise self._fault(request, f"missing: {', '.join(missing)}")
        for name, value in message.items():
            pattern = {**needed, **allowed}.get(name)
            # The version is the one number of 32 bits, and so the one that isn't text.
            kind = int if name == "version" else str
            if pattern is None or type(value) is not kind or not pattern.fullmatch(str(value)):
                raise self._fault(request, f"unknown or malformed: {name}={value!r}")
        if any(message[name] != value for name, value in self.run.items()):
            raise self._fault(request, "another run", status=403)
        return message

    def _create(self, request: Request, message: dict[str, Any]) -> Reply:
        if message["version"] != _VERSION:
            raise self._fault(request, f"version {message['version']}, not {_VERSION}")
        name = message["name"]
        if name in self.artifacts or name in self._uploads:
            self.refused.append(name)
            text = "an artifact with this name already exists on the workflow run"
            raise _Refusal(409, "already_exists", text)
        upload = _Upload(mime_type=message["mime_type"], signature=secrets.token_urlsafe(24))
        self._uploads[name] = upload
        path = f"{_BLOBS}{name.encode().hex()}?{urlencode({'sig': upload.signature})}"
        return json_reply({"ok": True, "signed_upload_url": f"{self.url}{path[1:]}"})

    def _finalize(self, request: Request, message: dict[str, Any]) -> Reply:
        name = message["name"]
        upload = self._uploads.get(name)
        if upload is None or upload.content is None:
            raise self._fault(request, f"{name} was not uploaded", status=404)
        digest = hashlib.sha256(upload.content).hexdigest()
        if message["hash"] != f"sha256:{digest}":
            raise self._fault(request, f"{name} has the digest {digest}, not {message['hash']}")
        if int(message.get("size", 0)) != len(upload.content):
            raise self._fault(request, f"{name} has {len(upload.content)} bytes")
        del self._uploads[name]
        self._last_id += 1
        self.artifacts[name] = Artifact(
            name=name,
            mime_type=upload.mime_type,
            content=upload.content,
            sha256=digest,
            id=self._last_id,
        )
        return json_reply({"ok": True, "artifact_id": str(self._last_id)})

    def _list(self, message: dict[str, Any]) -> Reply:
        found = [
            {
                **self.run,
                "database_id": str(artifact.id),
                "name": artifact.name,
                "size": str(len(artifact.content)),
                "digest": f"sha256:{artifact.sha256}",
            }
            for artifact in self.artifacts.values()
            if artifact.name == message.get("name_filter", artifact.name)
            and str(artifact.id) == message.get("id_filter", str(artifact.id))
        ]
        return json_reply({"artifacts": found})

    def _delete(self, message: dict[str, Any]) -> Reply:
        artifact = self.artifacts.pop(message["name"], None)
        if artifact is None:
            raise _Refusal(404, "not_found", "no such artifact")
        return json_reply({"ok": True, "artifact_id": str(artifact.id)})

    def _put(self, request: Request) -> Reply:
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        upload = self._signed_upload(request, query.pop("sig", ""))
        if request.method != "PUT" or "x-ms-version" not in request.headers:
            raise self._fault(request, "not a PUT of Azure's")
        match query:
            case {"comp": "block", "blockid": block} if len(query) == 2 and request.body:
                upload.blocks[self._block_id(request, block)] = request.body
            case {"comp": "blocklist"} if len(query) == 1:
                if request.headers.get("x-ms-blob-content-type") != upload.mime_type:
                    raise self._fault(request, f"not {upload.mime_type}")
                upload.content = self._content(request, upload)
            case _:
                raise self._fault(request, f"neither a block nor a list of blocks: {sorted(query)}")
        headers = {"ETag": '"0"', "x-ms-request-id": "0", "x-ms-request-server-encrypted": "true"}
        return Reply(status=201, headers=headers)

    def _signed_upload(self, request: Request, signature: str) -> _Upload:
        if "Authorization" in request.headers:
            raise self._fault(request, "the run's token went to the storage", status=403)
        for name, upload in self._uploads.items():
            mine = request.path == f"{_BLOBS}{name.encode().hex()}"
            if mine and secrets.compare_digest(upload.signature.encode(), signature.encode()):
                return upload
        raise self._fault(request, "not a signed URL of an upload", status=403)

    def _block_id(self, request: Request, text: str) -> str:
        try:
            base64.b64decode(text, validate=True)
        except binascii.Error:
            raise self._fault(request, f"a block's id in no base64: {text!r}") from None
        return text

    def _content(self, request: Request, upload: _Upload) -> bytes:
        try:
            root = ET.fromstring(request.body)
        except ET.ParseError:
            raise self._fault(request, "not XML") from None
        ids = [(child.text or "").strip() for child in root]
        wrong = [child.tag for child in root if child.tag != "Latest"]
        if root.tag != "BlockList" or wrong or sorted(ids) != sorted(upload.blocks):
            raise self._fault(request, "not a list of exactly the blocks that were put")
        return b"".join(upload.blocks[block] for block in ids)


def _token(scope: str) -> str:
    """Give a JWT with no more than the client reads from it; the signature is a random one."""
    parts = [json.dumps(part).encode() for part in ({"typ": "JWT", "alg": "HS256"}, {"scp": scope})]
    parts.append(secrets.token_bytes(32))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
