"""Bundles are started before they are handed out: what that sees, proves, and refuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from overflow import attempt
from overflow.attempt import Trial
from overflow.proof import Finding
from overflow.proving import prove
from overflow.wire import failure_from_json
from tests.integration.test_pack import wide
from tests.support.index import LocalIndex
from tests.support.projects import ProjectFolder, make_project
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import Built, Result

HANDLER = "\ndef handler(event, context): pass\n"
DEFER, AUTO = ("--strategy", "defer"), ("--strategy", "auto")
"""For `defer` nobody has imported the handler before it is bundled."""

AS_IN_LAMBDA = """
import errno, os, socket, sys
import alpha

def refused(number, function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        assert error.errno == number, error
    else:
        raise AssertionError(arguments)

here = os.path.dirname(__file__)
assert here == os.environ["LAMBDA_TASK_ROOT"] == os.getcwd(), (here, os.getcwd())
assert "hush" not in str(dict(os.environ)), os.environ
assert len(os.sched_getaffinity(0)) == 1
assert not os.path.exists(os.path.expanduser("~"))
refused(errno.EROFS, open, here + "/new", "w")
refused(errno.EROFS, open, alpha.__file__, "a")
refused(errno.ENETUNREACH, socket.create_connection, ("192.0.2.1", 9))
open(os.environ["TMPDIR"] + "/mine", "w").close()
"""

ISOLATED = """
assert here == "/var/task", here
assert os.listdir("/tmp") == ["mine"], os.listdir("/tmp")
status = os.statvfs("/tmp")
assert status.f_blocks * status.f_frsize == 600 * 1024 * 1024
"""


def broken(built: Built) -> str:
    """What fault.json says of a build that ended with exit code 5."""
    failure = failure_from_json((built.folder / "fault.json").read_bytes())
    assert (failure.code, failure.exit_code) == ("bundle-broken", 5)
    assert failure.message in built.err
    return failure.message


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """There before the build, as in the action: so fault.json is left in it."""
    (tmp_path / "output").mkdir()
    return tmp_path / "output"


class TestBuild:
    def test_it_starts_as_in_lambda_and_says_how_long_it_took(
        self,
        build: Callable[..., Built],
        project: ProjectFolder,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("GITHUB_TOKEN", "hush")
        monkeypatch.setenv("UV_INDEX_X_PASSWORD", "hush")
        project.write("app.py", AS_IN_LAMBDA + ISOLATED + HANDLER)
        built = build(project, *DEFER, "--tmp-mb", "600")
        proof = built.report["proof"]
        assert (proof["finding"], proof["note"]) == ("proven", ""), proof
        seconds = proof["seconds"]
        assert 0 < seconds["total"] < 30
        assert seconds["install"] == 0
        assert built.report["seconds"]["proof"] >= seconds["total"]
        shown = re.search(r"Started in (\d+\.\d\d) s", built.err)
        assert shown is not None
        assert float(shown[1]) == pytest.approx(seconds["total"], abs=0.006)
        assert "Started in" in (built.folder / "summary.md").read_text("utf-8")

    def test_what_overflows_is_put_into_place(
        self, build: Callable[..., Built], tmp_path: Path
    ) -> None:
        project = wide(tmp_path, text="compressible " * 2_000_000)
        project.write("app.py", "import big" + HANDLER)
        limits = ("--threshold-mb", "2", "--limit-mb", "2")
        built = build(project, "--strategy", "pack", *limits)
        assert built.placements["big"] == "packed"
        assert built.report["proof"]["finding"] == "proven"
        seconds = built.report["proof"]["seconds"]
        assert 0 < seconds["install"] < seconds["total"]

    def test_it_can_be_left_out(self, build: Callable[..., Built], project: ProjectFolder) -> None:
        project.write("app.py", "import not_there" + HANDLER)
        built = build(project, *DEFER, "--no-verify")
        assert built.report["proof"]["finding"] == "unproven"
        assert built.report["proof"]["note"] == "--no-verify"
        assert "proof" not in built.report["seconds"]

    def test_what_is_deferred_is_not_fetched(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        built = build(project, *DEFER, "--threshold-mb", "0.01")
        assert built.report["proof"]["finding"] == "unproven"
        assert "comes from the network" in built.report["proof"]["note"]

    def test_another_machines_is_not_started(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        built = build(project, "--architecture", "arm64")
        assert built.report["proof"]["note"] == "this machine cannot start what is for aarch64"

    def test_the_same_bundle_is_started_once(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        project.write("app.py", "import alpha, time\ntime.sleep(0.2)" + HANDLER)
        first, second = (build(project, *DEFER).report["proof"] for _ in range(2))
        assert second["seconds"] == first["seconds"]
        assert (first["note"], second["note"]) == (
            "",
            "as measured by an earlier build of the same bundle",
        )
        project.write("app.py", "import alpha" + HANDLER)
        assert build(project, *DEFER).report["proof"]["note"] == ""


class TestApps:
    """What an app says when it cannot be imported, and whose fault that is."""

    @pytest.mark.parametrize("strategy", [DEFER, AUTO])
    @pytest.mark.parametrize(
        ("app", "said"),
        [
            ("import os\nos.environ['TABLE']", "KeyError: 'TABLE'"),
            ("import socket\nsocket.create_connection(('192.0.2.1', 9))", "Network is unreachable"),
            ("import sys\nsys.exit('no')", "SystemExit: no"),
            ("import os\nos._exit(7)", "it ended with 7"),
        ],
    )
    def test_without_its_settings_it_is_built_with_a_note(
        self,
        build: Callable[..., Built],
        project: ProjectFolder,
        strategy: tuple[str, str],
        app: str,
        said: str,
    ) -> None:
        project.write("app.py", app + HANDLER)
        built = build(project, *strategy)
        assert built.report["proof"]["finding"] == "unproven"
        assert said in built.report["proof"]["note"]
        assert built.report["warnings"] == []

    def test_what_it_says_is_the_same_in_each_build(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        """Files are named by their places in the bundle: here, they are others each time."""
        project.write("app.py", "open(f'{__file__}.txt')" + HANDLER)
        first, second = (build(project, *AUTO) for _ in range(2))
        assert "Could not import the handler, and read what it imports: " in first.err
        (note,) = first.report["notes"]
        assert "No such file or directory: '/var/task/app.py.txt'" in note
        assert first.report["notes"] == second.report["notes"]

    @pytest.mark.parametrize(
        ("app", "said"),
        [
            ("import alpha.gone", "No module named 'alpha.gone' (alpha 1.0)"),
            ("import not_there", "No module named 'not_there'"),
            ("import os\nos.kill(os.getpid(), 11)", "it was killed by SIGSEGV"),
            (HANDLER + "del handler", "has no attribute 'handler'"),
        ],
    )
    def test_a_bundle_that_cannot_start_is_not_handed_out(
        self,
        build: Callable[..., Built],
        project: ProjectFolder,
        output: Path,
        app: str,
        said: str,
    ) -> None:
        project.write("app.py", app if HANDLER in app else app + HANDLER)
        built = build(project, *DEFER, exit_code=5)
        assert said in broken(built)
        assert not (output / "function.zip").exists()

    def test_what_was_imported_before_it_was_bundled_must_be_again(
        self, build: Callable[..., Built], project: ProjectFolder, output: Path
    ) -> None:
        """In Lambda there is no home; here it stands for anything that only a bundle lacks."""
        project.write("app.py", "import os\nopen(os.path.expanduser('~/x'), 'w')" + HANDLER)
        said = broken(build(project, *AUTO, exit_code=5))
        assert "No such file or directory: '/home/sbx_user1051/x'" in said

    @pytest.mark.parametrize(
        ("app", "said"),
        [
            ("import not_there", "No module named 'not_there'"),
            ("open(__file__ + '.x', 'w')", "Read-only file system"),
            ("import os\nos.kill(os.getpid(), 11)", "it was killed by SIGSEGV"),
        ],
    )
    def test_what_no_setting_would_have_helped_is_broken_as_it_was_before(
        self,
        build: Callable[..., Built],
        project: ProjectFolder,
        output: Path,
        app: str,
        said: str,
    ) -> None:
        output.mkdir(exist_ok=True)
        project.write("app.py", app + HANDLER)
        assert said in broken(build(project, *AUTO, exit_code=5))

    def test_what_a_layer_may_have_is_warned_of(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        project.write("app.py", "import not_there" + HANDLER)
        built = build(project, *AUTO, "--layers-mb", "1")
        assert built.report["warnings"] == [
            "the bundle may not start: ModuleNotFoundError: No module named 'not_there'"
        ]

    def test_an_earlier_bundle_stays(
        self, build: Callable[..., Built], project: ProjectFolder
    ) -> None:
        before = build(project, *DEFER).files()
        project.write("app.py", "import not_there" + HANDLER)
        built = build(project, *DEFER, exit_code=5)
        assert broken(built)
        assert built.files() == before

    def test_a_start_without_end_is_cut_off(
        self,
        build: Callable[..., Built],
        project: ProjectFolder,
        output: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(attempt, "SECONDS", 1)
        project.write("app.py", "import time\ntime.sleep(60)" + HANDLER)
        assert "it took over 1 s" in broken(build(project, *DEFER, exit_code=5))

    def test_its_distributions_fault_is_named(
        self,
        build: Callable[..., Built],
        own_index: LocalIndex,
        tmp_path: Path,
        output: Path,
    ) -> None:
        """One that asks for what it does not require, imported once the app is called."""
        make_wheel(
            own_index.folder, "careless", "3.1", files={"careless/__init__.py": "import zeta"}
        )
        project = make_project(tmp_path / "project", "careless", app="import careless" + HANDLER)
        said = broken(build(project, *DEFER, exit_code=5))
        assert said.endswith("No module named 'zeta' (careless 3.1)")


@pytest.fixture
def own_index(
    tmp_path: Path, offline: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalIndex]:
    """An index of this test's own."""
    with LocalIndex(tmp_path / "own-index") as server:
        monkeypatch.setenv("UV_DEFAULT_INDEX", server.url)
        yield server


class TestVerify:
    @pytest.fixture
    def bundle(self, build: Callable[..., Built], project: ProjectFolder) -> Path:
        project.write("app.py", "import alpha, beta" + HANDLER)
        return build(project, *DEFER, "--no-verify").bundle

    def test_a_build_or_its_bundle(self, overflow: Callable[..., Result], bundle: Path) -> None:
        for folder in (bundle, bundle.parent):
            result = overflow("verify", folder)
            assert result.exit_code == 0, result.err
            assert result.out.startswith("Started in ")
        said = json.loads(overflow("verify", bundle, "--json").out)
        assert said["proof"]["finding"] == "proven"

    @pytest.mark.parametrize(
        ("path", "content", "said"),
        [
            ("_vendor/beta/__init__.py", None, "No module named 'beta' (beta 1.0)"),
            (
                "_vendor/beta/__init__.py",
                "import",
                "invalid syntax (__init__.py, line 1) (beta 1.0)",
            ),
            ("_overflow/handler.py", None, "cannot import name 'handler'"),
            ("app.py", None, "No module named 'app'"),
        ],
    )
    def test_damage_is_found(
        self,
        overflow: Callable[..., Result],
        bundle: Path,
        path: str,
        content: str | None,
        said: str,
    ) -> None:
        (bundle / path).unlink()
        if path.endswith("beta/__init__.py"):
            shutil.rmtree(bundle / "_vendor/beta")
        if content is not None:
            (bundle / path).parent.mkdir(exist_ok=True)
            (bundle / path).write_text(content, encoding="utf-8")
        result = overflow("verify", bundle)
        assert result.exit_code == 5
        assert "error[bundle-broken]: the bundle does not start: " in result.err
        assert said in result.err
        assert result.err.startswith("Tried to start the bundle  ("), "the error says the rest"
        assert "--no-verify" not in result.err, "verify has no such option"
        assert ("/_overflow/" in result.err) is path.startswith("_overflow/")

    @pytest.mark.parametrize("is_gone", [False, True])
    @pytest.mark.parametrize("app", ["import big", "import alpha"])
    def test_a_damaged_archive_is_found(
        self,
        overflow: Callable[..., Result],
        build: Callable[..., Built],
        tmp_path: Path,
        app: str,
        *,
        is_gone: bool,
    ) -> None:
        """Also one that is lazy, of which a start would say nothing."""
        project = wide(tmp_path)
        project.write("app.py", app + HANDLER)
        limits = ("--threshold-mb", "0.25", "--limit-mb", "0.25")
        built = build(project, *AUTO, *limits)
        (archive,) = built.bundle.glob("_overflow/packed/*-big")
        content = archive.read_bytes()
        archive.unlink()
        if not is_gone:
            archive.write_bytes(content[:-1])
        result = overflow("verify", built.folder)
        assert result.exit_code == 5
        assert "is not what was built" in result.err
        assert "(big)" in result.err

    def test_bytecode_of_another_source_is_found(
        self, overflow: Callable[..., Result], bundle: Path, python: Path
    ) -> None:
        """Python would run it: whoever edits a source sees no effect."""
        mode = ("--invalidation-mode", "unchecked-hash")
        command = [str(python), "-m", "compileall", "-q", *mode, str(bundle)]
        subprocess.run(command, check=True)
        assert overflow("verify", bundle).exit_code == 0
        for path in (bundle / "_vendor/beta/__init__.py", bundle / "app.py"):
            content = path.read_text("utf-8")
            path.unlink()
            path.write_text(f"{content}\n1 / 0\n", encoding="utf-8")
        result = overflow("verify", bundle)
        assert result.exit_code == 5
        said = "_vendor/beta/__init__.py has the bytecode of another source, and 1 more"
        assert f"error[bundle-broken]: the bundle is not what was built: {said}\n" in result.err
        assert "remove _vendor/beta/__pycache__/__init__.cpython-312.pyc, and 1 more" in result.err
        assert result.out == f"Is not what was built: {said}.\n"

    def test_what_needs_a_newer_glibc_is_found(
        self, overflow: Callable[..., Result], bundle: Path, python: Path
    ) -> None:
        """A shared object of Python's own, of which one version name is another."""
        version = f"{python.resolve().parents[1]}/lib/python3.12/lib-dynload"
        source = next(Path(version).glob("_struct.*.so"))
        content = source.read_bytes()
        assert b"GLIBC_2.2.5\0" in content
        (bundle / "_vendor/beta/native.abi3.so").write_bytes(
            content.replace(b"GLIBC_2.2.5\0", b"GLIBC_2.999\0").replace(
                b"PyInit__struct", b"PyInit_native\0"
            )
        )
        record = bundle / "_vendor/beta-1.0.dist-info/RECORD"
        listed = record.read_text("utf-8")
        record.unlink()
        record.write_text(listed + "beta/native.abi3.so,,\n", encoding="utf-8")
        (bundle / "_vendor/beta/__init__.py").unlink()
        (bundle / "_vendor/beta/__init__.py").write_text("from beta import native", "utf-8")
        result = overflow("verify", bundle)
        assert result.exit_code == 5
        assert "`GLIBC_2.999' not found" in result.err
        assert "(beta 1.0)" in result.err

    @pytest.mark.parametrize("installer", ["uv", "builtin"])
    def test_what_is_deferred_is_fetched(
        self,
        overflow: Callable[..., Result],
        build: Callable[..., Built],
        project: ProjectFolder,
        installer: str,
    ) -> None:
        project.write("app.py", "import alpha, beta" + HANDLER)
        built = build(project, *DEFER, "--threshold-mb", "0.01", "--installer", installer)
        said = json.loads(overflow("verify", built.folder, "--json").out)
        assert said["proof"]["finding"] == "proven"
        assert said["proof"]["seconds"]["install"] > 0

    def test_a_small_tmp_is_too_small(
        self,
        overflow: Callable[..., Result],
        build: Callable[..., Built],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        project = wide(tmp_path)
        project.write("app.py", "import big" + HANDLER)
        limits = ("--threshold-mb", "0.25", "--limit-mb", "0.25")
        bundle = build(project, *AUTO, *limits).bundle
        assert overflow("verify", bundle).exit_code == 0
        for size in ("511", "10241", "x"):
            assert overflow("verify", bundle, "--tmp-mb", size).exit_code == 2
        monkeypatch.setattr("overflow.inputs.TMP_DEFAULT_MB", 0)  # a wheel of 512 MB takes long
        result = overflow("verify", bundle, "--tmp-mb", "0")
        assert result.exit_code == 5
        assert "give the function more ephemeral storage" in result.err
        assert "hint: raise EphemeralStorage on the function" in result.err
        assert "  | " not in result.err

    def test_another_machines_is_refused(
        self, overflow: Callable[..., Result], bundle: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.copy(
            next(Path(sys.base_prefix).glob("lib/python3*/lib-dynload/_struct.*.so")),
            bundle / "_vendor/x.so",
        )
        monkeypatch.setattr("platform.machine", lambda: "riscv64")
        result = overflow("verify", bundle)
        assert result.exit_code == 2
        assert "error[bundle-other-machine]" in result.err

    @pytest.mark.parametrize(
        ("name", "content", "says"),
        [
            ("gone", None, "gone: there is no such folder"),
            ("", None, "has no _overflow/manifest.json, and no bundle/_overflow/manifest.json"),
            ("", "{", "manifest.json: not JSON"),
            ("", '{"schema": 99}', "manifest.json: schema: expected 2"),
            ("", '{"schema": 2}', "manifest.json: build: expected "),
        ],
    )
    def test_what_is_no_bundle_is_refused(
        self,
        overflow: Callable[..., Result],
        tmp_path: Path,
        name: str,
        content: str | None,
        says: str,
    ) -> None:
        if content is not None:
            (tmp_path / "_overflow").mkdir()
            (tmp_path / "_overflow/manifest.json").write_text(content, encoding="utf-8")
        result = overflow("verify", tmp_path / name)
        assert result.exit_code == 2
        assert "error[bundle-invalid]: " in result.err
        assert says in result.err

    def test_a_python_that_is_not_here_cannot_be_another(
        self, overflow: Callable[..., Result], bundle: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "version_info", (3, 9))
        monkeypatch.setenv("PYENV_ROOT", "/nowhere")
        monkeypatch.delenv("RUNNER_TOOL_CACHE", raising=False)
        monkeypatch.setattr("overflow.uv.Uv.find_python", lambda *_: None)
        result = overflow("verify", bundle)
        assert result.exit_code == 2
        assert "error[python-missing]: Python 3.12, which the bundle is for" in result.err
        assert "hint: install it: `uv python install 3.12`\n" in result.err


class TestWithoutIsolation:
    """As in a container, where the kernel refuses namespaces."""

    @pytest.fixture
    def refused(self, python: Path) -> Iterator[Path]:
        """A Python that an empty /tmp would hide."""
        with tempfile.TemporaryDirectory(dir="/tmp") as name:
            place, real = Path(name), python.resolve()
            (place / "bin").mkdir()
            shutil.copy2(real, place / "bin")
            (place / "lib").symlink_to(real.parents[1] / "lib")
            yield place / "bin" / real.name

    def test_it_is_started_all_the_same(
        self, build: Callable[..., Built], project: ProjectFolder, refused: Path, tmp_path: Path
    ) -> None:
        project.write("app.py", AS_IN_LAMBDA + HANDLER)
        bundle = build(project, *DEFER).bundle
        trial = Trial(python=refused, tmp_bytes=1 << 20)
        proof = prove(bundle, trial, tmp_path / "work", os.environ)
        assert proof.finding is Finding.PROVEN, proof
        assert proof.note.startswith("without isolation: Python itself is in /tmp/")

    def test_what_overflows_goes_elsewhere(
        self, build: Callable[..., Built], tmp_path: Path, refused: Path
    ) -> None:
        project = wide(tmp_path)
        project.write("app.py", "import big\nassert 'work' in big.__file__" + HANDLER)
        limits = ("--threshold-mb", "0.13", "--limit-mb", "0.13", "--no-verify")
        bundle = build(project, "--strategy", "pack", *limits).bundle
        trial = Trial(python=refused, tmp_bytes=1 << 20, before="")
        proof = prove(bundle, trial, tmp_path / "work", os.environ)
        assert proof.finding is Finding.PROVEN, proof
        assert not any(tmp_path.glob("_vc_deps*"))


class TestDemand:
    def test_what_the_code_asks_for_later_must_come_too(
        self, build: Callable[..., Built], tmp_path: Path, output: Path
    ) -> None:
        """Here a bundle breaks it by being where it is: any other reason would do."""
        text = "import os\nassert os.environ['LAMBDA_TASK_ROOT'] != '/var/task'\n"
        project = wide(tmp_path)
        path = tmp_path / "little/payload/little/__init__.py"
        assert path.exists()
        path.write_text(text, encoding="utf-8")
        project.write("app.py", "def handler(event, context):\n    import little\n")
        said = broken(build(project, *AUTO, exit_code=5))
        assert "AssertionError" in said
        assert "(little 1.0)" in said

    def test_what_failed_before_may_fail_again(
        self, build: Callable[..., Built], tmp_path: Path
    ) -> None:
        project = wide(tmp_path)
        path = tmp_path / "little/payload/little/__init__.py"
        path.write_text("import os\nos.environ['TABLE']\n", encoding="utf-8")
        project.write("app.py", "def handler(event, context):\n    import little\n")
        built = build(project, *AUTO)
        assert built.report["proof"]["finding"] == "proven"

    @pytest.mark.parametrize(
        ("start", "options"),
        [
            ("", ("--no-start-record",)),
            ("if os.environ['LAMBDA_TASK_ROOT'] != '/var/task':\n    os._exit(7)\n", ()),
        ],
        ids=["not asked for", "no answer"],
    )
    def test_what_was_only_read_may_be_what_the_app_does_without(
        self, build: Callable[..., Built], tmp_path: Path, start: str, options: tuple[str, ...]
    ) -> None:
        project = wide(tmp_path)
        path = tmp_path / "little/payload/little/__init__.py"
        path.write_text("raise ImportError('libGL.so.1: cannot open')", encoding="utf-8")
        guarded = "    try:\n        import little\n    except ImportError:\n        pass\n"
        project.write("app.py", f"import os\n{start}def handler(event, context):\n{guarded}")
        built = build(project, *AUTO, *options)
        assert built.report["proof"]["finding"] == "proven"
