"""Resources: files that overflow carries with itself."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def templates_folder() -> Path:
    """The templates: inside an installed package, beside it in a checkout."""
    installed = _HERE / "_templates"
    return installed if installed.is_dir() else _HERE.parent / "templates"


def runtime_files() -> dict[str, bytes]:
    """The runtime package's modules, by file name."""
    folder = _HERE / "runtime"
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.py"))}


def adapter_files(name: str) -> dict[str, bytes]:
    """The files of an adapter that is installed beside overflow, by path in site-packages.

    The adapters are dependencies of overflow, so their hashes are those of its own lock. What
    the installer on this machine noted is left out, so that bundles do not differ by machine.
    """
    # With the email package behind it, this takes 30 ms to import (see installation.py).
    from importlib.metadata import distribution  # noqa: PLC0415

    installed = distribution(name)
    found: dict[str, bytes] = {}
    for file in installed.files or ():
        path = file.as_posix()
        if file.name not in _LOCAL and ".." not in file.parts and file.suffix != ".pyc":
            content = Path(str(file.locate())).read_bytes()
            found[path] = _portable(content) if file.name == "RECORD" else content
    return found


_LOCAL = frozenset({"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})


def _portable(record: bytes) -> bytes:
    rows = sorted(record.decode().splitlines())
    kept = (row for row in rows if row.split(",")[0].rpartition("/")[2] not in _LOCAL)
    return "".join(f"{row}\n" for row in kept if ".pyc," not in row).encode()
