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
from overflow.sticky import Published, publish
from overflow.stored import artifacts_of_run, pull_request_of_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from overflow.record import Record
    from overflow.rest import Rest

_RECORD = re.compile(re.escape(ARTIFACT_PREFIX) + r"[0-9a-f]{20}")

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


def put(rest: Rest, repository: str, number: int, *, key: str, body: str) -> Published:
    """Create or update the comment of this key. Raises RestFault."""
    first = marker(key)
    # publish() puts it there itself.
    text = body.removeprefix(f"{first}\n")
    return publish(rest, owner_repo=repository, number=number, marker=first, body=text)


def post_run(rest: Rest, repository: str, run: Mapping[str, object]) -> Iterator[str]:
    """Post the comments of a finished run, rendered here from its reports; says what it did.

    run: the event's `workflow_run`, which GitHub wrote. All else comes from the run's artifacts,
    which a fork can fill as it likes: that is checked and escaped, and names no pull request.
    Raises RestFault.
    """
    number, identity = pull_request_of_run(rest, repository, run), run.get("id")
    if number is None or not isinstance(identity, int):
        yield "No open pull request is at the commit of that run: nothing to post"
        return
    url = str(run.get("html_url"))
    for name, files in artifacts_of_run(rest, repository, identity, _RECORD, NAMES):
        key = name.removeprefix(ARTIFACT_PREFIX)
        try:
            body = body_of(read_record(files), key=key, artifact_url=None, run_url=url)
        except Fault as fault:
            yield f"{name}: {fault.message}"
            continue
        published = put(rest, repository, number, key=key, body=body)
        yield f"Comment {published.action}: {published.url}"
