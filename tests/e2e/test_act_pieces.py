"""The pieces that the tests of the action stand on: act, the artifact service, the stand-in."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import zipfile
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.support.act import TOKEN, ActRun, Annotation, missing_tools, run_workflow
from tests.support.artifacts import ArtifactService
from tests.support.upload_artifact import make_upload_artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    bool(missing_tools()), reason=f"not on this machine: {', '.join(missing_tools())}"
)

UPLOAD = "actions/upload-artifact@0123456789abcdef0123456789abcdef01234567"
EVENT = {
    "action": "synchronize",
    # At the top level too: act makes GITHUB_REF of it.
    "number": 7,
    "pull_request": {"number": 7, "head": {"ref": "feature"}, "base": {"ref": "main"}},
    "repository": {"full_name": "somebody/project"},
}
ACTION = """
name: Pieces
description: One of each of what the action does
inputs:
  name: {description: Name of the file, required: true}
  overwrite: {description: For the upload, default: 'false'}
outputs:
  said: {description: What it says, value: '${{ steps.make.outputs.said }}'}
  id: {description: Of the artifact, value: '${{ steps.upload.outputs.artifact-id }}'}
  digest: {description: Of the artifact, value: '${{ steps.upload.outputs.artifact-digest }}'}
  url: {description: Of the artifact, value: '${{ steps.upload.outputs.artifact-url }}'}
runs:
  using: composite
  steps:
    - id: make
      shell: bash
      env: {NAME: '${{ inputs.name }}', TOKEN: '${{ github.token }}'}
      run: exec python3 -I "$GITHUB_ACTION_PATH/make.py"
    - id: upload
      uses: UPLOAD
      with:
        name: ${{ inputs.name }}
        path: ${{ runner.temp }}/${{ inputs.name }}
        archive: 'false'
        if-no-files-found: error
        overwrite: ${{ inputs.overwrite }}
    - id: after
      shell: bash
      run: echo "unmapped=1" >> "$GITHUB_OUTPUT"; echo "after" >> "$GITHUB_STEP_SUMMARY"
"""
MAKE = r"""
import hashlib, os, zipfile
from pathlib import Path
file = Path(os.environ["RUNNER_TEMP"], os.environ["NAME"])
with zipfile.ZipFile(file, "w") as archive:
    entry = zipfile.ZipInfo("_uv/uv")
    entry.external_attr = 0o100755 << 16
    archive.writestr(entry, os.urandom(9_000_000))
Path(os.environ["GITHUB_OUTPUT"]).write_text("said<<END\ntwo\nlines\nEND\n")
Path(os.environ["GITHUB_STEP_SUMMARY"]).write_text("# Pieces\n")
print("::warning file=uv.lock,line=3,title=a=b%2C c%3A d::100%25 of%0Aeverything")
print("::stop-commands::Token1")
print("::error::not said")
print("::Token1::")
print("  ::notice::indented")
print("old ##[error file=x]form")
print("zip", hashlib.sha256(file.read_bytes()).hexdigest())
print("token", os.environ["TOKEN"])
"""
WORKFLOW = """
on: pull_request
permissions: {}
jobs:
  pieces:
    runs-on: ubuntu-latest
    strategy: {fail-fast: false, matrix: {leg: [one, two]}}
    outputs: {said: '${{ steps.use.outputs.said }}'}
    steps:
      - uses: actions/checkout@0123456789abcdef0123456789abcdef01234567
      - id: use
        uses: ./
        with: {name: 'FILE', overwrite: 'OVERWRITE'}
  look:
    needs: pieces
    runs-on: ubuntu-latest
    steps:
      - id: outputs
        env: {SAID: '${{ toJSON(needs.pieces.outputs) }}'}
        run: printf 'json<<END\\n%s\\nEND\\n' "$SAID" >> "$GITHUB_OUTPUT"
"""


@pytest.fixture(scope="module")
def upload_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_upload_artifact(tmp_path_factory.mktemp("actions") / "upload-artifact")


def make_repository(folder: Path, *, file: str, overwrite: str) -> None:
    workflow = WORKFLOW.replace("FILE", file).replace("OVERWRITE", overwrite)
    files = {
        "action.yml": ACTION.replace("UPLOAD", UPLOAD),
        "make.py": MAKE,
        ".github/workflows/pieces.yml": workflow,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    for arguments in (["init", "-q", "-b", "feature"], ["add", "."], ["commit", "-q", "-m", "All"]):
        subprocess.run(["git", *author, *arguments], cwd=folder, check=True)


@pytest.fixture
def run(tmp_path: Path, upload_artifact: Path) -> Callable[..., ActRun]:
    """Runs the workflow: both legs and the job after them, or one leg alone."""

    def run_it(
        service: ArtifactService,
        *,
        leg: str = "",
        file: str = "${{ matrix.leg }}.zip",
        overwrite: str = "false",
    ) -> ActRun:
        repository = tmp_path / str(len(list(tmp_path.iterdir())))
        make_repository(repository, file=file, overwrite=overwrite)
        return run_workflow(
            repository,
            ".github/workflows/pieces.yml",
            event=EVENT,
            env={"ACTIONS_RESULTS_URL": service.url, "ACTIONS_RUNTIME_TOKEN": service.token},
            local={UPLOAD: upload_artifact},
            job="pieces" if leg else None,
            matrix={"leg": leg} if leg else None,
        )

    return run_it


def test_a_run_is_read_back_whole(run: Callable[..., ActRun]) -> None:
    with ArtifactService() as service:
        ran = run(service)
    assert (ran.exit_code, service.faults, service.refused) == (0, [], []), ran.log
    assert sorted(service.artifacts) == ["one.zip", "two.zip"]
    job = ran.job("pieces", leg="two")
    artifact = service.artifacts["two.zip"]
    assert job.steps["use"].outputs == {
        "said": "two\nlines",
        "id": str(artifact.id),
        "digest": artifact.sha256,
        "url": f"https://github.com/somebody/project/actions/runs/1/artifacts/{artifact.id}",
    }
    assert job.summary == "# Pieces\nafter\n"
    assert {job.result, *(step.result for step in job.steps.values())} == {"success"}
    assert json.loads(ran.job("look").steps["outputs"].outputs["json"]) == {"said": "two\nlines"}


def test_the_file_itself_arrives_and_annotations_are_those_of_the_runner(
    run: Callable[..., ActRun],
) -> None:
    with ArtifactService() as service:
        ran = run(service, leg="one")
    assert [job.matrix for job in ran.jobs] == [{"leg": "one"}]
    assert ran.job("pieces").annotations == [
        Annotation(
            level="warning",
            message="100% of\neverything",
            properties={"file": "uv.lock", "line": "3", "title": "a=b, c: d"},
        ),
        Annotation(level="notice", message="indented", properties={}),
        Annotation(level="error", message="form", properties={"file": "x"}),
    ]
    # A log that masks could not show that a secret was printed.
    assert f"token {TOKEN}" in ran.job("pieces").steps["use.make"].lines
    artifact = service.artifacts["one.zip"]
    assert f"zip {artifact.sha256}" in ran.job("pieces").steps["use.make"].lines
    assert artifact.mime_type == "application/zip"
    # More than one block of the client's 8 MiB.
    assert len(artifact.content) > 9_000_000
    with zipfile.ZipFile(io.BytesIO(artifact.content)) as archive:
        assert [entry.external_attr >> 16 for entry in archive.infolist()] == [0o100755]


def test_one_name_for_two_legs_fails_one_of_them(run: Callable[..., ActRun]) -> None:
    with ArtifactService() as service:
        ran = run(service, file="function.zip")
    assert (service.faults, service.refused) == ([], ["function.zip"])
    assert ran.exit_code == 1
    results = sorted(ran.job("pieces", leg=leg).steps["use"].result for leg in ("one", "two"))
    assert results == ["failure", "success"]
    assert "an artifact with this name already exists on the workflow run" in ran.log


def test_overwriting_replaces_the_artifact(run: Callable[..., ActRun]) -> None:
    with ArtifactService() as service:
        for _ in range(2):
            ran = run(service, leg="one", file="function.zip", overwrite="true")
            assert (ran.exit_code, service.faults, service.refused) == (0, [], []), ran.log
    assert [artifact.id for artifact in service.artifacts.values()] == [2]


def send(
    service: ArtifactService, method: str, target: str, body: bytes, **headers: str
) -> tuple[int, dict[str, Any]]:
    """Send a request, and give the status and the JSON of the answer."""
    connection = HTTPConnection("127.0.0.1", service.port, timeout=10)
    connection.request(method, target, body, {k.replace("_", "-"): v for k, v in headers.items()})
    with connection.getresponse() as response:
        text = response.read()
    connection.close()
    return response.status, json.loads(text or b"{}")


def call(
    service: ArtifactService, method: str, message: object, *, token: str = ""
) -> tuple[int, dict[str, Any]]:
    target = f"/twirp/github.actions.results.api.v1.ArtifactService/{method}"
    headers = {"Authorization": f"Bearer {token or service.token}"}
    body = json.dumps(message).encode()
    return send(service, "POST", target, body, Content_Type="application/json", **headers)


def create(service: ArtifactService, name: str) -> str:
    """Create an artifact of text, and give where its blocks go."""
    message = {**service.run, "name": name, "version": 7, "mime_type": "text/plain"}
    status, answer = call(service, "CreateArtifact", message)
    assert status == 200
    url = urlsplit(answer["signed_upload_url"])
    return f"{url.path}?{url.query}"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"version": 4}, 400),
        ({"version": "7"}, 400),
        ({"mimeType": "text/plain"}, 400),
        ({"mime_type": {"value": "text/plain"}}, 400),
        ({"name": "a/b"}, 400),
        ({"expires_at": "tomorrow"}, 400),
        ({"workflow_run_backend_id": "another"}, 403),
    ],
)
def test_the_service_refuses_what_is_not_the_protocol(
    change: Mapping[str, Any], status: int
) -> None:
    message = {"name": "a.txt", "version": 7, "mime_type": "text/plain"}
    with ArtifactService() as service:
        assert call(service, "CreateArtifact", {**service.run, **message, **change})[0] == status
        assert len(service.faults) == 1


def test_the_service_refuses_strangers_and_blocks_that_are_not_the_uploads() -> None:
    with ArtifactService() as service:
        assert call(service, "ListArtifacts", service.run, token="x.y.z")[0] == 401
        assert call(service, "MigrateArtifact", service.run)[0] == 404
        target = create(service, "a.txt")
        block = f"{target}&comp=block&blockid=MDA%3D"
        version = {"x_ms_version": "2025-01-05"}
        assert send(service, "PUT", block.replace("sig=", "sig=x"), b"a", **version)[0] == 403
        assert send(service, "PUT", block, b"a", Authorization="Bearer", **version)[0] == 403
        assert send(service, "PUT", block, b"a")[0] == 400
        assert send(service, "PUT", f"{block}&snapshot=1", b"a", **version)[0] == 400
        assert send(service, "PUT", block, b"a", **version)[0] == 201
        listed = b"<BlockList><Latest>MDE=</Latest></BlockList>"
        version["x_ms_blob_content_type"] = "text/plain"
        assert send(service, "PUT", f"{target}&comp=blocklist", listed, **version)[0] == 400
        assert len(service.faults) == 7


def test_the_service_compares_size_and_digest_when_an_upload_ends() -> None:
    headers = {"x_ms_version": "2025-01-05", "x_ms_blob_content_type": "text/plain"}
    right = f"sha256:{hashlib.sha256(b'a').hexdigest()}"
    with ArtifactService() as service:
        target = create(service, "a.txt")
        message = {**service.run, "name": "a.txt", "size": "1", "hash": right}
        assert call(service, "FinalizeArtifact", message)[0] == 404
        send(service, "PUT", f"{target}&comp=block&blockid=MDA%3D", b"a", **headers)
        blocks = b"<BlockList><Latest>MDA=</Latest></BlockList>"
        send(service, "PUT", f"{target}&comp=blocklist", blocks, **headers)
        wrong = f"sha256:{hashlib.sha256(b'b').hexdigest()}"
        assert call(service, "FinalizeArtifact", {**message, "hash": wrong})[0] == 400
        assert call(service, "FinalizeArtifact", {**message, "size": "2"})[0] == 400
        assert (len(service.faults), service.artifacts) == (3, {})
        assert call(service, "FinalizeArtifact", message)[0] == 200
        assert service.artifacts["a.txt"].content == b"a"
