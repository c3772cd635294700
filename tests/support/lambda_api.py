"""Run a bundle as Lambda does: the real runtime client against a Runtime API on loopback."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import secrets
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.loopback import LoopbackServer, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import Self

RIC_VERSION = "4.2.2"
FUNCTION_NAME = "overflow-test"
REGION = "eu-central-1"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:123456789012:function:{FUNCTION_NAME}"
FAKE_SECRET_ACCESS_KEY = "fake-secret-access-key-must-not-leak"
FAKE_SESSION_TOKEN = "fake-session-token-must-not-leak"

# The test's own variables that a function gets: without them the network may be out of reach.
_PASSED_ON = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_NO_PROXY = ("NO_PROXY", "no_proxy")

_PREFIX = "/2018-06-01/runtime/"
_ACCEPTED = Reply(status=202, body=b'{"status":"OK"}', headers={"Content-Type": "application/json"})
_GRACE = 5.0


class RuntimeGoneError(RuntimeError):
    """The runtime has ended, or reported that it could not start."""


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """The answer to one event; `error` is None if the handler returned."""

    request_id: str
    response: Any
    error: dict[str, Any] | None
    seconds: float


@dataclass(frozen=True)
class _Event:
    request_id: str
    body: bytes
    deadline_ms: int


class RuntimeApi(LoopbackServer):
    """Lambda's Runtime API for one runtime, which is invoked with `invoke`."""

    def __init__(self) -> None:
        super().__init__()
        self.init_error: dict[str, Any] | None = None
        self._changed = threading.Condition()
        self._queue: deque[_Event] = deque()
        self._waiting: set[str] = set()
        self._answers: dict[str, tuple[Any, dict[str, Any] | None]] = {}
        self._ready = False
        self._gone = False

    @property
    def address(self) -> str:
        """The value for AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self.port}"

    def wait_ready(self, *, timeout: float = 60) -> None:
        """Wait until the runtime asks for its first event, which ends its init phase."""
        with self._changed:
            self._wait(lambda: self._ready, timeout, "the init phase")

    def invoke(self, event: Mapping[str, Any], *, timeout: float = 60) -> Invocation:
        """Send one event and wait for its answer.

        Raises TimeoutError, or RuntimeGoneError if the runtime cannot answer any more.
        """
        started = time.monotonic()
        sent = _Event(
            request_id=str(uuid.uuid4()),
            body=json.dumps(event).encode(),
            deadline_ms=int((time.time() + timeout) * 1000),
        )
        with self._changed:
            self._queue.append(sent)
            self._waiting.add(sent.request_id)
            self._changed.notify_all()
            try:
                self._wait(lambda: sent.request_id in self._answers, timeout, "an answer")
            finally:
                self._waiting.discard(sent.request_id)
                with contextlib.suppress(ValueError):
                    self._queue.remove(sent)
            response, error = self._answers.pop(sent.request_id)
        return Invocation(
            request_id=sent.request_id,
            response=response,
            error=error,
            seconds=time.monotonic() - started,
        )

    def runtime_ended(self) -> None:
        """Say that the runtime's process has ended: nobody will answer any more."""
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def stop_waiting(self) -> None:
        self.runtime_ended()

    def _wait(self, ready: Callable[[], bool], timeout: float, what: str) -> None:
        self._changed.wait_for(
            lambda: ready() or self._gone or self.init_error is not None, timeout
        )
        if ready():
            return
        if self.init_error is not None:
            raise RuntimeGoneError(f"the runtime could not start: {self.init_error}")
        if self._gone:
            raise RuntimeGoneError(f"the runtime ended while {what} was awaited")
        raise TimeoutError(f"no end of the wait for {what} after {timeout:g} s")

    def answer(self, request: Request) -> Reply:
        if not request.path.startswith(_PREFIX):
            return _refused(404, "NotFound", request.path)
        match request.method, request.path[len(_PREFIX) :].split("/"):
            case "GET", ["invocation", "next"]:
                return self._next()
            case "POST", ["invocation", request_id, "response"]:
                return self._answered(request_id, _decode(request.body), None)
            case "POST", ["invocation", request_id, "error"]:
                return self._answered(request_id, None, _error(request))
            case "POST", ["init", "error"]:
                with self._changed:
                    self.init_error = _error(request)
                    self._changed.notify_all()
                return _ACCEPTED
        return _refused(404, "NotFound", f"{request.method} {request.path}")

    def _next(self) -> Reply:
        with self._changed:
            self._ready = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._queue or self._gone)
            if self._gone:
                return _refused(410, "Gone", "the Runtime API is closed")
            event = self._queue.popleft()
        trace = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
        return Reply(
            body=event.body,
            headers={
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": event.request_id,
                "Lambda-Runtime-Deadline-Ms": str(event.deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": FUNCTION_ARN,
                "Lambda-Runtime-Trace-Id": (
                    f"Root={trace};Parent={secrets.token_hex(8)};Sampled=0"
                ),
            },
        )

    def _answered(self, request_id: str, response: Any, error: dict[str, Any] | None) -> Reply:
        with self._changed:
            if request_id not in self._waiting or request_id in self._answers:
                return _refused(400, "InvalidRequestID", "Invalid request ID")
            self._answers[request_id] = (response, error)
            self._changed.notify_all()
        return _ACCEPTED


def _refused(status: int, kind: str, message: str) -> Reply:
    body = json.dumps({"errorType": kind, "errorMessage": message}).encode()
    return Reply(status=status, body=body, headers={"Content-Type": "application/json"})


def _decode(body: bytes) -> Any:
    # A handler that returns bytes is sent on as it is: that need not be JSON.
    try:
        return json.loads(body)
    except ValueError:
        return body


def _error(request: Request) -> dict[str, Any]:
    decoded = _decode(request.body)
    if isinstance(decoded, dict):
        return decoded
    kind = request.headers.get("Lambda-Runtime-Function-Error-Type", "")
    return {"errorType": kind, "errorMessage": request.body.decode(errors="replace")}


@dataclass(frozen=True, kw_only=True)
class LambdaRun:
    """What became of a bundle.

    `responses` and `errors` are in the order of the events; an answered event is in one of them.
    A process that ended or took too long gives Lambda's own `Runtime.ExitError` or
    `Sandbox.Timedout`, and no further event is sent. `exit_code` is None if the process was
    still running when it was stopped. `seconds_to_first_response` counts from the start of the
    process to the first answer, and is infinite without one.
    """

    responses: tuple[Any, ...]
    errors: tuple[dict[str, Any], ...]
    init_error: dict[str, Any] | None
    log: str
    exit_code: int | None
    seconds_to_first_response: float


def lambda_environment(
    bundle: Path, *, api: str, home: Path, python: Path, ric: Path, handler: str
) -> dict[str, str]:
    """The variables that a function finds; nothing but certificates and proxies is the test's."""
    environment = {
        "AWS_ACCESS_KEY_ID": "ASIAFAKEFAKEFAKEFAKE",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{_python_version(python)}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "AWS_LAMBDA_FUNCTION_NAME": FUNCTION_NAME,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{FUNCTION_NAME}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2025/01/01/[$LATEST]00000000000000000000000000000000",
        "AWS_LAMBDA_RUNTIME_API": api,
        "AWS_REGION": REGION,
        "AWS_SECRET_ACCESS_KEY": FAKE_SECRET_ACCESS_KEY,
        "AWS_SESSION_TOKEN": FAKE_SESSION_TOKEN,
        "HOME": str(home),
        "LAMBDA_RUNTIME_DIR": str(ric),
        "LAMBDA_TASK_ROOT": str(bundle),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ric),
        "TZ": ":UTC",
        "_HANDLER": handler,
    }
    environment |= {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    proxies = {name: os.environ[name] for name in _PROXIES if name in os.environ}
    if proxies:
        environment |= proxies
        for name in _NO_PROXY:
            environment[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1")))
    return environment


def run_bundle(
    bundle: Path,
    events: Sequence[Mapping[str, Any]],
    *,
    python: Path,
    ric: Path,
    handler: str = "overflow_trampoline.handler",
    env: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> LambdaRun:
    """Start the runtime client in the bundle and send it the events, one after the other.

    `timeout` is for the whole run. Without events the run ends with the init phase.
    """
    bundle, ric = bundle.resolve(), ric.resolve()
    responses: list[Any] = []
    errors: list[dict[str, Any]] = []
    exit_code: int | None = None
    first = math.inf
    with RuntimeApi() as api, tempfile.TemporaryDirectory(prefix="lambda-run-") as scratch:
        environment = lambda_environment(
            bundle,
            api=api.address,
            home=Path(scratch) / "no-home",
            python=python,
            ric=ric,
            handler=handler,
        )
        environment |= env or {}
        output = Path(scratch) / "output"
        started = time.monotonic()
        with _Child(
            [str(python), "-m", "awslambdaric", handler],
            cwd=bundle,
            environment=environment,
            output=output,
            on_end=api.runtime_ended,
        ) as child:
            try:
                if not events:
                    api.wait_ready(timeout=timeout)
                for event in events:
                    left = max(0.0, started + timeout - time.monotonic())
                    answer = api.invoke(event, timeout=left)
                    first = min(first, time.monotonic() - started)
                    if answer.error is None:
                        responses.append(answer.response)
                    else:
                        errors.append(answer.error)
            except RuntimeGoneError:
                exit_code = child.wait(_GRACE)
                if api.init_error is None:
                    errors.append(_exit_error(exit_code))
            except TimeoutError:
                message = f"Error: Task timed out after {timeout:.2f} seconds"
                errors.append({"errorType": "Sandbox.Timedout", "errorMessage": message})
        # The runtime client ends the lines of a traceback with \r.
        log = output.read_bytes().decode(errors="replace").replace("\r", "\n")
    return LambdaRun(
        responses=tuple(responses),
        errors=tuple(errors),
        init_error=api.init_error,
        log=log,
        exit_code=exit_code,
        seconds_to_first_response=first,
    )


def _exit_error(exit_code: int | None) -> dict[str, Any]:
    if exit_code is not None and exit_code < 0:
        how = f"signal: {signal.Signals(-exit_code).name}"
    else:
        how = f"exit status {exit_code}"
    return {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"Error: Runtime exited with error: {how}",
    }


class _Child:
    """A process in a group of its own; all of the group is stopped on leaving."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str],
        output: Path,
        on_end: Callable[[], None],
    ) -> None:
        with output.open("wb") as stream:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._on_end = on_end
        self._ended = threading.Event()
        self._exit_code: int | None = None
        self._watcher = threading.Thread(target=self._watch, name="lambda-run")

    def _watch(self) -> None:
        # It stays a zombie, so that its number cannot become another group's meanwhile.
        result = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        if result is not None:
            exited = result.si_code == os.CLD_EXITED
            self._exit_code = result.si_status if exited else -result.si_status
        self._ended.set()
        self._on_end()

    def wait(self, timeout: float) -> int | None:
        """The exit code, or None if the process is still running after `timeout`."""
        return self._exit_code if self._ended.wait(timeout) else None

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if not self._ended.is_set():
                os.killpg(self._process.pid, signal.SIGTERM)
                self._ended.wait(_GRACE)
        finally:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._watcher.join()
            self._process.wait()


@functools.cache
def _python_version(python: Path) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run(
        [str(python), "-I", "-S", "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def install_ric(uv: Path, python: Path, target: Path) -> Path:
    """Install the runtime client from PyPI for `python` into the folder `target`."""
    command = [str(uv), "pip", "install", "--quiet", "--only-binary", ":all:"]
    command += ["--python", str(python), "--target", str(target), f"awslambdaric=={RIC_VERSION}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"awslambdaric could not be installed:\n{done.stderr}")
    return target
