"""A made-up bundle with groups that are lazy, or with the same groups put in place at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from overflow.cache import Cache
from overflow.crate import Item, write_crate
from overflow.measure import measure
from overflow.provides import provides
from overflow.resources import runtime_files
from overflow.runtime.manifest import INFO_FOLDER, PACKED_FOLDER, Group, Manifest, to_json
from tests.unit.builders import install, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from overflow.measure import Distribution, Measurement

APP = """
def handler(event, context):
    scope = {}
    exec(event, scope)
    return scope.get("result")
"""

VENDORED = {
    "google-auth": {"google/auth/__init__.py": "", "google/cloud/common.py": ""},
    "old-setuptools": {
        "pkg_resources.py": "import os, sys\n"
        "there = [path for path in sys.path if os.path.isdir(path)]\n"
        "found = sorted({n for p in there for n in os.listdir(p) if n.endswith('.dist-info')})\n",
    },
    "shown": {"shown/__init__.py": "", "splitns/from_vendor.py": "where = __file__\n"},
}

EAGER = {"eager": {"eager.py": "", "splitns/from_eager.py": "where = __file__\n"}}

LAZY = {
    "alpha": {
        "alpha/__init__.py": "from . import sub\nwhere = __file__\n",
        "alpha/sub.py": "x = 1\n",
        "alpha/data.txt": "data of alpha",
        "alpha/inner/__init__.py": "",
        "alpha/inner/deep.py": "",
        "alpha_single.py": "import alpha\n",
    },
    "broken": {
        "broken/__init__.py": "raise ValueError('of its own')\n",
        "needing/__init__.py": "import nothing_there\n",
        "falling_back.py": "try:\n    import nothing_there\nexcept ImportError:\n    fell = True\n",
    },
    "google-storage": {"google/cloud/storage/__init__.py": "x = 1\n", "google/cloud/one.py": ""},
    "google-pubsub": {
        "google/cloud/pubsub/__init__.py": "from google.cloud import storage\n",
        "splitns/from_lazy.py": "where = __file__\n",
    },
    "shadowed": {"app.py": "raise AssertionError('shadows the app')\n", "shadowed.py": ""},
    "only-stubs": {"alpha-stubs/__init__.pyi": "x: int"},
}


@dataclass(frozen=True, kw_only=True)
class LazyBundle:
    """A bundle, with an overflow folder of its own in place of /tmp's."""

    root: Path
    overflow: Path
    manifest: Manifest

    def command(self, python: Path, code: str) -> list[str]:
        """Starts the bundle, has its handler run the code, and prints its `result` as JSON."""
        asked = f"print(json.dumps(handler({code!r}, None)))"
        return [
            str(python),
            "-c",
            f"import json\nfrom overflow_trampoline import handler\n{asked}\n",
        ]

    def run(self, python: Path, code: str) -> Any:
        """The result, with the folders of bundle and overflow as `<root>` and `<overflow>`."""
        return self.run_and_log(python, code)[0]

    def run_and_log(self, python: Path, code: str) -> tuple[Any, list[str]]:
        """The result, and the lines printed before it."""
        done = subprocess.run(
            self.command(python, code),
            cwd=self.root,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        *log, result = done.stdout.splitlines()
        result = result.replace(str(self.overflow), "<overflow>").replace(str(self.root), "<root>")
        return json.loads(result), log

    def placed(self) -> set[str]:
        """The distributions whose group is in place."""
        return {path.parent.name.partition("-")[2] for path in self.overflow.glob("*/.installed")}


ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PATH": os.defpath}


def make_lazy_bundle(folder: Path, *, lazy: bool = True, python: str = "3.12") -> LazyBundle:
    """With lazy=False, the lazy groups are eager: what Python says of that one is what is right."""
    site = folder / "site"
    for name, files in {**VENDORED, **EAGER, **LAZY}.items():
        install(site, name.replace("-", "_"), files={**files, **_entry_points(name)})
    measured = measure(site)
    root = folder / "task"
    _place(root, measured)
    (root / PACKED_FOLDER).mkdir(parents=True)
    manifest = Manifest(
        build="b" if lazy else "a",
        python=python,
        handler="app:handler",
        interface="function",
        overflow_folder=str(folder / "tmp" / "_vc_deps_overflow"),
        groups=tuple(_groups(root, measured, lazy=lazy)),
    )
    (folder / "tmp").mkdir()
    (root / "_overflow/manifest.json").write_text(to_json(manifest), "utf-8")
    return LazyBundle(root=root, overflow=folder / "tmp/_vc_deps_overflow", manifest=manifest)


def _entry_points(name: str) -> Mapping[str, str]:
    info = f"{name.replace('-', '_')}-1.0.dist-info"
    return {f"{info}/entry_points.txt": f"[made.up]\n{name} = {name.replace('-', '_')}:x\n"}


def _place(root: Path, measured: Measurement) -> None:
    write(
        root,
        {
            "app.py": APP,
            "overflow_trampoline.py": "from os.path import abspath, dirname\n"
            "from _overflow.start import start\nhandler = start(dirname(abspath(__file__)))\n",
            **{f"_overflow/{name}": content for name, content in runtime_files().items()},
        },
    )
    for name in VENDORED:
        _copy(measured, measured.by_name[name], root / "_vendor")


def _groups(root: Path, measured: Measurement, *, lazy: bool) -> Iterator[Group]:
    for number, name in enumerate([*LAZY, *EAGER]):
        one = measured.by_name[name]
        items = [
            Item(
                path=path,
                source=str(measured.root / path),
                size=measured.tree.sizes[path],
                executable=False,
            )
            for path in one.files
        ]
        crate = write_crate(
            root / PACKED_FOLDER / f"{number}-{name}", {name: items}, Cache(folder=None)
        )
        is_lazy = lazy and name in LAZY
        if is_lazy:
            _copy(measured, one, root / INFO_FOLDER / crate.path.name, ".dist-info/")
        yield Group(
            name=crate.path.name,
            size=crate.unpacked,
            sha256=crate.sha256,
            provides=provides([one]) if is_lazy else None,
        )


def _copy(measured: Measurement, one: Distribution, folder: Path, part: str = "") -> None:
    for path in one.files:
        if part in path:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(measured.root / path, folder / path)
