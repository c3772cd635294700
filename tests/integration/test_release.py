"""The release script: what it writes, and what it refuses to release."""

from __future__ import annotations

import base64
import importlib.util
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
FILES = ("pyproject.toml", "overflow/__init__.py", "uv.lock", "CHANGELOG.md", "image.json",
         "Dockerfile", ".dockerignore", "requirements.txt")  # fmt: skip
IMAGE = f"ghcr.io/somebody/overflow@sha256:{'a' * 64}"
REPOSITORY = "Somebody/overflow"


def load() -> Any:
    spec = importlib.util.spec_from_file_location("release", ROOT / ".github" / "release.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


release = load()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """This repository's own files, with something to release."""
    for file in FILES:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    changelog = (
        "# Changelog\n\n## Unreleased\n\n### Added\n- New.\n\n## 0.0.1 - 2025-01-01\n- Old.\n"
    )
    (tmp_path / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    return tmp_path


@pytest.fixture
def prepared(tree: Path) -> Path:
    release.prepare(tree, "1.2.3", IMAGE, today="2026-11-23")
    return tree


def test_what_is_prepared_can_be_released(prepared: Path) -> None:
    assert release.check(prepared, "v1.2.3", REPOSITORY) == "### Added\n- New."
    assert json.loads((prepared / "image.json").read_text("utf-8"))["image"] == IMAGE
    changelog = (prepared / "CHANGELOG.md").read_text("utf-8")
    assert "## Unreleased\n\n## 1.2.3 - 2026-11-23\n" in changelog


def test_nothing_but_the_version_changes(prepared: Path) -> None:
    for file in ("pyproject.toml", "overflow/__init__.py", "uv.lock"):
        before = (ROOT / file).read_text("utf-8").splitlines()
        after = (prepared / file).read_text("utf-8").splitlines()
        changed = [new for old, new in zip(before, after, strict=True) if old != new]
        assert [line.split(" = ")[1] for line in changed] == ['"1.2.3"']


@pytest.mark.parametrize("version", ["1.2", "v1.2.3", "1.2.3rc1", "01.2.3", "1.2.3\n", "$(id)"])
def test_version_of_another_form_is_refused(tree: Path, version: str) -> None:
    with pytest.raises(release.NotReleasable, match=r"X\.Y\.Z"):
        release.prepare(tree, version, IMAGE, today="2026-11-23")


def test_empty_changelog_is_refused(prepared: Path) -> None:
    with pytest.raises(release.NotReleasable, match="nothing under `## Unreleased`"):
        release.prepare(prepared, "1.2.4", IMAGE, today="2026-11-24")


def edit(file: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        text = (root / file).read_text("utf-8")
        assert old in text
        (root / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return apply


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (edit("pyproject.toml", "1.2.3", "1.2.2"), "pyproject.toml has version 1.2.2"),
        (edit("overflow/__init__.py", "1.2.3", "1.2.2"), "__init__.py has version 1.2.2"),
        (edit("image.json", "somebody/", "nobody/"), "image.json names"),
        (edit("image.json", f"@sha256:{'a' * 64}", ":1.2.3"), "image.json names"),
        (edit("image.json", f'"{IMAGE}"', "null"), "image.json names None"),
        (edit("Dockerfile", "FROM", "# x\nFROM"), "changed since the image was built"),
        (edit("requirements.txt", "==", "== "), "changed since the image was built"),
        (edit("CHANGELOG.md", "## 1.2.3", "## 1.2.2"), "nothing under `## 1.2.3"),
    ],
)
def test_what_does_not_fit_is_refused(
    prepared: Path, change: Callable[[Path], None], complaint: str
) -> None:
    change(prepared)
    with pytest.raises(release.NotReleasable, match=complaint):
        release.check(prepared, "v1.2.3", REPOSITORY)


def test_both_platforms_are_needed() -> None:
    def index(*architectures: str) -> str:
        rows = [{"platform": {"os": "linux", "architecture": one}} for one in architectures]
        return json.dumps({"manifests": rows})

    release.check_platforms(index("amd64", "arm64", "unknown"))
    with pytest.raises(release.NotReleasable, match="no image for linux/arm64"):
        release.check_platforms(index("amd64"))


def test_commit_has_the_files_as_they_are(prepared: Path) -> None:
    request = json.loads(
        release.commit_request(
            prepared,
            ["image.json"],
            repository=REPOSITORY,
            branch="release-1.2.3",
            parent="b" * 40,
            headline="Release 1.2.3",
        )
    )
    given = request["variables"]["input"]
    (addition,) = given["fileChanges"]["additions"]
    assert addition["path"] == "image.json"
    assert base64.b64decode(addition["contents"]) == (prepared / "image.json").read_bytes()
    assert given["expectedHeadOid"] == "b" * 40
