"""The examples, with real uv, real PyPI, the real runtime client and the real /tmp folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from examples import demo
from examples.private.make_repository import make_repository
from overflow.cli import main
from overflow.runtime.manifest import MANIFEST_FILE, OVERFLOW_FOLDER
from overflow.uv import Uv
from tests.support.events import http_api_v2, rest_api_v1, status_and_json
from tests.support.lambda_api import install_ric, run_bundle
from tests.support.pythons import target_python

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.pypi

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def users_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples are built as a user builds them: with no settings."""
    for name in os.environ:
        if name.startswith(("OVERFLOW_", "VERCEL_", "MAXIMISE_")):
            monkeypatch.delenv(name)


@pytest.fixture
def clean_tmp() -> Iterator[None]:
    """An empty /tmp, as far as this project is concerned, before and after."""
    shutil.rmtree(OVERFLOW_FOLDER, ignore_errors=True)
    yield
    shutil.rmtree(OVERFLOW_FOLDER, ignore_errors=True)


@pytest.fixture(scope="module")
def python() -> Path:
    return demo.ensure_python(Path(Uv.bundled(os.environ).binary))


@pytest.fixture(scope="module")
def ric(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_ric(Path(Uv.bundled(os.environ).binary), python, tmp_path_factory.mktemp("ric"))


def unzipped(output: Path) -> Path:
    """function.zip as Lambda unpacks it, with its modes."""
    folder = output / "task"
    with zipfile.ZipFile(output / "function.zip") as archive:
        for info in archive.infolist():
            archive.extract(info, folder)
            (folder / info.filename).chmod(info.external_attr >> 16 & 0o777)
    return folder


def report(output: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((output / "report.json").read_text("utf-8"))
    return content


def size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def test_flask_overflows_starts_and_is_cached(
    tmp_path: Path, python: Path, ric: Path, clean_tmp: None
) -> None:
    output = tmp_path / "output"
    command = ["build", str(EXAMPLES / "flask"), "--strategy", "defer", "--output", str(output)]
    assert main(command) == 0
    found = report(output)
    assert found["outcome"] == "overflows"
    assert found["sizes"]["installed_bytes"] > 250 * 1024 * 1024
    placements = {row["name"]: row["placement"] for row in found["distributions"]}
    assert placements.pop("apig-wsgi") == "vendored"
    assert set(placements.values()) == {"deferred"}
    assert len(placements) == 21
    task = unzipped(output)
    with zipfile.ZipFile(output / "function.zip") as archive:
        in_zip = sum(info.file_size for info in archive.infolist())
    assert found["sizes"]["bundle_bytes"] == size_of(output / "bundle") == in_zip == size_of(task)
    asked = [http_api_v2("/api/deps-check"), rest_api_v1("/api/deps-check")]
    cold = run_bundle(task, asked, python=python, ric=ric)
    assert cold.init_error is None, cold.log
    assert "Installing runtime dependencies...\nRuntime dependencies installed in " in cold.log
    for response in cold.responses:
        status, answer = status_and_json(response)
        assert status == 200
        assert answer["ok"] is True
        assert set(answer["dependencies"]) == {
            "scipy",
            "numpy",
            "pandas",
            "matplotlib",
            "PIL",
            "flask",
        }
        assert answer["dependencies"]["numpy"]["from"].startswith(f"{OVERFLOW_FOLDER}/numpy/")
    assert size_of(Path(OVERFLOW_FOLDER)) >= found["sizes"]["deferred_bytes"]
    warm = run_bundle(task, asked[:1], python=python, ric=ric)
    assert "Using cached runtime dependencies" in warm.log
    assert "Installing" not in warm.log
    assert status_and_json(warm.responses[0])[0] == 200


def test_flask_packed_starts_without_network(
    tmp_path: Path, python: Path, ric: Path, clean_tmp: None
) -> None:
    """All of it travels in the bundle; the start has a proxy and an index that are not there."""
    output = tmp_path / "output"
    command = ["build", str(EXAMPLES / "flask"), "--strategy", "pack", "--output", str(output)]
    assert main(command) == 0
    found = report(output)
    sizes = found["sizes"]
    assert (found["outcome"], found["notes"]) == ("overflows", [])
    placements = {row["name"]: row["placement"] for row in found["distributions"]}
    assert set(placements.values()) == {"vendored", "packed"}
    # Nothing that is imported at the first request needs it, and it compresses well.
    assert placements["fonttools"] == "packed"
    task = unzipped(output)
    with zipfile.ZipFile(output / "function.zip") as archive:
        in_zip = sum(info.file_size for info in archive.infolist())
    assert sizes["bundle_bytes"] == size_of(output / "bundle") == in_zip == size_of(task)
    assert 249 * 1024 * 1024 < sizes["bundle_bytes"] <= 250 * 1024 * 1024
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")
    nowhere["UV_DEFAULT_INDEX"] = "http://127.0.0.1:9/"
    asked = [http_api_v2("/api/deps-check")]
    cold = run_bundle(task, asked, python=python, ric=ric, env=nowhere)
    assert cold.init_error is None, cold.log
    assert "Installing runtime dependencies...\nRuntime dependencies installed in " in cold.log
    status, answer = status_and_json(cold.responses[0])
    assert (status, answer["ok"]) == (200, True)
    for name, one in answer["dependencies"].items():
        row = placements["pillow" if name == "PIL" else name]
        assert one["from"].startswith(OVERFLOW_FOLDER if row == "packed" else str(task)), name
    markers = len(list(Path(OVERFLOW_FOLDER).glob("*/.installed")))
    assert markers == len(list((task / "_overflow/packed").iterdir()))
    of_markers = 64 * markers + 64
    assert size_of(Path(OVERFLOW_FOLDER)) == sizes["unpacked_bytes"] + of_markers
    warm = run_bundle(task, asked, python=python, ric=ric, env=nowhere)
    assert "Using cached runtime dependencies" in warm.log
    assert status_and_json(warm.responses[0])[0] == 200


def test_large_is_three_times_the_limit_and_starts(
    tmp_path: Path, python: Path, ric: Path, clean_tmp: None
) -> None:
    """All packages of examples/large do some work; its second handler answers from the same."""
    output = tmp_path / "output"
    command = ["build", str(EXAMPLES / "large"), "--output", str(output)]
    assert main([*command, "--handler", "app:app"]) == 0
    found = report(output)
    assert found["sizes"]["installed_bytes"] >= 700_000_000
    task = unzipped(output)
    asked = [http_api_v2("/api/deps-check"), http_api_v2("/api/forecast")]
    run = run_bundle(task, asked, python=python, ric=ric)
    assert run.init_error is None, run.log
    status, answer = status_and_json(run.responses[0])
    assert (status, answer["ok"]) == (200, True), answer
    assert len(answer["dependencies"]) == 10
    assert status_and_json(run.responses[1]) == (200, {"tomorrow": 11.0, "total": 24.0})
    manifest = task / MANIFEST_FILE
    content = json.loads(manifest.read_text("utf-8"))
    manifest.write_text(json.dumps({**content, "handler": "light:app"}), encoding="utf-8")
    asked = [http_api_v2("/")]
    run = run_bundle(task, asked, python=python, ric=ric)
    assert status_and_json(run.responses[0]) == (200, {"ok": True, "total": 15}), run.log


@pytest.mark.parametrize(
    "options",
    [
        ("--strategy", "defer"),
        ("--strategy", "defer", "--threshold-mb", "400", "--limit-mb", "400"),
        ("--strategy", "auto"),
    ],
    ids=["deferred", "vendored", "auto"],
)
def test_flask_twice_gives_the_same_zip(tmp_path: Path, options: tuple[str, ...]) -> None:
    for name in ("one", "two"):
        command = ["build", str(EXAMPLES / "flask"), "--output", str(tmp_path / name)]
        assert main([*command, *options]) == 0
    first, second = ((tmp_path / name / "function.zip").read_bytes() for name in ("one", "two"))
    assert first == second


def test_flask_without_runtime_install_is_too_large(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["build", str(EXAMPLES / "flask"), "--output", str(tmp_path / "output")]
    assert main([*command, "--no-runtime-install", "--limit-mb", "200"]) == 3
    assert "drop --no-runtime-install" in capsys.readouterr().out
    assert not (tmp_path / "output/function.zip").exists()


def test_flask_for_another_architecture(tmp_path: Path) -> None:
    """Wheels of the target are measured, although this machine cannot load them."""
    command = ["plan", str(EXAMPLES / "flask"), "--architecture", "arm64"]
    assert main(command) == 0


def test_the_wheel_of_overflow_builds_the_same(tmp_path: Path) -> None:
    """What a user installs: templates and runtime are in it, and nothing else is needed."""
    uv = Uv.bundled(os.environ).binary
    root = EXAMPLES.parent
    command: list[str | Path] = [
        uv,
        "build",
        "--quiet",
        "--wheel",
        "--out-dir",
        tmp_path / "dist",
        root,
    ]
    subprocess.run(command, check=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "v"], check=True)
    python = tmp_path / "v/bin/python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, wheel], check=True)
    project = str(EXAMPLES / "flask")
    command = [tmp_path / "v/bin/overflow", "build", project, "--output", tmp_path / "installed"]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    assert main(["build", project, "--output", str(tmp_path / "checkout")]) == 0
    ours, theirs = (tmp_path / name / "function.zip" for name in ("checkout", "installed"))
    assert ours.read_bytes() == theirs.read_bytes()


def test_private_mixes_public_and_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ric: Path, clean_tmp: None
) -> None:
    project = tmp_path / "private"
    shutil.copytree(EXAMPLES / "private", project)
    for name, value in make_repository(tmp_path / "tariffs.git").items():
        monkeypatch.setenv(name, value)
    output = tmp_path / "output"
    command = ["build", str(project), "--output", str(output), "--threshold-mb", "1"]
    assert main([*command, "--strategy", "defer", "--python", "3.12"]) == 0
    rows = {row["name"]: row for row in report(output)["distributions"]}
    reasons = {name: row["reason"] for name, row in rows.items() if row["placement"] == "vendored"}
    assert reasons == {
        "ledger": "directory source",
        "pricing": "editable source",
        "tariffs": "git source",
    }
    assert {rows[name]["placement"] for name in ("flask", "werkzeug", "jinja2")} == {"deferred"}
    run = run_bundle(unzipped(output), [{"units": 3}], python=target_python(), ric=ric)
    assert run.init_error is None, run.log
    answer = run.responses[0]
    assert answer["entry"] == {"account": "sales", "amount": 3.57}
    assert answer["from"]["flask"].startswith(OVERFLOW_FOLDER)
    assert answer["from"]["pricing"].endswith("/_vendor/pricing/__init__.py")


def test_private_commit_in_the_lock_is_the_one_that_is_made(tmp_path: Path) -> None:
    make_repository(tmp_path / "tariffs.git")
    done = subprocess.run(
        ["git", "-C", tmp_path / "tariffs.git", "rev-parse", "HEAD"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() in (EXAMPLES / "private/uv.lock").read_text("utf-8")
