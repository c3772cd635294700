"""Stored: reports that earlier runs uploaded, and which pull request a run was for.

What is in an artifact is hostile text: it is bounded here and checked by whoever reads it. Whose
it is comes from GitHub's own data about the run.
"""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from overflow.rest import Call, RestFault, part, repository_path

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from overflow.rest import Rest

REPORT = "report.json"
LARGEST_ARCHIVE = 20 * 1024 * 1024
LARGEST_ENTRY = 20 * 1024 * 1024
"""Bytes. A report has some 300 for each distribution."""
MOST_ENTRIES = 100
MOST_ARTIFACTS = 1000
"""How many of a name are looked at: GitHub lists the newest first."""
CANDIDATES = 3
"""How many are fetched: the artifact of a run whose build failed holds no report."""
_UNSOUND = (zlib.error, lzma.LZMAError, RuntimeError, ValueError, OSError, EOFError, OverflowError)
"""What reading a forged zip raises, whatever method it names."""
CENTRAL_ENTRY = b"PK\x01\x02"
"""What each entry of a zip's directory begins with (APPNOTE 4.3.12)."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A report of the base branch, and the commit that it is of."""

    content: bytes
    sha: str


def find_report(
    rest: Rest, owner_repo: str, *, artifact_name: str, branch: str, sha: str
) -> Stored | None:
    """The report of `branch` at `sha`, else the newest of the branch; None where there is none.

    A fork's branch may have the same name: only runs on the repository's own branch count. Raises
    RestFault.
    """
    listed = rest.paged(
        repository_path(owner_repo, "actions", "artifacts"),
        query={"name": artifact_name},
        key="artifacts",
    )
    ours = [
        artifact
        for artifact in islice(listed, MOST_ARTIFACTS)
        if _is_kept(artifact, artifact_name) and _is_of_branch(artifact, branch)
    ]
    ours.sort(key=lambda one: (_sha(one) == sha, _identity(one)), reverse=True)
    for artifact in ours[:CANDIDATES]:
        archive = _archive(rest, owner_repo, artifact)
        files = unpacked(archive, {REPORT}) if archive is not None else {}
        if REPORT in files:
            return Stored(content=files[REPORT], sha=_sha(artifact))
    return None


def artifacts_of_run(rest: Rest, owner_repo: str, run_id: int) -> dict[str, int]:
    """The numbers of a run's artifacts, by name; the newest of a name. Raises RestFault."""
    path = repository_path(owner_repo, "actions", "runs", run_id, "artifacts")
    found: dict[str, int] = {}
    for artifact in islice(rest.paged(path, key="artifacts"), MOST_ARTIFACTS):
        name = str(part(artifact, "name"))
        if _is_kept(artifact, name):
            found[name] = max(_identity(artifact), found.get(name, 0))
    return found


def files_of_artifact(
    rest: Rest, owner_repo: str, number: int, names: Collection[str]
) -> dict[str, bytes]:
    """Those of the named files that an artifact has; none of one that has expired.

    Raises RestFault.
    """
    archive = _archive(rest, owner_repo, {"id": number})
    return {} if archive is None else unpacked(archive, names)


def unpacked(archive: bytes, names: Collection[str]) -> dict[str, bytes]:
    """Those of the named files that are in a zip. Raises RestFault for one that is not sound."""
    # Counted before zipfile makes an object of each.
    if archive.count(CENTRAL_ENTRY) > MOST_ENTRIES:
        raise RestFault("invalid", f"the artifact has more than {MOST_ENTRIES} files")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            found = [info for info in opened.infolist() if info.filename in names]
            if len(found) != len({info.filename for info in found}):
                raise RestFault("invalid", "the artifact has a file twice")
            return {info.filename: _entry(opened, info) for info in found}
    except (zipfile.BadZipFile, *_UNSOUND) as error:
        raise RestFault("invalid", f"the artifact is not a sound zip: {error}") from None


def pull_request_of_run(rest: Rest, owner_repo: str, run: Mapping[str, object]) -> int | None:
    """The number of the open pull request that a run (the event's `workflow_run`) was for.

    By the run's head repository, branch and commit, which GitHub wrote and a fork cannot: for forks
    the event's own `pull_requests` is empty. None where the pull request is closed, or has moved on
    to another commit. Raises RestFault.
    """
    sha, branch = part(run, "head_sha"), part(run, "head_branch")
    owner = part(run, "head_repository", "owner", "login")
    if not isinstance(sha, str) or not sha:
        return None
    if isinstance(owner, str) and isinstance(branch, str):
        query = {"head": f"{owner}:{branch}", "state": "open"}
        pulls = rest.paged(repository_path(owner_repo, "pulls"), query=query)
        found = [one for pull in pulls if (one := _number(pull, owner_repo, run))]
        if found:
            return min(found)
    pulls = rest.paged(repository_path(owner_repo, "commits", sha, "pulls"))
    return min((one for pull in pulls if (one := _number(pull, owner_repo, run))), default=None)


def _number(pull: object, owner_repo: str, run: Mapping[str, object]) -> int | None:
    """Of a pull request that is open, into our repository, and of the run's head."""
    number, base = part(pull, "number"), part(pull, "base", "repo", "full_name")
    source = part(run, "head_repository", "id")
    matches = (
        part(pull, "state") == "open"
        and part(pull, "head", "sha") == part(run, "head_sha")
        and isinstance(source, int)
        and part(pull, "head", "repo", "id") == source
        and str(base).lower() == owner_repo.lower()
    )
    return number if matches and isinstance(number, int) else None


def _is_kept(artifact: object, name: str) -> bool:
    return (
        part(artifact, "name") == name
        and part(artifact, "expired") is False
        and isinstance(part(artifact, "id"), int)
    )


def _is_of_branch(artifact: object, branch: str) -> bool:
    run = part(artifact, "workflow_run")
    repository = part(run, "repository_id")
    ours = repository is not None and part(run, "head_repository_id") == repository
    return ours and part(run, "head_branch") == branch and bool(_sha(artifact))


def _identity(artifact: object) -> int:
    """Later artifacts have larger ones."""
    identity = part(artifact, "id")
    return identity if isinstance(identity, int) else 0


def _sha(artifact: object) -> str:
    sha = part(artifact, "workflow_run", "head_sha")
    return sha if isinstance(sha, str) else ""


def _archive(rest: Rest, owner_repo: str, artifact: object) -> bytes | None:
    """None where it has expired in the meantime."""
    path = repository_path(owner_repo, "actions", "artifacts", _identity(artifact), "zip")
    try:
        # Redirects to storage, which does not get the token.
        call = Call(method="GET", url=rest.url(path), limit=LARGEST_ARCHIVE)
        return rest.carry_out(call).content
    except RestFault as fault:
        if fault.kind != "not-found":
            raise
        return None


def _entry(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with opened.open(info) as stream:
        # Not what the directory says of the size: that may be a lie.
        content = stream.read(LARGEST_ENTRY + 1)
    if len(content) > LARGEST_ENTRY:
        raise RestFault("invalid", f"{info.filename} in the artifact is larger than 20 MB")
    return content
