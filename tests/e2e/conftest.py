"""Fixtures: a Docker engine with our image on a base made here, and the action in act's reach."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from overflow.uv import Uv
from tests.support.act import missing_tools
from tests.support.action import REPOSITORY, ROOT, Repository, World, ship_action
from tests.support.artifacts import ArtifactService
from tests.support.docker import PYTHON, NoEngine, action_image, base_image, engine
from tests.support.github_api import READING, WRITING, GitHubApi
from tests.support.outcome import TOKEN, Outcome, small_project
from tests.support.pythons import target_python
from tests.support.upload_artifact import make_upload_artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SECRET = "ghs_planted-for-the-image-6f1c9a"
"""The same each time: an image that an earlier run built was built beside it too."""

STAND_IN = """\
name: Stand-in
description: Says that it ran, and on what
inputs: {subject-path: {description: The file, default: ''}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {SUBJECT: '${{ inputs.subject-path }}'}
      run: sha256sum "$SUBJECT" | sed 's/^/attested /'
"""


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A base for our Dockerfile, on an engine that runs; skipped where there is none."""
    try:
        with engine():
            yield base_image(tmp_path_factory.mktemp("base"))
    except NoEngine as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def image(base: str) -> str:
    """Our image on that base, built with secrets beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_TOKEN", SECRET)
        patch.setenv("UV_INDEX_PRIVATE_PASSWORD", SECRET)
        return action_image(base)


@pytest.fixture(scope="session")
def shared() -> Iterator[Path]:
    """A folder that any user may read: pytest's own are its user's alone."""
    with tempfile.TemporaryDirectory(prefix="overflow-e2e-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def world(shared: Path) -> World:
    """The action, what it uses, and the variables by which this machine's Python is found."""
    if missing_tools():
        pytest.skip(f"not on this machine: {', '.join(missing_tools())}")
    upload = make_upload_artifact(shared / "upload-artifact")
    modules = upload / "node_modules"
    real = modules.resolve()
    modules.unlink()
    # Not a link: this repository may lie where another user cannot look.
    subprocess.run(["cp", "-a", str(real), str(modules)], check=True)
    attest = shared / "attest"
    attest.mkdir()
    (attest / "action.yml").write_text(STAND_IN, encoding="utf-8")
    pinned = re.findall(r"uses: (\S+)", (ROOT / "action.yml").read_text("utf-8"))
    tools = shared / "bin"
    tools.mkdir()
    # The one program of a runner's that we look for; without it, pip takes ten seconds.
    (tools / "uv").symlink_to(Uv.bundled(os.environ).binary)
    return World(
        action=ship_action(shared / "action"),
        upload_artifact=upload,
        attest=attest,
        upload_ref=next(one for one in pinned if one.startswith("actions/upload-artifact@")),
        attest_ref=next(one for one in pinned if one.startswith("actions/attest-")),
        environment={**_python_by_variable(), "UV_CACHE_DIR": str(shared / "uv-cache")},
        tools=tools,
    )


def _python_by_variable() -> dict[str, str]:
    """act's steps have another HOME, in which neither pyenv's nor uv's Pythons are."""
    path = target_python(PYTHON)
    if "versions" in path.parts:
        return {"PYENV_ROOT": str(path.parents[3])}
    uv = Uv.bundled(os.environ).binary
    done = subprocess.run([uv, "python", "dir"], check=True, capture_output=True, text=True)
    return {"UV_PYTHON_INSTALL_DIR": done.stdout.strip()}


@pytest.fixture
def scratch(shared: Path) -> Iterator[Path]:
    """A folder for one test that any user may read."""
    folder = Path(tempfile.mkdtemp(dir=shared))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def small(shared: Path) -> Path:
    return small_project(shared / "small")


@pytest.fixture
def act(world: World) -> Callable[..., Outcome]:
    """Runs the action on a repository; what GitHub would not have taken fails the test."""

    def run(
        repository: Repository,
        inputs: Mapping[str, str],
        *,
        exit_code: int = 0,
        api: GitHubApi | None = None,
        **more: Any,
    ) -> Outcome:
        permissions = READING if more.pop("fork", False) else WRITING
        with (
            ArtifactService() as artifacts,
            GitHubApi(repository=REPOSITORY, token=TOKEN, permissions=permissions) as own,
        ):
            given = {"python": PYTHON, **inputs}
            served = api or own
            done = world.run(
                repository, given, artifacts=artifacts, api=served, token=TOKEN, **more
            )
        assert (done.exit_code == 0) == (exit_code == 0), done.log
        if exit_code:
            assert f"exit status {exit_code}" in done.log
        assert artifacts.faults == []
        assert served.faults == []
        return Outcome(run=done, artifacts=artifacts, api=served)

    return run
