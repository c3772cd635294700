"""Sticky: one comment for each key on a pull request, found again and updated in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from overflow.rest import RestFault, part, repository_path

if TYPE_CHECKING:
    from overflow.rest import Answer, Rest

LONGEST = 65_535
"""Characters of a comment. GitHub answers 422 "Body is too long" from 65,537 on."""

ACTIONS_LOGIN = "github-actions[bot]"
"""Who a job's own token writes as. Such a token may not ask GET /user."""

TRIES = 3
SETTLING = 2.0
"""Seconds before we look whether a comment that was not confirmed is there all the same."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """What became of the comment, and its address ("" where GitHub named none)."""

    action: Literal["created", "updated", "unchanged"]
    url: str


def publish(
    rest: Rest, *, owner_repo: str, number: int, marker: str, body: str, author: str | None = None
) -> Published:
    """Have `body` stand in one comment of ours on a pull request, and nowhere twice.

    Ours begins with the marker and was written by the token's own user; of several, the oldest is
    kept up to date. The marker is put before a body that does not begin with it. Raises RestFault;
    kind "too-long", with nothing sent, above LONGEST.
    """
    text = body if body.startswith(marker) else f"{marker}\n{body}"
    if len(text) > LONGEST:
        raise RestFault("too-long", f"the comment has {len(text):,} characters, over {LONGEST:,}")
    thread = _Thread(rest=rest, owner_repo=owner_repo, number=number, marker=marker)
    author = author or thread.author()
    found = thread.find(author)
    if found is not None:
        if _settled(part(found, "body")) == _settled(text):
            return Published(action="unchanged", url=_url(found))
        updated = thread.update(found, text)
        if updated is not None:
            return updated
    return thread.create(text, author)


@dataclass(frozen=True, kw_only=True)
class _Thread:
    rest: Rest
    owner_repo: str
    number: int
    marker: str

    @property
    def path(self) -> str:
        return repository_path(self.owner_repo, "issues", self.number, "comments")

    def author(self) -> str:
        try:
            login = part(self.rest.request("GET", "/user").json, "login")
        except RestFault as fault:
            if fault.status not in {403, 404} or fault.kind == "limited":
                raise
            return ACTIONS_LOGIN
        return login if isinstance(login, str) else ACTIONS_LOGIN

    def find(self, author: str) -> object | None:
        """The oldest comment with our marker that is by `author`."""
        ours = [
            (identity, comment)
            for comment in self.rest.paged(self.path)
            if str(part(comment, "user", "login")).lower() == author.lower()
            and str(part(comment, "body")).startswith(self.marker)
            and isinstance(identity := part(comment, "id"), int)
        ]
        return min(ours, key=lambda one: one[0])[1] if ours else None

    def update(self, comment: object, text: str) -> Published | None:
        """None where it has been deleted in the meantime."""
        identity = part(comment, "id")
        path = repository_path(self.owner_repo, "issues", "comments", str(identity))
        try:
            answer = self.rest.request("PATCH", path, body={"body": text})
        except RestFault as fault:
            if fault.kind != "not-found":
                raise
            return None
        return Published(action="updated", url=_url(answer.json))

    def create(self, text: str, author: str) -> Published:
        """A POST that was not confirmed is not repeated before we have looked for its comment."""
        for last in [False] * (TRIES - 1) + [True]:
            try:
                answer: Answer = self.rest.request("POST", self.path, body={"body": text})
            except RestFault as fault:
                if fault.kind not in {"server", "unreachable"}:
                    raise
                self.rest.sleep(SETTLING)
                found = self.find(author)
                if found is not None:
                    return Published(action="created", url=_url(found))
                if last:
                    raise
            else:
                return Published(action="created", url=_url(answer.json))
        raise AssertionError("the last try returns or raises")


def _settled(text: object) -> str:
    """GitHub may give line breaks and a blank end back in another way."""
    return str(text).replace("\r\n", "\n").rstrip()


def _url(comment: object) -> str:
    url = part(comment, "html_url")
    return url if isinstance(url, str) else ""
