"""Posting: the comment of one record, rendered and put on its pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from overflow.comment import Post, failure_to_comment, to_comment
from overflow.comparison import UnknownBase, compare
from overflow.context import ARTIFACT_PREFIX
from overflow.errors import Fault
from overflow.record import NAMES, read_record
from overflow.report import Failure
from overflow.rest import Rest, RestFault
from overflow.sticky import Published, publish
from overflow.stored import artifacts_of_run, files_of_artifact, pull_request_of_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from overflow.record import Record

_RECORD = re.compile(re.escape(ARTIFACT_PREFIX) + r"[0-9a-f]{20}")

MOST_POSTED = 20
"""Comments that one run may have: a fork names its artifacts as it likes."""

NOT_COMPARED = UnknownBase(reason="this run compared with none")


def marker(key: str) -> str:
    """The first line of a comment, by which the same leg's next run finds it."""
    return f"<!-- overflow:comment:{key} -->"


def body_of(record: Record, *, key: str, artifact_url: str | None, run_url: str) -> str:
    """The comment, as Markdown of fewer than 65,536 characters."""
    post = Post(
        marker=marker(key),
        leg=record.leg,
        sha=record.head,
        run_url=run_url,
        artifact_url=artifact_url,
    )
    if isinstance(record.result, Failure):
        return failure_to_comment(record.result, post)
    return to_comment(compare(record.result, record.base or NOT_COMPARED), post)


def put(
    rest: Rest, repository: str, number: int, *, key: str, body: str, author: str | None = None
) -> Published:
    """Create or update the comment of this key; body: as of body_of(). Raises RestFault.

    author: who the token comments as, where GitHub does not say.
    """
    first = marker(key)
    return publish(
        rest, owner_repo=repository, number=number, marker=first, body=body, author=author
    )


def post_run(
    rest: Rest, repository: str, run: Mapping[str, object], *, author: str | None = None
) -> Iterator[str]:
    """Post the comments of a finished run, rendered here from its reports; says what it did.

    run: the event's `workflow_run`, which GitHub wrote. All else comes from the run's artifacts,
    which a fork can fill as it likes: that is checked and escaped, and names no pull request.
    Raises RestFault.
    """
    identity, url = run.get("id"), str(run.get("html_url"))
    if run.get("event") != "pull_request" or not isinstance(identity, int):
        yield "That run was not for a pull request: nothing to post"
        return
    number = pull_request_of_run(rest, repository, run)
    if number is None:
        yield "No open pull request is at the commit of that run: nothing to post"
        return
    artifacts = artifacts_of_run(rest, repository, identity)
    records = sorted(name for name in artifacts if _RECORD.fullmatch(name))
    if not records:
        yield "That run left no report: nothing to post"
    for name in records[:MOST_POSTED]:
        try:
            files = files_of_artifact(rest, repository, artifacts[name], NAMES)
            record = read_record(files)
        except (Fault, RestFault) as fault:
            yield f"{name}: {fault.message}"
            continue
        zipped = artifacts.get(record.artifact)
        link = f"{url}/artifacts/{zipped}" if zipped else None
        key = name.removeprefix(ARTIFACT_PREFIX)
        body = body_of(record, key=key, artifact_url=link, run_url=url)
        published = put(rest, repository, number, key=key, body=body, author=author)
        yield f"Comment {published.action}: {published.url}"
