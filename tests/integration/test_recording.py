"""Recordings by the target's Python: seconds, what was got half-way, and what is kept."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from shutil import rmtree
from typing import TYPE_CHECKING

import pytest

from overflow import rehearsal, startup
from overflow.cache import Cache
from overflow.handler import Handler
from overflow.measure import measure
from overflow.rehearsal import AGAIN, record
from overflow.startup import Recording, Subject
from overflow.tree import read_tree
from overflow.watch import unsealed
from tests.support.pythons import target_python
from tests.support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SLOW = "import time\n\ndef f():\n    return __file__\n\ntime.sleep({})\n"
LATER = "import importlib\nNAMES = ('one', 'two')\ndef handler(e, c):\n"
LATER += "    return [importlib.import_module(name) for name in NAMES]\n"


@dataclass(frozen=True, kw_only=True)
class App:
    """A project and an environment below a folder, recorded with a cache there."""

    folder: Path
    python: Path

    def record(
        self, files: Mapping[str, str], work: str = "work", *, site: str = "site"
    ) -> Recording:
        for path, text in files.items():
            place = self.folder / "task" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        subject = Subject(
            project=read_tree(self.folder / "task", lambda *_: False),
            measurement=measure(self.folder / site),
            handler=Handler(module="app", attribute="handler", interface="function"),
        )
        return record(
            self.folder / work,
            subject=subject,
            python=self.python,
            machine="x86_64",
            environ={},
            cache=Cache(folder=self.folder / "cache"),
        )

    @property
    def code(self) -> list[Path]:
        """What is kept of what was compiled."""
        return sorted((self.folder / "cache/code").iterdir())


@pytest.fixture(params=["3.12"])
def app(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    one = {"one/__init__.py": "import two.slow\n" + SLOW.format(0.1)}
    two = {"two/__init__.py": "", "two/slow.py": SLOW.format(0.2)}
    for name, files in (("one", one), ("two", two)):
        with zipfile.ZipFile(make_wheel(tmp_path / "wheels", name, files=files)) as wheel:
            wheel.extractall(tmp_path / "site")
    return App(folder=tmp_path, python=target_python(request.param))


def app_of(imports: str) -> dict[str, str]:
    return {"app.py": f"{imports}\ndef handler(event, context): pass\n"}


@pytest.mark.parametrize("app", ["3.10", "3.11", "3.12", "3.13"], indirect=True)
def test_seconds_are_each_files_own(app: App) -> None:
    found = app.record(app_of("import one"))
    assert found.problem == found.note == ""
    seconds = {path: one.execute for path, one in found.start.items()}
    paths = {"one/__init__.py", "two/__init__.py", "two/slow.py"}
    assert seconds.keys() == {"app.py", *(f"_vendor/{path}" for path in paths)}
    assert 0.2 <= seconds["_vendor/two/slow.py"] < 0.29
    assert 0.1 <= seconds["_vendor/one/__init__.py"] < 0.19
    assert seconds["app.py"] < 0.05
    assert all(one.compile > 0 for one in found.start.values())
    assert 0 < found.overhead < 0.3


def test_handler_of_a_project_without_files(app: App) -> None:
    """It is installed, and `--exclude '*'` leaves the project's own out."""
    (app.folder / "task").mkdir()
    (app.folder / "site/app.py").write_text("def handler(event, context): pass\n", "utf-8")
    found = app.record({})
    assert found.problem == found.note == ""
    assert found.start.keys() == {"_vendor/app.py"}


def times(app: App) -> str:
    """An import that takes long the first time, as with files that no cache holds yet."""
    count = app.folder / "count"
    count.touch()
    return f"""
import time
with open({str(count)!r}, "r+b") as stream:
    is_first = not stream.read()
    stream.write(b"x")
time.sleep(0.3 * is_first)
import one
"""


def test_short_start_is_rehearsed_again(app: App) -> None:
    found = app.record(app_of(times(app)))
    assert (app.folder / "count").read_text() == "x" * (1 + AGAIN)
    assert found.start["app.py"].execute < 0.1
    assert found.start["_vendor/two/slow.py"].execute >= 0.2
    assert app.record({}, "cached") == found
    assert 0.001 < found.interpreter < 1


def test_long_start_is_not(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "SHORT", 0.5)
    found = app.record(app_of(times(app)))
    assert (app.folder / "count").read_text() == "x"
    assert found.start["app.py"].execute >= 0.3


def test_compilation_is_apart(app: App) -> None:
    table = "x = [\n" + "".join(f"    ({n}, 'a{n}', f'{{{n}}}'),\n" for n in range(8000)) + "]\n"
    found = app.record({**app_of("import table"), "table.py": f"def f():\n    {table[:-2]}    ]\n"})
    seconds = found.start["table.py"]
    assert seconds.compile > 10 * seconds.execute


def test_finding_is_overhead(app: App) -> None:
    """As the standard library is: both are no file's of the bundle."""
    finder = "import sys, time\nclass Finder:\n    def find_spec(name, path, target=None):\n"
    finder += "        if name == 'plain':\n            time.sleep(0.2)\n"
    finder += "sys.meta_path.insert(0, Finder)\nimport plain"
    found = app.record({**app_of(finder), "plain.py": ""})
    assert found.problem == ""
    assert found.overhead >= 0.2
    assert found.start["app.py"].execute < 0.1


def test_it_has_one_processor_as_in_lambda(app: App) -> None:
    found = app.record(app_of("import os\nassert len(os.sched_getaffinity(0)) == 1"))
    assert found.problem == ""


def test_what_lambdas_client_imports_is_there_before(app: App) -> None:
    """So it counts for the client, and not for the app that imports it, too."""
    found = app.record(app_of("import sys\nassert {'decimal', 'logging'} <= sys.modules.keys()"))
    assert found.problem == ""


def test_half_a_start_is_kept_and_the_rest_is_read(app: App) -> None:
    found = app.record(app_of("import two.slow, os\nos.environ['TABLE']\nimport one"))
    assert found.problem == "KeyError: 'TABLE'"
    assert "KeyError: 'TABLE'" in found.note
    assert found.start["_vendor/two/slow.py"].execute >= 0.2
    assert "_vendor/one/__init__.py" in found.start
    again = app.record({}, "again")
    assert again.start["_vendor/two/slow.py"] != found.start["_vendor/two/slow.py"], "not kept"


def test_what_was_imported_after_a_failure_has_measured_seconds(app: App) -> None:
    """It is of the start by the sources, and the recorder has tried it for itself."""
    found = app.record(app_of("import os\nos.environ['TABLE']\nimport one"))
    assert found.start["_vendor/two/slow.py"].execute >= 0.2
    assert found.demand == {}
    assert found.overhead > 3 * startup.FINDING


def test_what_ends_the_process_is_read(app: App) -> None:
    found = app.record(app_of("import os, one\nos._exit(7)"))
    assert found.note.endswith("it ended with 7")
    assert "_vendor/two/slow.py" in found.start


def test_a_signal_is_shown_by_its_name(app: App) -> None:
    """And kept by its number, which the start of the bundle is compared with."""
    found = app.record(app_of("import os, one\nos.kill(os.getpid(), 11)"))
    assert found.problem == "it ended with -11"
    assert found.note.endswith("it was killed by SIGSEGV")


def test_a_start_without_end_is_cut_off(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "SECONDS", 1)
    found = app.record(app_of("import two.slow, time\ntime.sleep(60)"))
    assert found.problem == "it took over 1 s"
    assert found.start["_vendor/two/slow.py"].execute >= 0.2


def test_for_another_machine_it_is_read(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    found = app.record(app_of("import one"))
    assert found.note.endswith("cannot run what is for x86_64")
    assert "_vendor/two/slow.py" in found.start


def test_demand_is_what_the_code_asks_for_when_called(app: App) -> None:
    """As examples/flask does: by a name from a list of names."""
    found = app.record({"app.py": LATER})
    assert found.start.keys() == {"app.py"}
    paths = {"one/__init__.py", "two/__init__.py", "two/slow.py"}
    assert found.demand.keys() == {f"_vendor/{path}" for path in paths}
    assert found.demand["_vendor/two/slow.py"].execute >= 0.2


def test_the_same_again_runs_nothing(app: App) -> None:
    code = app_of("import one")
    found = app.record(code)
    assert app.record(code, "again") == found
    assert not (app.folder / "again").exists(), "nothing was prepared, and nothing run"
    app.record(app_of("import one, two"), "changed")
    assert (app.folder / "changed").exists()


def test_damaged_recording_is_made_again(app: App) -> None:
    code = app_of("import one")
    found = app.record(code)
    (kept,) = (app.folder / "cache/recordings").iterdir()
    kept.write_text("{}")
    again = app.record(code, "again")
    assert again.start.keys() == found.start.keys()
    assert (app.folder / "again").exists()


class TestCode:
    def test_what_was_compiled_is_not_compiled_again(self, app: App) -> None:
        """Its seconds are those it took then; and a traceback names the file of today."""
        before = app.record(app_of("import one"))
        assert len(app.code) == 4
        where = "import two.slow\nname = two.slow.f.__code__.co_filename\n"
        where += "assert name == two.slow.__file__, name"
        (app.folder / "site").rename(app.folder / "moved")
        after = app.record(app_of(where), "again", site="moved")
        assert after.problem == ""
        slow = "_vendor/two/slow.py"
        assert after.start[slow].compile == before.start[slow].compile
        assert after.start[slow].execute != before.start[slow].execute
        assert len(app.code) == 5, "the app's own"

    @pytest.mark.parametrize("damage", [b"", b"x" * 100, None])
    def test_damaged_entries_are_made_again(self, app: App, damage: bytes | None) -> None:
        app.record(app_of("import one"))
        whole = {path: path.read_bytes() for path in app.code}
        for path, content in whole.items():
            cut = content[: len(content) // 2] if damage is None else damage
            path.write_bytes(cut)
        rmtree(app.folder / "cache/recordings")
        found = app.record({}, "again")
        assert found.problem == ""
        assert all(one.compile > 0 for one in found.start.values())
        assert app.code == list(whole)
        assert all(unsealed(path.read_bytes()) for path in app.code)

    def test_loaders_with_code_of_their_own_are_left_alone(self, app: App) -> None:
        """What one makes of a source is not what the next one gets."""
        hook = """
import importlib.machinery as machinery, importlib.util as util, sys
class Loader(machinery.SourceFileLoader):
    def source_to_code(self, data, path, **more):
        return super().source_to_code(data + b"\\nhooked = True", path)
path = sys.path[0] + "/plain.py"
spec = util.spec_from_file_location("hooked", path, loader=Loader("hooked", path))
module = util.module_from_spec(spec)
spec.loader.exec_module(module)
import plain
assert module.hooked
assert not hasattr(plain, "hooked")
"""
        found = app.record({**app_of(hook), "plain.py": "x = 1"})
        assert found.problem == ""
        assert found.start["plain.py"].compile > 0

    def test_warnings_and_tracebacks_do_not_see_us(self, app: App) -> None:
        """A module that warns its importer, by the stack, finds the importer."""
        warns = "import warnings\nwarnings.warn('old', stacklevel=2)\n"
        asked = "import warnings\nwith warnings.catch_warnings(record=True) as seen:\n"
        asked += "    warnings.simplefilter('always')\n    import warns\n"
        asked += "assert seen[0].filename == __file__, seen[0].filename\n"
        assert app.record({**app_of(asked), "warns.py": warns}).problem == ""
