"""The action as its users have it: `uses: overflow/overflow@v1` in a workflow that act runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.act import ActRun, run_workflow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.artifacts import ArtifactService
    from tests.support.github_api import GitHubApi

ROOT = Path(__file__).parents[2]

SHIPPED = ("action.yml", "entrypoint.py", "image.json", "requirements.txt", "Dockerfile",
           ".dockerignore", "overflow", "templates", "comment")  # fmt: skip
"""What of this repository the action consists of."""

USES = "overflow/overflow@v1"
CHECKOUT = "actions/checkout@0123456789abcdef0123456789abcdef01234567"

REPOSITORY = "somebody/project"

OF_THIS_MACHINE = ("PIP_", "UV_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
                   "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy",
                   "no_proxy")  # fmt: skip
"""Variables by which this machine reaches PyPI."""

WORKFLOW = """
on: [push, pull_request, release]
permissions: {{}}
jobs:
  bundle:
    runs-on: ubuntu-latest
{strategy}
    steps:
      - uses: {checkout}
      - id: overflow
        uses: {uses}
        with: {inputs}
      - id: look
        if: always()
        shell: bash
        env:
          OUTPUTS: ${{{{ toJSON(steps.overflow.outputs) }}}}
        run: |
          exec >> "$GITHUB_OUTPUT"
          echo "outputs<<EOF-of-outputs"; echo "$OUTPUTS"; echo EOF-of-outputs
          echo "owned-by-root=$(find . "$RUNNER_TEMP" -uid 0 | wc -l)"
          echo "pwned=$(find . "$RUNNER_TEMP" -name 'pwned*')"
          echo "status=$(git status --porcelain | tr '\\n' ' ')"
"""


POSTING = f"""
on:
  workflow_run: {{workflows: [bundle], types: [completed]}}
permissions: {{}}
jobs:
  comment:
    runs-on: ubuntu-latest
    steps:
      - uses: {USES.replace("@", "/comment@")}
"""


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A git repository with a project in it, on a branch with one commit beyond its base."""

    folder: Path

    def git(self, *arguments: str) -> str:
        """Run git in it; commits have a fixed author and date."""
        date = "2026-01-02T03:04:05Z"
        who = {f"GIT_{one}_{what}": value for one in ("AUTHOR", "COMMITTER")
               for what, value in (("NAME", "Test"), ("EMAIL", "test@example.com"),
                                   ("DATE", date))}  # fmt: skip
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", *arguments],
            cwd=self.folder, check=True, capture_output=True, text=True,
            env={**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull},
        )  # fmt: skip
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit all there is; gives the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


def make_repository(folder: Path, project: Path, *, branch: str = "feature") -> Repository:
    """A repository whose base commit is the project; nothing is on the branch yet."""
    shutil.copytree(project, folder, symlinks=True)
    repository = Repository(folder=folder)
    repository.git("init", "--quiet", "--initial-branch", "main")
    repository.commit("The base")
    repository.git("checkout", "--quiet", "-b", branch)
    return repository


def ship_action(folder: Path) -> Path:
    """The action without the rest of this repository, as act copies it for each use."""
    folder.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy2(source, folder / name)
    return folder


def workflow_text(inputs: Mapping[str, str], *, legs: str = "") -> str:
    """A workflow that uses the action once; legs: the matrix as YAML."""
    strategy = f"    strategy: {{fail-fast: false, matrix: {legs}}}" if legs else ""
    return WORKFLOW.format(
        strategy=strategy, checkout=CHECKOUT, uses=USES, inputs=json.dumps(dict(inputs))
    )


def pull_request_event(
    repository: Repository, *, number: int = 7, fork: bool = False
) -> dict[str, Any]:
    """The event of a push to the pull request's branch."""
    head = "outsider/project" if fork else REPOSITORY
    return {
        "action": "synchronize",
        "number": number,
        "pull_request": {
            "number": number,
            "head": {
                "ref": repository.git("rev-parse", "--abbrev-ref", "HEAD"),
                "sha": repository.git("rev-parse", "HEAD"),
                "repo": {"full_name": head},
            },
            "base": {
                "ref": "main",
                "sha": repository.git("rev-parse", "main"),
                "repo": {"full_name": REPOSITORY},
            },
        },
        "repository": {"full_name": REPOSITORY},
    }


@dataclass(frozen=True, kw_only=True)
class World:
    """What a run of the action meets: GitHub's services on loopback, and the actions it uses."""

    action: Path
    upload_artifact: Path
    attest: Path
    upload_ref: str
    attest_ref: str
    environment: Mapping[str, str]
    tools: Path
    """A folder with uv in it, which steps find unless `with_uv` is false."""

    def post(
        self,
        repository: Repository,
        *,
        artifacts: ArtifactService,
        api: GitHubApi,
        event: Mapping[str, Any],
        token: str,
    ) -> ActRun:
        """Run the second workflow, which posts what a fork's run could not."""
        path = repository.folder / ".github" / "workflows" / "comment.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(POSTING, encoding="utf-8")
        return run_workflow(
            repository.folder,
            ".github/workflows/comment.yml",
            event=event,
            event_name="workflow_run",
            env={"GITHUB_API_URL": api.url},
            secrets={"GITHUB_TOKEN": token},
            local={USES: self.action},
        )

    def run(
        self,
        repository: Repository,
        inputs: Mapping[str, str],
        *,
        artifacts: ArtifactService,
        api: GitHubApi | None = None,
        event: Mapping[str, Any] | None = None,
        event_name: str = "pull_request",
        legs: str = "",
        env: Mapping[str, str] | None = None,
        token: str | None = None,
        user: int | None = None,
        with_uv: bool = True,
    ) -> ActRun:
        """Run the workflow on the repository's files as they are."""
        path = repository.folder / ".github" / "workflows" / "bundle.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(workflow_text(inputs, legs=legs), encoding="utf-8")
        own = {k: v for k, v in os.environ.items() if k.startswith(OF_THIS_MACHINE)}
        services = {
            "ACTIONS_RESULTS_URL": artifacts.url,
            "ACTIONS_RUNTIME_TOKEN": artifacts.token,
            "GITHUB_API_URL": api.url if api else "http://127.0.0.1:9",
        }
        return run_workflow(
            repository.folder,
            ".github/workflows/bundle.yml",
            event=event or pull_request_event(repository),
            event_name=event_name,
            env={**own, **services, **self.environment, **(env or {})},
            secrets={"GITHUB_TOKEN": token} if token else None,
            local={
                USES: self.action,
                self.upload_ref: self.upload_artifact,
                self.attest_ref: self.attest,
            },
            timeout=600,
            path=f"{self.tools}{os.pathsep}" if with_uv else "",
            user=user,
        )
