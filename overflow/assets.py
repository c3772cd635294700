"""Assets: a file attached to a release."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from overflow.rest import Call, RestFault, part, repository_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from overflow.rest import Rest

BLOCK = 1024 * 1024
PATIENCE = 10
"""Times the usual: the host answers once it has stored the whole file."""
SECONDS = 900.0
"""For sending it: 250 MB at 2.5 Mbit/s."""

KEPT_NAME = re.compile(r"[A-Za-z0-9_-]([A-Za-z0-9._-]*[A-Za-z0-9_-])?")
"""GitHub renames others (REST documentation, "Upload a release asset")."""


@dataclass(frozen=True, kw_only=True)
class Attached:
    """What became of the file, and where it can be had."""

    action: Literal["attached", "unchanged"]
    name: str
    url: str


def attach(rest: Rest, owner_repo: str, *, tag: str, path: Path) -> Attached:
    """Attach a zip to the release of a tag, under its own name; one that is there stays.

    Raises RestFault, with advice where another file has the name; OSError where it cannot be read.
    """
    if not KEPT_NAME.fullmatch(path.name):
        raise RestFault("invalid", f"GitHub would rename {path.name!r}: use letters, digits, . _ -")
    release = rest.request("GET", repository_path(owner_repo, "releases", "tags", tag)).json
    identity, template = part(release, "id"), part(release, "upload_url")
    if not isinstance(identity, int) or not isinstance(template, str):
        raise RestFault("invalid", f"the release of {tag!r} has no upload_url")
    listing = repository_path(owner_repo, "releases", identity, "assets")
    digest = _digest(path)
    there = _there(rest, listing, path.name, digest)
    if there is not None:
        return Attached(action="unchanged", name=path.name, url=there)
    if part(release, "immutable") is True:
        advice = "attach to a draft and publish it afterwards"
        raise RestFault("invalid", f"the release of {tag!r} is immutable: {advice}")
    return _upload(rest, _upload_call(template, path), listing, digest=digest, name=path.name)


def _upload(rest: Rest, call: Call, listing: str, *, digest: str, name: str) -> Attached:
    try:
        asset = rest.carry_out(call).json
    except RestFault as fault:
        if fault.kind not in {"server", "unreachable"}:
            raise
        # It may be there all the same: a POST is not repeated before we have looked.
        there = _there(rest, listing, name, digest)
        if there is None:
            raise
        return Attached(action="attached", name=name, url=there)
    # None from an Enterprise Server that computes no digests.
    if part(asset, "name") != name or part(asset, "digest") not in {None, digest}:
        raise RestFault("invalid", f"GitHub stored {name} with another name or digest: delete it")
    return Attached(action="attached", name=name, url=_url(asset))


def _upload_call(template: str, path: Path) -> Call:
    """`upload_url` is a URI template, https://.../assets{?name,label}."""
    address = template.partition("{")[0]

    def blocks() -> Iterator[bytes]:
        deadline = time.monotonic() + SECONDS
        with path.open("rb") as stream:
            while block := stream.read(BLOCK):
                if time.monotonic() > deadline:
                    raise TimeoutError("too slow")
                yield block

    return Call(
        method="POST",
        url=f"{address}?{urlencode({'name': path.name})}",
        data=blocks,
        headers={"Content-Type": "application/zip", "Content-Length": str(path.stat().st_size)},
        patience=PATIENCE,
    )


def _there(rest: Rest, listing: str, name: str, digest: str) -> str | None:
    """The address of our file among a release's assets; RestFault where the name is another's."""
    asset = next((one for one in rest.paged(listing) if part(one, "name") == name), None)
    if asset is None:
        return None
    if part(asset, "digest") == digest and part(asset, "state") == "uploaded":
        return _url(asset)
    advice = "delete that asset, or give this one another name (input artifact-name)"
    raise RestFault("invalid", f"the release has another {name}: {advice}")


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def _url(asset: object) -> str:
    url = part(asset, "browser_download_url")
    return url if isinstance(url, str) else ""
