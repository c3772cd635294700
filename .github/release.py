"""What release.yml does to files, and checks in them; needs Python alone.

usage: python3 -I .github/release.py COMMAND

prepare VERSION IMAGE                     write the release into the working tree
commit REPOSITORY BRANCH PARENT HEADLINE  print GitHub's GraphQL request that commits the files
                                          named on standard input
check TAG REPOSITORY                      hold the tag against the files; print its notes
image                                     print the image that image.json names
platforms                                 hold the image index on standard input against the
                                          platforms that runners have

An image's digest is known only after it is built, and a tag's files cannot change. So `prepare`
writes the digest in a pull request of its own, and the tag is cut from what that leaves.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # isolated mode (-I) leaves out even the script's own folder

from overflow.engine import RECIPE, recipe_of  # noqa: E402 - it is found from here on

VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")

VERSION_LINES = {
    "pyproject.toml": r'(?<=^version = ")[^"]*(?="$)',
    "overflow/__init__.py": r'(?<=^__version__ = ")[^"]*(?="$)',
    "uv.lock": r'(?<=^name = "overflow"\nversion = ")[^"]*(?="$)',
}
"""Where the version stands, exactly once in each file."""

PLATFORMS = ("linux/amd64", "linux/arm64")

COMMIT = (
    "mutation($input: CreateCommitOnBranchInput!)"
    " { createCommitOnBranch(input: $input) { commit { url } } }"
)


class NotReleasable(Exception):
    """What stands in the way, for people."""


def prepare(root: Path, version: str, image: str, *, today: str) -> None:
    """Write version, image and changelog heading. today: the heading's date, YYYY-MM-DD."""
    if not VERSION.fullmatch(version):
        raise NotReleasable(f"{version!r} is not of the form X.Y.Z")
    for file, pattern in VERSION_LINES.items():
        _replace(root / file, pattern, version)
    content = {"image": image, "recipe": recipe_of(root)}
    (root / "image.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    if not _section(root, "Unreleased"):
        raise NotReleasable("CHANGELOG.md has nothing under `## Unreleased`")
    _replace(root / "CHANGELOG.md", "^## Unreleased$", f"## Unreleased\n\n## {version} - {today}")


def check(root: Path, tag: str, repository: str) -> str:
    """The release notes of a tag, whose files must all speak of its version.

    repository: `owner/name`; the image must be its own, by digest, built from the tag's recipe.
    """
    version = tag.removeprefix("v")
    if not VERSION.fullmatch(version) or tag == version:
        raise NotReleasable(f"{tag!r} is not of the form vX.Y.Z")
    for file, pattern in VERSION_LINES.items():
        found = _only(root / file, pattern)[0]
        if found != version:
            raise NotReleasable(f"{file} has version {found}, and the tag is {tag}")
    content = json.loads((root / "image.json").read_text("utf-8"))
    wanted = rf"ghcr\.io/{re.escape(repository.lower())}@sha256:[0-9a-f]{{64}}"
    if not re.fullmatch(wanted, content["image"] or ""):
        raise NotReleasable(f"image.json names {content['image']}: run `prepare` first")
    if content.get("recipe") != recipe_of(root):
        raise NotReleasable(f"one of {', '.join(RECIPE)} changed since the image was built")
    notes = _section(root, rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d")
    if not notes:
        raise NotReleasable(f"CHANGELOG.md has nothing under `## {version} - <date>`")
    return notes


def commit_request(
    root: Path, files: list[str], *, repository: str, branch: str, parent: str, headline: str
) -> str:
    """A commit by GitHub's API, which signs it; git itself would need the token on disk."""
    additions = [
        {"path": file, "contents": base64.b64encode((root / file).read_bytes()).decode()}
        for file in files
    ]
    given = {
        "branch": {"repositoryNameWithOwner": repository, "branchName": branch},
        "expectedHeadOid": parent,
        "message": {"headline": headline},
        "fileChanges": {"additions": additions},
    }
    return json.dumps({"query": COMMIT, "variables": {"input": given}})


def check_platforms(index: str) -> str:
    """Raise NotReleasable unless an image index, as JSON, has an image for every platform."""
    found = {
        f"{one['platform']['os']}/{one['platform']['architecture']}"
        for one in json.loads(index).get("manifests", [])
    }
    missing = [platform for platform in PLATFORMS if platform not in found]
    if missing:
        raise NotReleasable(f"no image for {', '.join(missing)}")
    return f"images for {', '.join(PLATFORMS)}"


def _only(path: Path, pattern: str) -> re.Match[str]:
    found = list(re.finditer(pattern, path.read_text("utf-8"), re.MULTILINE))
    if len(found) != 1:
        raise NotReleasable(f"{path.name}: {len(found)} places match {pattern}, one is needed")
    return found[0]


def _replace(path: Path, pattern: str, text: str) -> None:
    place = _only(path, pattern)
    content = path.read_text("utf-8")
    path.write_text(content[: place.start()] + text + content[place.end() :], encoding="utf-8")


def _section(root: Path, heading: str) -> str:
    changelog = (root / "CHANGELOG.md").read_text("utf-8")
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def main(command: str, *arguments: str) -> str:
    """Run one command; gives what it prints."""
    if command == "prepare":
        version, image = arguments
        today = dt.datetime.now(dt.timezone.utc).date().isoformat()
        prepare(ROOT, version, image, today=today)
        return f"prepared {version}"
    if command == "commit":
        repository, branch, parent, headline = arguments
        files = sys.stdin.read().splitlines()
        return commit_request(
            ROOT, files, repository=repository, branch=branch, parent=parent, headline=headline
        )
    if command == "check":
        return check(ROOT, *arguments)
    if command == "platforms":
        return check_platforms(sys.stdin.read())
    if command == "image":
        return str(json.loads((ROOT / "image.json").read_text("utf-8"))["image"])
    raise NotReleasable(f"unknown command {command!r}")


if __name__ == "__main__":
    try:
        sys.stdout.write(main(*sys.argv[1:]) + "\n")
    except NotReleasable as fault:
        sys.exit(f"not releasable: {fault}")
