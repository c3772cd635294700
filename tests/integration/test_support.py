"""The tests' own support: index, packages, interpreters, events and the Lambda runtime."""

from __future__ import annotations

import base64
import json
import math
import os
import select
import subprocess
import threading
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uv

from tests.support import events
from tests.support.index import LocalIndex
from tests.support.lambda_api import (
    FAKE_SECRET_ACCESS_KEY,
    FUNCTION_ARN,
    RuntimeApi,
    RuntimeGoneError,
    install_ric,
    run_bundle,
)
from tests.support.pythons import target_python
from tests.support.wheels import build_wheel, make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PYPROJECT = """\
[project]
name = "small"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = {dependencies}
"""


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Every server has joined its threads when its test ends."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


@pytest.fixture(scope="module")
def python() -> Path:
    return target_python()


@pytest.fixture(scope="module")
def ric(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_ric(Path(uv.find_uv_bin()), python, tmp_path_factory.mktemp("ric"))


class Uv:
    """uv with a cache of its own, and no index but the given one."""

    def __init__(self, project: Path, index: str, cache: Path) -> None:
        self.project = project
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("UV_")},
            "NO_PROXY": "127.0.0.1",
            "UV_CACHE_DIR": str(cache),
            "UV_DEFAULT_INDEX": index,
            "UV_HTTP_RETRIES": "0",
            "UV_PYTHON": str(target_python()),
            "UV_PYTHON_DOWNLOADS": "never",
        }
        self.environment.pop("VIRTUAL_ENV", None)

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [uv.find_uv_bin(), *arguments],
            cwd=self.project,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert not check or done.returncode == 0, done.stderr
        return done


def make_project(folder: Path, *dependencies: str) -> Path:
    folder.mkdir()
    text = PYPROJECT.format(dependencies=json.dumps(dependencies))
    folder.joinpath("pyproject.toml").write_text(text, encoding="utf-8")
    return folder


# Without the proxies of the environment: all that is fetched here is on loopback.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(url: str, **headers: str) -> tuple[int, str, bytes]:
    request = urllib.request.Request(url, headers=headers)
    try:
        with DIRECT.open(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("Content-Type", ""), error.read()


class TestWheels:
    def test_same_arguments_give_the_same_bytes(self, tmp_path: Path) -> None:
        for make in (make_wheel, make_sdist):
            first = make(tmp_path / "a", "Some.Name", "2.0", requires=["other>=1"])
            second = make(tmp_path / "b", "Some.Name", "2.0", requires=["other>=1"])
            assert first.name == second.name
            assert first.read_bytes() == second.read_bytes()

    def test_metadata_and_tags(self, tmp_path: Path) -> None:
        wheel = make_wheel(
            tmp_path,
            "Some.Name",
            files={"some_name/a,b.txt": "text", "some_name/native.so": b"\x7fELF"},
            extras={"fast": ["speed>=1; python_version >= '3.9'", "more"]},
            tag="cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64",
            entry_points="[console_scripts]\nsome = some_name:main\n",
            requires_python=">=3.9",
        )
        with zipfile.ZipFile(wheel) as archive:
            metadata = archive.read("some_name-1.0.dist-info/METADATA").decode()
            tags = archive.read("some_name-1.0.dist-info/WHEEL").decode()
            record = archive.read("some_name-1.0.dist-info/RECORD").decode()
            assert archive.testzip() is None
        assert (
            "Requires-Dist: speed>=1 ; (python_version >= '3.9') and extra == \"fast\"" in metadata
        )
        assert 'Requires-Dist: more ; extra == "fast"' in metadata
        assert "Root-Is-Purelib: false" in tags
        assert tags.count("Tag: cp312-cp312-manylinux") == 2
        # The digest is that of sha256sum, in the encoding of PEP 376.
        assert '"some_name/a,b.txt",sha256=mC2ePrmW9VnmM_TRlN7zdh2Qn1o7ZH0ahR_q1nwyydE,4' in record

    def test_backend_gives_the_wanted_tag(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sdist = make_sdist(tmp_path, "native", compiled_tag="cp312-abi3-linux_aarch64")
        subprocess.run(["tar", "xf", sdist.name], cwd=tmp_path, check=True)
        monkeypatch.chdir(tmp_path / "native-1.0")
        assert build_wheel(str(tmp_path)) == "native-1.0-cp312-abi3-linux_aarch64.whl"


class TestLocalIndex:
    def test_listings_and_files(self, tmp_path: Path) -> None:
        wheel = make_wheel(tmp_path, "Some.Name")
        accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
        with LocalIndex(tmp_path) as index:
            root = index.url.removesuffix("/simple")
            assert json.loads(fetch(f"{index.url}/", Accept=accept)[2])["projects"] == [
                {"name": "some-name"}
            ]
            listing = json.loads(fetch(f"{index.url}/some-name/", Accept=accept)[2])
            kind, page = fetch(f"{index.url}/Some_Name/")[1:]
            (file,) = listing["files"]
            assert fetch(root + file["url"])[2] == wheel.read_bytes()
            assert fetch(f"{root}/files/..%2Fother")[0] == 404
            assert fetch(f"{index.url}/absent/")[0] == 404
            assert fetch(f"{index.url}/", Accept="text/html")[0] == 200
        assert kind.startswith("text/html")
        assert f"{wheel.name}#sha256={file['hashes']['sha256']}".encode() in page
        assert index.requests[1] == "/simple/some-name/"

    def test_closing_cuts_slow_answers_short(self, tmp_path: Path) -> None:
        with LocalIndex(tmp_path, slow=600) as index:
            asked = threading.Thread(target=fetch, args=(f"{index.url}/",))
            asked.start()
            while not index.requests:
                assert asked.is_alive()
        asked.join(timeout=10)
        assert not asked.is_alive()

    def test_uv_locks_and_syncs(self, tmp_path: Path) -> None:
        packages = tmp_path / "packages"
        make_wheel(packages, "leaf", extras={"more": ["extra-leaf"]})
        make_wheel(packages, "extra-leaf", entry_points="[console_scripts]\nleaf = leaf:main\n")
        make_sdist(packages, "pure", requires=["leaf[more]"])
        make_sdist(packages, "native", "3.1", compiled_tag="linux_x86_64")
        project = make_project(tmp_path / "project", "pure", "native")
        with LocalIndex(packages) as index:
            run = Uv(project, index.url, tmp_path / "cache")
            run("lock")
            run("sync", "--locked")
            assert {path.split("/")[1] for path in index.requests} == {"simple", "files"}
        lock = project.joinpath("uv.lock").read_text(encoding="utf-8")
        assert lock.count("[[package]]") == 5
        installed = next(project.joinpath(".venv").glob("lib/python3.12/site-packages"))
        for name in ("leaf", "extra_leaf", "pure", "native"):
            assert installed.joinpath(name, "__init__.py").is_file()
        tags = installed.joinpath("native-3.1.dist-info", "WHEEL").read_text(encoding="utf-8")
        assert "Tag: cp312-cp312-linux_x86_64" in tags

    def test_exclude_newer_needs_upload_times(self, tmp_path: Path) -> None:
        make_wheel(tmp_path / "packages", "leaf")
        project = make_project(tmp_path / "project", "leaf")
        with LocalIndex(tmp_path / "packages") as index:
            run = Uv(project, index.url, tmp_path / "cache")
            assert run("lock", "--exclude-newer", "2025-06-01", check=False).returncode
            index.upload_time = "2025-01-01T00:00:00Z"
            run("lock", "--exclude-newer", "2025-06-01", "--refresh")

    def test_failure_and_passwords_reach_uv(self, tmp_path: Path) -> None:
        make_wheel(tmp_path / "packages", "leaf")
        project = make_project(tmp_path / "project", "leaf")
        with LocalIndex(tmp_path / "packages", basic_auth=("user", "p@ss/word")) as index:
            run = Uv(project, index.url, tmp_path / "cache")
            assert "401" in run("lock", check=False).stderr
            run.environment["UV_DEFAULT_INDEX"] = index.url_with_auth
            run("lock")
            index.fail = True
            assert "503" in run("lock", "--refresh", check=False).stderr
        assert "p@ss" not in project.joinpath("uv.lock").read_text(encoding="utf-8")


def test_target_python(python: Path) -> None:
    code = "import sys; print(sys.version_info[:2], sys.prefix == sys.base_prefix)"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "(3, 12) True"
    with pytest.raises(RuntimeError, match=r"uv python install 2\.1"):
        target_python("2.1")


class TestEvents:
    @pytest.mark.parametrize(
        "make", [events.rest_api_v1, events.http_api_v2, events.function_url, events.load_balancer]
    )
    def test_bodies(self, make: Any) -> None:
        text = make("/a/b", "POST", "text", headers={"X-Some": "1"}, query={"q": "a b"})
        assert (text["body"], text["isBase64Encoded"]) == ("text", False)
        data = make("/a/b", "POST", b"\xff")
        assert (base64.b64decode(data["body"]), data["isBase64Encoded"]) == (b"\xff", True)
        assert json.loads(json.dumps(make("/"))) == make("/")

    def test_status_and_json(self) -> None:
        encoded = base64.b64encode(b'{"a": 1}').decode()
        response = {"statusCode": 201, "body": encoded, "isBase64Encoded": True}
        assert events.status_and_json(response) == (201, {"a": 1})
        assert events.status_and_json({"statusCode": 204}) == (204, None)
        with pytest.raises(ValueError, match=r"not JSON \(status 500\): oops"):
            events.status_and_json({"statusCode": 500, "body": "oops"})
        with pytest.raises(ValueError, match="not an HTTP response"):
            events.status_and_json(None)


class TestRuntimeApi:
    def test_one_event(self) -> None:
        with RuntimeApi() as api:
            base = f"http://{api.address}/2018-06-01/runtime/invocation"
            seen: list[Mapping[str, str]] = []

            def runtime() -> None:
                with DIRECT.open(f"{base}/next", timeout=10) as answer:
                    seen.append(dict(answer.headers))
                    event = json.load(answer)
                request_id = seen[0]["Lambda-Runtime-Aws-Request-Id"]
                assert fetch(f"{base}/{request_id}/response")[0] == 404
                for path, status in ((request_id, 202), (request_id, 400), ("other", 400)):
                    body = json.dumps([event]).encode()
                    post = urllib.request.Request(f"{base}/{path}/response", data=body)
                    try:
                        with DIRECT.open(post, timeout=10) as answer:
                            assert answer.status == status
                    except urllib.error.HTTPError as error:
                        with error:
                            assert error.code == status

            thread = threading.Thread(target=runtime)
            thread.start()
            invocation = api.invoke({"a": 1}, timeout=10)
            thread.join()
        assert invocation.response == [{"a": 1}]
        assert invocation.request_id == seen[0]["Lambda-Runtime-Aws-Request-Id"]
        assert seen[0]["Lambda-Runtime-Invoked-Function-Arn"] == FUNCTION_ARN
        assert seen[0]["Lambda-Runtime-Trace-Id"].startswith("Root=1-")
        assert int(seen[0]["Lambda-Runtime-Deadline-Ms"]) > 1_735_689_600_000

    def test_waits_end(self) -> None:
        with RuntimeApi() as api:
            with pytest.raises(TimeoutError):
                api.invoke({}, timeout=0.01)
            api.runtime_ended()
            with pytest.raises(RuntimeGoneError):
                api.invoke({}, timeout=10)

    def test_a_broken_server_is_noticed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        index = LocalIndex(tmp_path / "absent")
        with pytest.raises(RuntimeError, match="the loopback server failed"), index:
            assert fetch(f"{index.url}/")[0] == 500


HANDLER = """\
import os, sys, time
print("initialised")
def handler(event, context):
    print("event", event)
    match event.get("do"):
        case "raise":
            raise KeyError("no such thing")
        case "exit":
            os._exit(7)
        case "hang":
            time.sleep(600)
        case "environment":
            return {"environ": dict(os.environ), "path": sys.path, "cwd": os.getcwd()}
        case "bytes":
            return b"\\x00\\xff"
    left = context.get_remaining_time_in_millis()
    return {"statusCode": 200, "body": context.aws_request_id, "left": left, "\\u00e9": "\\u00fc"}
"""


@pytest.mark.pypi
class TestRunBundle:
    @pytest.fixture
    def bundle(self, tmp_path: Path) -> Path:
        folder = tmp_path / "bundle"
        folder.mkdir()
        folder.joinpath("overflow_trampoline.py").write_text(HANDLER, encoding="utf-8")
        return folder

    def test_events_in_turn(self, bundle: Path, python: Path, ric: Path) -> None:
        sent: list[dict[str, Any]] = [
            {"n": 1},
            {"do": "raise"},
            {"do": "bytes"},
            events.http_api_v2("/"),
        ]
        run = run_bundle(bundle, sent, python=python, ric=ric, timeout=60)
        first, data, last = run.responses
        assert first["\u00e9"] == "\u00fc"
        assert 0 < first["left"] <= 60_000
        assert data == b"\x00\xff"
        assert first["body"] != last["body"]
        (error,) = run.errors
        assert error["errorType"] == "KeyError"
        assert any("no such thing" in line for line in error["stackTrace"])
        assert run.init_error is None
        assert run.exit_code is None
        assert 0 < run.seconds_to_first_response < 60
        assert run.log.count("initialised\n") == 1
        assert "event {'n': 1}\n" in run.log
        assert not list(bundle.rglob("__pycache__"))

    def test_environment(
        self, bundle: Path, python: Path, ric: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FROM_THE_TEST", "1")
        monkeypatch.setenv("AWS_PROFILE", "somebody")
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        run = run_bundle(
            bundle, [{"do": "environment"}], python=python, ric=ric, env={"EXTRA": "yes"}
        )
        (response,) = run.responses
        environment = response["environ"]
        assert not {"FROM_THE_TEST", "AWS_PROFILE", "VIRTUAL_ENV"} & set(environment)
        assert environment["EXTRA"] == "yes"
        assert environment["AWS_SECRET_ACCESS_KEY"] == FAKE_SECRET_ACCESS_KEY
        assert environment["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.12"
        assert environment["LAMBDA_TASK_ROOT"] == response["cwd"] == str(bundle.resolve())
        assert environment["HTTP_PROXY"] == "http://127.0.0.1:9"
        assert not Path(environment["HOME"]).exists()
        # The bundle is in front of the runtime client, as on Lambda.
        assert response["path"][:2] == [str(bundle.resolve()), str(ric.resolve())]

    @pytest.mark.parametrize(
        ("source", "kind"),
        [
            ("raise ValueError('no start')", "ValueError"),
            ("import no_such_module", "Runtime.ImportModuleError"),
            ("def f(:", "Runtime.UserCodeSyntaxError"),
            ("handle = None", "Runtime.HandlerNotFound"),
        ],
    )
    def test_init_error(
        self, bundle: Path, python: Path, ric: Path, source: str, kind: str
    ) -> None:
        bundle.joinpath("overflow_trampoline.py").write_text(source, encoding="utf-8")
        for count in (2, 0):
            run = run_bundle(bundle, [{}] * count, python=python, ric=ric, timeout=60)
            assert run.init_error is not None
            assert run.init_error["errorType"] == kind
            assert (run.exit_code, run.responses, run.errors) == (1, (), ())
            assert f"[ERROR] {kind}" in run.log
            assert run.seconds_to_first_response == math.inf

    def test_exit_while_importing(self, bundle: Path, python: Path, ric: Path) -> None:
        source = "import os\nprint('gone', flush=True)\nos.kill(os.getpid(), 9)\n"
        bundle.joinpath("overflow_trampoline.py").write_text(source, encoding="utf-8")
        run = run_bundle(bundle, [{}], python=python, ric=ric, timeout=60)
        assert run.init_error is None
        assert run.exit_code == -9
        assert run.errors[0]["errorMessage"].endswith("signal: SIGKILL")
        assert run.log == "gone\n"

    def test_exit_in_the_handler(self, bundle: Path, python: Path, ric: Path) -> None:
        run = run_bundle(bundle, [{}, {"do": "exit"}, {}], python=python, ric=ric, timeout=60)
        assert len(run.responses) == 1
        assert [error["errorType"] for error in run.errors] == ["Runtime.ExitError"]
        assert run.exit_code == 7

    def test_timeout(self, bundle: Path, python: Path, ric: Path) -> None:
        run = run_bundle(bundle, [{"do": "hang"}, {}], python=python, ric=ric, timeout=1)
        assert [error["errorType"] for error in run.errors] == ["Sandbox.Timedout"]
        assert run.exit_code is None

    def test_children_are_stopped_too(self, bundle: Path, python: Path, ric: Path) -> None:
        source = (
            "import os, subprocess\n"
            "subprocess.Popen(['sleep', '600'], stdout=open(os.environ['PIPE'], 'wb'))\n"
            "def handler(event, context): return 1\n"
        )
        bundle.joinpath("overflow_trampoline.py").write_text(source, encoding="utf-8")
        pipe = bundle.parent / "pipe"
        os.mkfifo(pipe)
        end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        try:
            run = run_bundle(
                bundle, [{}], python=python, ric=ric, env={"PIPE": str(pipe)}, timeout=60
            )
            assert run.responses == (1,)
            # The pipe ends when the last process that has it open is gone.
            assert select.select([end], [], [], 10)[0]
            assert not os.read(end, 1)
        finally:
            os.close(end)

    def test_init_only(self, bundle: Path, python: Path, ric: Path) -> None:
        run = run_bundle(bundle, [], python=python, ric=ric, timeout=60)
        assert run.log == "initialised\n"
        assert (run.init_error, run.errors) == (None, ())
