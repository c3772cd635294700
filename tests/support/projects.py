"""Projects for tests: a folder with pyproject.toml and app.py, and local packages that build."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import wheels

if TYPE_CHECKING:
    from collections.abc import Mapping

FUNCTION = """\
import importlib

def handler(event, context):
    names = event.get("import", [])
    return {name: importlib.import_module(name).__file__ for name in names}
"""

WSGI = """\
import json

def app(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    answer = {
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "query": environ["QUERY_STRING"],
        "body": environ["wsgi.input"].read(length).decode(),
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
"""

ASGI = """\
import json

class App:
    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        body = (await receive()).get("body", b"")
        answer = {
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode(),
            "body": body.decode(),
        }
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

app = App()
"""


@dataclass(frozen=True)
class ProjectFolder:
    """A project on disk."""

    path: Path

    def write(self, name: str, text: str | bytes) -> None:
        """A file of the project."""
        place = self.path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode() if isinstance(text, str) else text)


def make_project(
    folder: Path,
    *dependencies: str,
    app: str = FUNCTION,
    more: str = "",
    requires_python: str = ">=3.10",
    name: str = "small",
) -> ProjectFolder:
    """A project that is no package itself; `more` is added to its pyproject.toml."""
    project = ProjectFolder(folder)
    lines = [
        "[project]",
        f"name = {json.dumps(name)}",
        'version = "0.1.0"',
        f"requires-python = {json.dumps(requires_python)}",
        f"dependencies = {json.dumps(dependencies)}",
        more,
    ]
    project.write("pyproject.toml", "\n".join(lines) + "\n")
    project.write("app.py", app)
    return project


def make_source_package(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    dynamic: bool = False,
    compiled_tag: str | None = None,
    files: Mapping[str, str | bytes] | None = None,
) -> Path:
    """A package as sources that builds offline; dynamic: its version is known once built."""
    settings: dict[str, str | list[str] | None] = {
        "name": name,
        "version": version,
        "requires": [],
        "requires_python": None,
        "compiled_tag": compiled_tag,
    }
    known = 'dynamic = ["version"]' if dynamic else f"version = {json.dumps(version)}"
    project = ProjectFolder(folder)
    project.write(
        "pyproject.toml",
        f'{wheels.PYPROJECT}\n[project]\nname = "{name}"\n{known}\nrequires-python = ">=3.10"\n',
    )
    project.write(f"{wheels.BACKEND}.py", Path(wheels.__file__).read_bytes())
    project.write(wheels.SETTINGS, json.dumps(settings))
    package = wheels.import_name(name)
    for path, data in (files or {f"{package}/__init__.py": f'__version__ = "{version}"\n'}).items():
        project.write(f"{wheels.PAYLOAD}/{path}", data)
    return folder
