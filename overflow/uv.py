"""uv: the commands we give it, and its failures as ours."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from uv import find_uv_bin

from overflow.errors import InputFault, UvFault
from overflow.installer import UV_VERSION
from overflow.process import Completed, child_environment, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from overflow.installer import Installer
    from overflow.target import Target

SAID_AT_MOST = 4000
"""Characters of uv's own words that are shown: their end, where the reason stands."""


@dataclass(frozen=True, kw_only=True)
class Uv:
    """One uv executable and the environment it runs in."""

    binary: str
    environment: Mapping[str, str]

    @classmethod
    def bundled(cls, environ: Mapping[str, str]) -> Uv:
        """The uv that is installed beside overflow, at the version overflow pins."""
        own = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
        return cls(binary=find_uv_bin(), environment={**child_environment(environ), **own})

    def find_python(self, version: str, folder: Path) -> str | None:
        """The path of a CPython that uv knows for `3.12`, or None."""
        done = self._run(["python", "find", "--no-project", f"cpython@{version}"], folder, {})
        return done.output.strip() if done.exit_code == 0 else None

    def check_lock(self, project: Path, python: Path) -> None:
        """Raise InputFault `lock-stale` where uv.lock does not fit its pyproject.toml."""
        done = self._run(["lock", "--check", "--python", str(python)], project, {})
        if done.exit_code == 0:
            return
        said = done.errors
        if "needs to be updated" in said:
            raise InputFault(
                "lock-stale",
                "uv.lock: does not fit pyproject.toml any more",
                hint=f"run `uv lock --project {project}` and commit uv.lock",
                details=_end_of(said),
            )
        if "Failed to parse" in said and ("uv.lock" in said or "pyproject.toml" in said):
            raise InputFault(
                "lock-invalid",
                "uv.lock or pyproject.toml: uv cannot read it",
                hint="mend what uv names; `uv lock` makes the lock anew",
                details=_end_of(said),
            )
        raise self._failed("lock-failed", "uv could not check uv.lock", done)

    def lock(self, project: Path, python: Path) -> None:
        """Write uv.lock. Raises UvFault `lock-failed`."""
        done = self._run(["lock", "--python", str(python)], project, {})
        if done.exit_code != 0:
            raise self._failed("lock-failed", "uv could not lock the project", done)

    def add_requirements(self, project: Path, requirements: Path, python: Path) -> None:
        """Write the requirements of a file into project/pyproject.toml and lock them.

        uv runs beside the file, which is what its relative paths are relative to.
        """
        command = ["add", "--no-sync", "--project", str(project), "--python", str(python)]
        command += ["--requirements", str(requirements)]
        done = self._run(command, requirements.parent, {})
        if done.exit_code != 0:
            raise self._failed("lock-failed", "uv could not lock requirements.txt", done)

    def sync(
        self,
        project: Path,
        environment: Path,
        *,
        python: Path,
        target: Target,
        extras: Sequence[str],
        groups: Sequence[str],
        local: Sequence[str],
    ) -> None:
        """Install the locked project for the target. Raises UvFault `install-failed`.

        local: names that are built from folders. uv keeps what it built of those until their
        pyproject.toml changes; a bundle must have their sources as they are now.
        """
        chosen = [f"--extra={name}" for name in extras] + [f"--group={name}" for name in groups]
        chosen += [f"--refresh-package={name}" for name in local]
        command = ["sync", "--frozen", "--no-default-groups", "--no-editable"]
        if "dev" not in groups:
            command.append("--no-dev")
        platform = ["--python", str(python), "--python-platform", target.uv_platform]
        platform += ["--link-mode", "hardlink"]
        own = {"UV_PROJECT_ENVIRONMENT": str(environment), "UV_NO_INSTALLER_METADATA": "1"}
        done = self._run([*command, *platform, *chosen], project, own)
        if done.exit_code != 0:
            raise self._failed(
                "install-failed",
                f"uv could not install the locked project for {target.runtime} on"
                f" {target.architecture}",
                done,
            )

    def _install_wheel(self, installer: Installer, folder: Path, python: Path) -> None:
        """Install PyPI's wheel of the pinned uv into `folder`, checked by hash."""
        requirement = folder / "uv.txt"
        folder.mkdir(parents=True)
        requirement.write_text(
            f"uv=={UV_VERSION} --hash=sha256:{installer.wheel_sha256}\n", encoding="utf-8"
        )
        command = ["pip", "install", "--no-config", "--no-deps", "--require-hashes"]
        where = ["--target", str(folder), "--python", str(python)]
        platform = ["--python-platform", installer.uv_platform, "--only-binary", ":all:"]
        done = self._run([*command, *where, *platform, "-r", str(requirement)], folder, {})
        if done.exit_code != 0:
            raise self._failed("installer-unavailable", "uv could not fetch its own wheel", done)

    def installer(self, installer: Installer, folder: Path, python: Path) -> Path:
        """The executable for a bundle: this very one where it is the pinned one, else PyPI's."""
        if _recorded_sha256(self.binary) == installer.binary_sha256:
            return Path(self.binary)
        self._install_wheel(installer, folder, python)
        fetched = folder / "bin" / "uv"
        if _sha256(fetched) != installer.binary_sha256:
            raise UvFault(
                "installer-unavailable",
                f"the uv {UV_VERSION} that was fetched is not the one that is pinned",
                hint="the package index gives other files than PyPI: do not trust it",
            )
        return fetched

    def _run(self, arguments: Sequence[str], folder: Path, own: Mapping[str, str]) -> Completed:
        return run(
            [self.binary, *arguments], folder=folder, environment={**self.environment, **own}
        )

    def _failed(self, code: str, message: str, done: Completed) -> UvFault:
        return UvFault(
            code,
            f"{message} (exit code {done.exit_code})",
            hint="what uv says is above; its own --verbose tells more",
            details=_end_of(done.errors or done.output),
        )


def _recorded_sha256(binary: str) -> str | None:
    """The sha256 that uv's wheel names for this file; its installer has checked the wheel's own.

    Reading it from RECORD is a tenth of a second less than hashing 38 MB again.
    """
    from importlib.metadata import distribution  # noqa: PLC0415 - see resources.py

    for file in distribution("uv").files or ():
        is_it = file.name == "uv" and Path(str(file.locate())).resolve() == Path(binary).resolve()
        if is_it and file.hash is not None and file.hash.mode == "sha256":
            return urlsafe_b64decode(file.hash.value + "=" * (-len(file.hash.value) % 4)).hex()
    return None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _end_of(text: str) -> str:
    text = text.strip()
    return text if len(text) <= SAID_AT_MOST else f"[...]{text[-SAID_AT_MOST:]}"
