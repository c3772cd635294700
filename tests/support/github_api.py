"""GitHub's REST API on loopback, for one repository.

Every request, and every answer, is held against GitHub's own description (openapi.py); what is not
as described stands in `faults`, which a test asserts to be empty.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections import defaultdict
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.support.loopback import LoopbackServer, Reply, Request
from tests.support.openapi import DescribedServer, Operation, Seen, Trouble, as_json, said

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["READING", "WRITING", "GitHubApi", "Trouble", "zipped"]

ACTIONS_LOGIN = "github-actions[bot]"
LONGEST = 65_536
TOO_LONG = f"Body is too long (maximum is {LONGEST} characters)"
REPOSITORY_ID = 1
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


class GitHubApi(DescribedServer):
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
        super().__init__(prefix)
        self.repository, self.token, self.login = repository, token, login
        self.permissions = permissions
        self.comments: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self.releases: dict[str, dict[str, Any]] = {}
        self.artifacts: list[dict[str, Any]] = []
        self.pulls: list[dict[str, Any]] = []
        self.blobs = _Blobs(self.faults)
        self._ids = count(1)

    def __enter__(self) -> Self:
        self.blobs.__enter__()
        return super().__enter__()

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

    def allowed(self, operation: Operation, seen: Seen) -> Reply:
        if seen.headers["authorization"] != f"Bearer {self.token}":
            return said(401, "Bad credentials")
        values = operation.values
        if "repo" in values and f"{values['owner']}/{values['repo']}" != self.repository:
            return said(404, "Not Found")
        names, level = NEEDS.get(operation.id, ((), "read"))
        enough = {level, "write"}
        if names and not any(self.permissions.get(name) in enough for name in names):
            return said(403, "Resource not accessible by integration")
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
        if operation.id not in serve:
            self.faults.append(f"{operation.id}: not served here")
            return said(404, "Not Found")
        return serve[operation.id](values, seen)

    def _user(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        if self.login is None:
            return said(403, "Resource not accessible by integration")
        given = {"login": self.login, "user_view_type": "private"}
        return as_json(200, self.description.example("private-user", given))

    def _listed_comments(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        return self._page(seen, self.comments[values["issue_number"]])

    def _created_comment(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        body = seen.body["body"]
        if len(body) > LONGEST:
            return _invalid("IssueComment", "unprocessable", "body", TOO_LONG)
        login = self.login or ACTIONS_LOGIN
        return as_json(201, self.add_comment(values["issue_number"], body, login=login))

    def _updated_comment(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        every = [one for comments in self.comments.values() for one in comments]
        comment = next((one for one in every if one["id"] == values["comment_id"]), None)
        if comment is None:
            return said(404, "Not Found")
        if len(seen.body["body"]) > LONGEST:
            return _invalid("IssueComment", "unprocessable", "body", TOO_LONG)
        comment["body"] = seen.body["body"]
        return as_json(200, comment)

    def _listed_pulls(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        state, head = seen.query.get("state", "open"), seen.query.get("head")
        found = [one for one in self.pulls if state in {"all", one["state"]}]
        return self._page(seen, [one for one in found if head in {None, one["head"]["label"]}])

    def _pulls_of_commit(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        sha = values["commit_sha"]
        return self._page(seen, [one for one in self.pulls if one["head"]["sha"] == sha])

    def _release(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        release = self.releases.get(values["tag"])
        return as_json(200, release) if release else said(404, "Not Found")

    def _listed_assets(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        return self._page(seen, self._release_of(values)["assets"])

    def _uploaded(self, values: Mapping[str, Any], seen: Seen) -> Reply:
        release, name = self._release_of(values), seen.query["name"]
        if any(asset["name"] == name for asset in release["assets"]):
            return _invalid("ReleaseAsset", "already_exists", "name")
        return as_json(201, self.add_asset(release["tag_name"], name, seen.body))

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
            return said(410, "Artifact has expired")
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
        return as_json(200, document, {"Link": link} if last > 1 else {})


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


def zipped(files: Mapping[str, bytes]) -> bytes:
    """An artifact's zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _invalid(resource: str, code: str, at: str, message: str | None = None) -> Reply:
    error = {"resource": resource, "code": code, "field": at}
    error |= {"message": message} if message else {}
    document = {"message": "Validation Failed", "errors": [error], "documentation_url": "-"}
    return as_json(422, document)
