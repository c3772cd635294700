"""The command as a process: entry points, help, a terminal, Ctrl-C, secrets in no child."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import VERSION
from tests.support.projects import make_source_package

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Result
    from tests.support.index import LocalIndex
    from tests.support.projects import ProjectFolder

ROOT = Path(__file__).parents[2]


def run(
    *command: str | Path, folder: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
        timeout=60,
    )


class TestEntryPoints:
    @pytest.mark.parametrize("words", [["nonsense"], ["action"], ["plan", "more"]])
    def test_entrypoint_says_what_it_takes(self, words: list[str]) -> None:
        done = run(sys.executable, "-I", ROOT / "entrypoint.py", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "entrypoint.py action STEP" in done.stderr
        assert "Traceback" not in done.stderr

    def test_entrypoint_builds_by_environment(
        self, offline: None, index: LocalIndex, project: ProjectFolder, tmp_path: Path
    ) -> None:
        done = run(
            sys.executable,
            ROOT / "entrypoint.py",
            OVERFLOW_PROJECT=str(project.path),
            OVERFLOW_OUTPUT=str(tmp_path / "output"),
            OVERFLOW_THRESHOLD_MB="0.01",
            OVERFLOW_PYTHON=VERSION,
            OVERFLOW_PUBLIC_INDEX=index.url,
            VERCEL_EXPERIMENTAL_PYTHON_UV_INSTALL_ON_STARTUP="1",
        )
        assert done.returncode == 0, done.stderr
        report = json.loads((tmp_path / "output/report.json").read_text("utf-8"))
        assert report["outcome"] == "overflows"

    @pytest.mark.parametrize("command", [("-m", "overflow"), ("-c", "overflow")])
    def test_version(self, command: tuple[str, str]) -> None:
        script = Path(sys.executable).parent / "overflow"
        start = [script] if command[0] == "-c" else [sys.executable, *command]
        assert run(*start, "--version").stdout.startswith("overflow 0.")

    def test_help_teaches(self) -> None:
        done = run(sys.executable, "-m", "overflow", "build", "--help")
        for word in (
            "--threshold-mb",
            "default: 240",
            "--no-runtime-install",
            "PROJECT",
            "{uv,builtin}",
        ):
            assert word in done.stdout
        top = run(sys.executable, "-m", "overflow", "--help").stdout
        assert "exit codes" in top
        assert "OVERFLOW_THRESHOLD_MB" in top


def test_the_origins_switch_turns_runtime_install_off(
    overflow: Callable[..., Result],
    offline: None,
    project: ProjectFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VERCEL_EXPERIMENTAL_PYTHON_UV_INSTALL_ON_STARTUP", "0")
    options = ("--output", tmp_path / "output", "--python", VERSION, "--limit-mb", "0.02")
    result = overflow("build", project.path, *options, "--threshold-mb", "0.01")
    assert result.exit_code == 3
    assert "VERCEL_EXPERIMENTAL_PYTHON_UV_INSTALL_ON_STARTUP=1" in result.out


def test_a_log_gets_one_line_a_step_with_its_duration(
    overflow: Callable[..., Result], offline: None, project: ProjectFolder, tmp_path: Path
) -> None:
    result = overflow("build", project.path, "--output", tmp_path / "out", "--python", VERSION)
    steps = [line for line in result.err.splitlines() if line.endswith(" s)")]
    assert [line.split()[0] for line in steps] == [
        "Read",
        "Checked",
        "Installed",
        "Measured",
        "Trimmed",
        "Imported",
        "Planned:",
        "Wrote",
        "Compressed",
        "Started",
    ]
    assert "\x1b" not in result.err, "no colour in a log"


def test_a_terminal_sees_what_is_going_on(
    offline: None, project: ProjectFolder, tmp_path: Path
) -> None:
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "overflow", "plan", str(project.path), "--python", VERSION]
    process = subprocess.Popen(command, stderr=child, stdout=subprocess.DEVNULL)
    os.close(child)
    shown = b""
    while True:
        try:
            data = os.read(parent, 65536)
        except OSError:  # how a closed terminal ends on Linux
            break
        if not data:
            break
        shown += data
    os.close(parent)
    assert process.wait() == 0
    assert b"Installing for the target with uv" in shown, "said while it lasts"
    assert b"Installed for the target with uv" in shown


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_leaves_nothing_behind(
    offline: None,
    index: LocalIndex,
    project: ProjectFolder,
    tmp_path: Path,
    number: int,
    exit_code: int,
) -> None:
    index.slow = 30.0
    output = tmp_path / "output"
    command = [sys.executable, "-m", "overflow", "build", str(project.path)]
    try:
        process = subprocess.Popen(
            [*command, "--output", str(output), "--python", VERSION],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "UV_CACHE_DIR": str(tmp_path / "cold")},
            start_new_session=True,
        )
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Read small")
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
    finally:
        index.slow = 0.0
        index.stop_waiting()
    assert process.returncode == exit_code
    assert "Traceback" not in said
    assert not output.exists()


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">/dev/full", "| true"])
def test_a_reader_that_is_gone_fails_no_build(
    offline: None, project: ProjectFolder, tmp_path: Path, streams: str
) -> None:
    command = (
        f'"{sys.executable}" -m overflow build "$0" --output "$1" --python {VERSION} {streams}'
    )
    bash = ["bash", "-o", "pipefail", "-c", command]
    done = run(*bash, project.path, tmp_path / "output")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "output/function.zip").exists()


def test_ctrl_c_while_it_is_still_importing() -> None:
    stop = (
        "import builtins, overflow.__main__ as m\n"
        "def stop(*_, **__): raise KeyboardInterrupt\n"
        "real = builtins.__import__; builtins.__import__ = stop\n"
        "code = m.run(); builtins.__import__ = real; raise SystemExit(code)\n"
    )
    assert run(sys.executable, "-c", stop).returncode == 130


def test_a_build_back_end_sees_no_token(
    overflow: Callable[..., Result],
    offline: None,
    project: ProjectFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = make_source_package(project.path / "nosy", "nosy")
    backend = folder / "in_tree_backend.py"
    seen = tmp_path / "seen.json"
    spy = f"import json, os\njson.dump(dict(os.environ), open({str(seen)!r}, 'w'))\n"
    text = backend.read_text("utf-8")
    backend.write_text(text.replace("import gzip\n", f"import gzip\n{spy}", 1), encoding="utf-8")
    pyproject = (project.path / "pyproject.toml").read_text("utf-8").replace("alpha", "nosy")
    project.write("pyproject.toml", f'{pyproject}[tool.uv.sources]\nnosy = {{ path = "nosy" }}\n')
    secrets = ("GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "UV_PUBLISH_TOKEN", "MY_API_KEY")
    for name in (*secrets, "ACTIONS_RUNTIME_TOKEN", "CARGO_REGISTRY_TOKEN"):
        monkeypatch.setenv(name, "hush-hush")
    monkeypatch.setenv("CFLAGS", "-O1")
    options = ("--output", tmp_path / "output", "--python", VERSION)
    result = overflow("build", project.path, *options)
    assert result.exit_code == 0, result.err
    environment = json.loads(seen.read_text("utf-8"))
    assert "hush-hush" not in environment.values()
    assert environment["CFLAGS"] == "-O1"
