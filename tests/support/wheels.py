"""Small wheels and source distributions made by code; the same arguments give the same bytes.

A source distribution carries this very file as its build backend, hence only the standard
library is imported here, and no other module of the tests.
"""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BACKEND = "in_tree_backend"
SETTINGS = "backend.json"
PAYLOAD = "payload"
PYPROJECT = f"""\
[build-system]
requires = []
build-backend = "{BACKEND}"
backend-path = ["."]
"""


def import_name(name: str) -> str:
    """The name of the package's folder, and of its files in an index."""
    return re.sub(r"[-_.]+", "_", name).lower()


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, str | bytes] | None = None,
    requires: Sequence[str] = (),
    extras: Mapping[str, Sequence[str]] | None = None,
    tag: str = "py3-none-any",
    entry_points: str | None = None,
    requires_python: str | None = None,
    compress: bool = False,
) -> Path:
    """Write a wheel; without `files` it holds a package with nothing but `__version__`.

    It is stored uncompressed unless `compress` is given: deflate's bytes depend on the machine.
    """
    contents = {path: _bytes(data) for path, data in _files(name, version, files).items()}
    info = f"{import_name(name)}-{version}.dist-info"
    contents[f"{info}/METADATA"] = _metadata(
        name, version, requires=requires, extras=extras, requires_python=requires_python
    )
    contents[f"{info}/WHEEL"] = _wheel(tag)
    if entry_points is not None:
        contents[f"{info}/entry_points.txt"] = entry_points.encode()
    record = f"{info}/RECORD"
    contents[record] = _record(contents, record)

    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{import_name(name)}-{version}-{tag}.whl"
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in contents.items():
            entry = zipfile.ZipInfo(path)
            entry.compress_type = method
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data)
    return wheel


def make_sdist(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, str | bytes] | None = None,
    requires: Sequence[str] = (),
    requires_python: str | None = None,
    compiled_tag: str | None = None,
) -> Path:
    """Write a source distribution that builds without the network, having no requirements.

    The built wheel is `py3-none-any`, or has `compiled_tag`: a full tag, or a platform such as
    `linux_x86_64`, to which the building interpreter adds its own `cp312-cp312`.
    """
    settings = {
        "name": name,
        "version": version,
        "requires": list(requires),
        "requires_python": requires_python,
        "compiled_tag": compiled_tag,
    }
    metadata = _metadata(name, version, requires=requires, requires_python=requires_python)
    contents = {
        "PKG-INFO": metadata,
        "pyproject.toml": PYPROJECT.encode(),
        f"{BACKEND}.py": Path(__file__).read_bytes(),
        SETTINGS: json.dumps(settings, indent=1).encode(),
    }
    for path, data in _files(name, version, files).items():
        contents[f"{PAYLOAD}/{path}"] = _bytes(data)

    folder.mkdir(parents=True, exist_ok=True)
    root = f"{import_name(name)}-{version}"
    sdist = folder / f"{root}.tar.gz"
    with (
        sdist.open("wb") as stream,
        # Level 0 only stores: deflate's bytes depend on the machine.
        gzip.GzipFile("", "wb", compresslevel=0, fileobj=stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, data in contents.items():
            entry = tarfile.TarInfo(f"{root}/{path}")
            entry.size = len(data)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(data))
    return sdist


def build_wheel(
    wheel_directory: str,
    config_settings: Mapping[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """PEP 517: called in the unpacked source distribution, where this file is the backend."""
    settings = json.loads(Path(SETTINGS).read_bytes())
    payload = Path(PAYLOAD)
    tag = settings["compiled_tag"] or "py3-none-any"
    if "-" not in tag:
        python = f"cp{sys.version_info.major}{sys.version_info.minor}"
        tag = f"{python}-{python}-{tag}"
    wheel = make_wheel(
        Path(wheel_directory),
        settings["name"],
        settings["version"],
        files={
            path.relative_to(payload).as_posix(): path.read_bytes()
            for path in sorted(payload.rglob("*"))
            if path.is_file()
        },
        requires=settings["requires"],
        requires_python=settings["requires_python"],
        tag=tag,
    )
    return wheel.name


def _files(
    name: str, version: str, files: Mapping[str, str | bytes] | None
) -> Mapping[str, str | bytes]:
    if files is not None:
        return files
    return {f"{import_name(name)}/__init__.py": f'__version__ = "{version}"\n'}


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _metadata(
    name: str,
    version: str,
    *,
    requires: Iterable[str],
    extras: Mapping[str, Sequence[str]] | None = None,
    requires_python: str | None,
) -> bytes:
    # From 2.2 on, nothing can differ between a source distribution and its wheels unless it is
    # marked as dynamic, so resolvers need not build.
    lines = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {version}"]
    if requires_python is not None:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    for extra, requirements in (extras or {}).items():
        lines.append(f"Provides-Extra: {extra}")
        for requirement in requirements:
            bare, _, marker = (part.strip() for part in requirement.partition(";"))
            condition = f'({marker}) and extra == "{extra}"' if marker else f'extra == "{extra}"'
            lines.append(f"Requires-Dist: {bare} ; {condition}")
    return "\n".join([*lines, ""]).encode()


def _wheel(tag: str) -> bytes:
    pythons, abis, platforms = tag.split("-")
    purelib = "true" if (abis, platforms) == ("none", "any") else "false"
    lines = ["Wheel-Version: 1.0", "Generator: tests", f"Root-Is-Purelib: {purelib}"]
    lines += [
        f"Tag: {python}-{abi}-{platform}"
        for python in pythons.split(".")
        for abi in abis.split(".")
        for platform in platforms.split(".")
    ]
    return "\n".join([*lines, ""]).encode()


def _record(contents: Mapping[str, bytes], record: str) -> bytes:
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    for path, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.writerow([path, f"sha256={digest}", len(data)])
    rows.writerow([record, "", ""])
    return text.getvalue().encode()
