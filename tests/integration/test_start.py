"""The real bundle under AWS's real runtime client: cold, warm, broken, and each kind of event."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from overflow.installer import ARM64
from tests.integration.conftest import own_tmp
from tests.support import events
from tests.support.events import status_and_json
from tests.support.lambda_api import (
    FAKE_SECRET_ACCESS_KEY,
    FAKE_SESSION_TOKEN,
    LambdaRun,
)
from tests.support.projects import ASGI, FUNCTION, WSGI, ProjectFolder, make_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Built
    from tests.support.index import LocalIndex

pytestmark = pytest.mark.pypi  # the runtime client comes from there

OVERFLOWING = ("--strategy", "defer", "--threshold-mb", "0.01")
IMPORTS = {"import": ["alpha", "beta"]}
INSTALLING = "Installing runtime dependencies..."
INSTALLED = "Runtime dependencies installed in "
CACHED = "Using cached runtime dependencies"


@pytest.fixture
def bundle(build: Callable[..., Built], project: ProjectFolder) -> Path:
    """A bundle that defers two distributions."""
    return build(project, *OVERFLOWING).bundle


def lines(run: LambdaRun) -> list[str]:
    return [line for line in run.log.splitlines() if line]


class TestColdAndWarm:
    def test_cold_installs_and_a_new_process_uses_the_cache(
        self, start: Callable[..., LambdaRun], bundle: Path, tmp_path: Path
    ) -> None:
        cold = start(bundle, [IMPORTS])
        assert cold.init_error is None, cold.log
        assert lines(cold)[0] == INSTALLING
        assert lines(cold)[1].startswith(INSTALLED)
        folder = tmp_path / "_vc_deps_overflow"
        assert cold.responses[0]["alpha"] == f"{folder}/alpha/__init__.py"
        warm = start(bundle, [IMPORTS])
        assert lines(warm) == [CACHED]
        assert warm.responses == cold.responses
        assert sorted(path.name for path in tmp_path.glob("_vc_*")) == [
            "_vc_deps_overflow",
            "_vc_deps_overflow.lock",
        ]

    def test_from_the_zip(
        self,
        start: Callable[..., LambdaRun],
        build: Callable[..., Built],
        project: ProjectFolder,
        tmp_path: Path,
    ) -> None:
        """What Lambda unpacks: the zip with its modes, nothing else of the build."""
        built = build(project, *OVERFLOWING)
        unpacked = unzip(built.folder / "function.zip", tmp_path / "task")
        run = start(unpacked, [IMPORTS])
        assert run.responses[0].keys() == {"alpha", "beta"}, run.log

    def test_a_bundle_that_fits_installs_nothing(
        self, start: Callable[..., LambdaRun], build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        bundle = build(project).bundle
        run = start(bundle, [IMPORTS])
        assert lines(run) == []
        assert run.responses[0]["alpha"] == f"{bundle}/_vendor/alpha/__init__.py"

    def test_several_processes_install_once(
        self, start: Callable[..., LambdaRun], bundle: Path, tmp_path: Path
    ) -> None:
        own_tmp(bundle, tmp_path)  # once, before several read it
        runs: list[LambdaRun] = []
        threads = [
            threading.Thread(target=lambda: runs.append(start(bundle, [IMPORTS]))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        said = [line for run in runs for line in lines(run)]
        assert said.count(INSTALLING) == 1
        assert said.count(CACHED) == 2
        assert all(run.responses for run in runs)


def unzip(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            archive.extract(info, folder)
            (folder / info.filename).chmod(info.external_attr >> 16 & 0o777)
    return folder


class TestBrokenStarts:
    def test_a_half_written_overflow_is_not_taken_for_whole(
        self, start: Callable[..., LambdaRun], bundle: Path, tmp_path: Path
    ) -> None:
        """What a killed init can leave: the folder without its marker, and work aside."""
        folder = tmp_path / "_vc_deps_overflow"
        for half in (folder, tmp_path / "_vc_deps_overflow.work/tree"):
            (half / "alpha").mkdir(parents=True)
            (half / "alpha/__init__.py").write_text("raise RuntimeError('half')\n", "utf-8")
        run = start(bundle, [IMPORTS])
        assert lines(run)[0] == INSTALLING
        assert run.responses, run.log
        assert not (tmp_path / "_vc_deps_overflow.work").exists()

    def test_a_marker_of_another_build_does_not_count(
        self, start: Callable[..., LambdaRun], bundle: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "_vc_deps_overflow"
        folder.mkdir()
        (folder / ".installed").write_text("", encoding="utf-8")
        assert lines(start(bundle, [IMPORTS]))[0] == INSTALLING

    def test_killed_while_installing_then_whole(
        self,
        start: Callable[..., LambdaRun],
        bundle: Path,
        index: LocalIndex,
        tmp_path: Path,
        python: Path,
    ) -> None:
        own_tmp(bundle, tmp_path)
        index.slow = 30.0
        try:
            child = subprocess.Popen(
                [python, "-c", "import overflow_trampoline"],
                cwd=bundle,
                env={"UV_DEFAULT_INDEX": index.url, "NO_PROXY": "127.0.0.1"},
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
            assert child.stdout is not None
            assert child.stdout.readline().decode().strip() == INSTALLING
            os.killpg(child.pid, 9)
            child.wait()
            child.stdout.close()
        finally:
            index.slow = 0.0
            index.stop_waiting()
        assert not (tmp_path / "_vc_deps_overflow").exists()
        run = start(bundle, [IMPORTS])
        assert lines(run)[0] == INSTALLING
        assert run.responses, run.log

    def test_uvs_own_words_are_in_the_error(
        self, start: Callable[..., LambdaRun], bundle: Path, index: LocalIndex, tmp_path: Path
    ) -> None:
        index.fail = True
        run = start(bundle, [IMPORTS], UV_HTTP_RETRIES="0")
        assert run.init_error is not None
        message = run.init_error["errorMessage"]
        assert "uv could not install the runtime dependencies (exit code" in message
        assert "503" in message
        assert not (tmp_path / "_vc_deps_overflow/.installed").exists()
        index.fail = False
        assert start(bundle, [IMPORTS]).responses

    def test_another_file_than_the_locked_one_is_refused(
        self, start: Callable[..., LambdaRun], bundle: Path
    ) -> None:
        path = bundle / "_uv/_runtime_requirements.txt"
        text = path.read_text("utf-8")
        digest = text.split("sha256:")[1][:64]
        path.unlink()
        path.write_text(text.replace(digest, "0" * 64), encoding="utf-8")
        run = start(bundle, [IMPORTS])
        assert run.init_error is not None
        assert "hash" in run.init_error["errorMessage"].lower()

    def test_too_little_room_is_said_before_anything_is_fetched(
        self, start: Callable[..., LambdaRun], bundle: Path
    ) -> None:
        path = bundle / "_overflow/manifest.json"
        manifest = json.loads(path.read_text("utf-8"))
        manifest["deferred"]["size"] = 1 << 50
        path.unlink()
        path.write_text(json.dumps(manifest), encoding="utf-8")
        run = start(bundle, [IMPORTS])
        assert run.init_error is not None
        assert "EphemeralStorage" in run.init_error["errorMessage"]

    def test_an_import_error_of_the_app_stays_one(
        self, start: Callable[..., LambdaRun], build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        project.write("app.py", "import not_there\ndef handler(event, context): pass\n")
        run = start(build(project, "--no-verify").bundle, [IMPORTS])
        assert run.init_error is not None
        assert run.init_error["errorType"] == "Runtime.ImportModuleError"
        assert "not_there" in run.init_error["errorMessage"]


class TestSafety:
    def test_uv_sees_no_secret_of_the_function(
        self, start: Callable[..., LambdaRun], bundle: Path, tmp_path: Path
    ) -> None:
        """uv is put behind a script that writes down what it was given."""
        uv = bundle / "_uv/uv"
        real = uv.rename(tmp_path / "real-uv")
        seen = tmp_path / "seen.txt"
        uv.write_text(f'#!/bin/sh\nenv > "{seen}"\nexec "{real}" "$@"\n', encoding="utf-8")
        uv.chmod(0o755)
        run = start(bundle, [IMPORTS], DATABASE_PASSWORD="hush", UV_HTTP_TIMEOUT="9")
        assert run.responses, run.log
        text = seen.read_text("utf-8")
        for secret in (FAKE_SECRET_ACCESS_KEY, FAKE_SESSION_TOKEN, "hush"):
            assert secret not in text
        assert "UV_HTTP_TIMEOUT=9" in text

    def test_the_users_modules_come_before_installed_ones(
        self, start: Callable[..., LambdaRun], build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        project.write("beta.py", "")
        bundle = build(project, *OVERFLOWING).bundle
        assert start(bundle, [IMPORTS]).responses[0]["beta"] == f"{bundle}/beta.py"


EVENTS: dict[str, Callable[..., dict[str, Any]]] = {
    "rest api, v1": events.rest_api_v1,
    "http api, v2": events.http_api_v2,
    "function url": events.function_url,
    "load balancer": events.load_balancer,
}


@pytest.mark.parametrize(("kind", "source"), [("wsgi", WSGI), ("asgi", ASGI)])
def test_web_apps_answer_events_of_each_kind(
    start: Callable[..., LambdaRun],
    build: Callable[..., Built],
    tmp_path: Path,
    kind: str,
    source: str,
) -> None:
    project = make_project(tmp_path / "project", "alpha", app=source)
    bundle = build(project, "--handler", "app:app", *OVERFLOWING).bundle
    asked = [make("/hello", "POST", "body of it") for make in EVENTS.values()]
    run = start(bundle, asked)
    assert run.init_error is None, run.log
    for name, response in zip(EVENTS, run.responses, strict=True):
        status, answer = status_and_json(response)
        assert status == 200, (kind, name)
        assert (answer["method"], answer["path"]) == ("POST", "/hello"), (kind, name)
        assert answer["body"] == "body of it", (kind, name)


def test_a_function_gets_the_event_as_it_is(
    start: Callable[..., LambdaRun], build: Callable[..., Built], project: ProjectFolder
) -> None:
    project.write("app.py", FUNCTION.replace("names = ", "return dict(event)\n    names = "))
    run = start(build(project).bundle, [{"any": ["thing"]}, events.rest_api_v1("/x")])
    assert run.responses[0] == {"any": ["thing"]}
    assert run.responses[1]["path"] == "/x"


def test_binary_bodies_are_base64(
    start: Callable[..., LambdaRun], build: Callable[..., Built], tmp_path: Path
) -> None:
    app = (
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'image/png')])\n"
        "    return [bytes(range(256))]\n"
    )
    project = make_project(tmp_path / "project", "alpha", app=app)
    bundle = build(project, "--handler", "app:app").bundle
    run = start(bundle, [make("/") for make in EVENTS.values()])
    for response in run.responses:
        assert response["isBase64Encoded"] is True


def test_arm64_bundle_carries_an_arm64_uv(
    build: Callable[..., Built], project: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From PyPI's wheel, checked by hash; it cannot be started here."""
    monkeypatch.setenv("UV_INDEX", "https://pypi.org/simple")
    built = build(project, "--architecture", "arm64", *OVERFLOWING)
    binary = (built.bundle / "_uv/uv").read_bytes()
    assert len(binary) == ARM64.size
    assert binary[18:20] == b"\xb7\x00", "ELF machine 183 is AArch64"
