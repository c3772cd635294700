"""Reading: what sources import, in examples and in any text at all."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow import reading
from overflow.reading import Imports, Library, read_imports

FLASK = Path(__file__).parents[2] / "examples/flask/app.py"

WORDS = (
    "import from as . .. a b.c * ( ) [ ] : , = if else try except TYPE_CHECKING __name__ def f"
    " lambda class import_module __import__ 'a' 'b.c' return not"
).split()


def first(source: str, module: str = "p.m", *, is_package: bool = False) -> set[str]:
    return set(read_imports(source.encode(), module, is_package=is_package).first)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a, b.c as d", {"a", "b.c"}),
        ("from a import b, c", {"a", "a.b", "a.c"}),
        ("from a.b import *", {"a.b", "a.b.*"}),
        ("from . import x", {"p", "p.x"}),
        ("from .y import x", {"p.y", "p.y.x"}),
        ("from ....y import x", {"y", "y.x"}),
        ("try:\n    import a\nexcept ImportError:\n    import b\nelse:\n    import c", {*"abc"}),
        ("try:\n    pass\nfinally:\n    import a", {"a"}),
        ("if x:\n    import a\nelif y:\n    import b\nelse:\n    import c", {*"abc"}),
        ("class A:\n    import a\n    def f(self):\n        import b", {"a"}),
        ("with x:\n    for y in z:\n        import a", {"a"}),
        ("match x:\n    case 1:\n        import a", {"a"}),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", {"b"}),
        ("if typing.TYPE_CHECKING:\n    import a", set()),
        ("if not TYPE_CHECKING:\n    import a\nelse:\n    import b", {"a"}),
        ("if __name__ == '__main__':\n    import a", set()),
        ("def f():\n    import a", set()),
    ],
)
def test_what_is_imported_first(source: str, names: set[str]) -> None:
    assert first(source) == names
    shallow = read_imports(source.encode(), "p.m", is_package=False, whole=False)
    assert shallow.first == names


def test_packages_are_relative_to_themselves() -> None:
    assert first("from . import x", "p", is_package=True) == {"p", "p.x"}
    assert first("from .. import x", "p.q", is_package=True) == {"p", "p.x"}


def test_what_functions_import_and_what_is_imported_by_name() -> None:
    source = b"""
import importlib
def f(name):
    import a
    importlib.import_module("b.c")
    return __import__("d"), __import__(name), "e.f", "no name"
"""
    found = read_imports(source, "m", is_package=False)
    assert found.first == {"importlib"}
    assert found.later == {"a", "b.c", "d"}
    assert found.texts == {"b.c", "d", "e.f"}
    assert found.by_name
    assert not read_imports(b"import importlib", "m", is_package=False).by_name
    assert read_imports(b"from importlib import import_module", "m", is_package=False).by_name


@pytest.mark.parametrize(
    "source", ["\0", "def f(:", "(" * 5000, "-" * 50_000 + "1", "# coding: no"]
)
def test_what_is_no_source_imports_nothing(source: str) -> None:
    assert read_imports(source.encode(), "m", is_package=False) == Imports()


@given(
    st.one_of(
        st.binary(),
        st.text().map(str.encode),
        st.lists(st.sampled_from(WORDS)).map(lambda words: " ".join(words).encode()),
    ),
    st.sampled_from(["m", "p.m", ""]),
    st.booleans(),
)
def test_any_text_can_be_read(source: bytes, module: str, whole: bool) -> None:
    found = read_imports(source, module, is_package=False, whole=whole)
    assert "" not in found.all


def library(files: dict[str, str]) -> Library:
    return Library(paths=files, read=lambda path: files[path].encode())


class TestModules:
    def test_names(self) -> None:
        paths = (
            "app.py a/__init__.py a/b.py _vendor/c.py _vendor/d/e.cpython-312-x86_64-linux-gnu.so"
        )
        paths += " _vendor/d/f.abi3.so _vendor/d/libx.so.3 _vendor/a-b.py __init__.py _vendor/x.pyi"
        found = library(dict.fromkeys(paths.split(), "")).modules
        assert set(found) == {"app", "a", "a.b", "c", "d.e", "d.f"}
        assert found["d.e"] == "_vendor/d/e.cpython-312-x86_64-linux-gnu.so"

    def test_the_projects_own_stand_in_front(self) -> None:
        paths = ("_vendor/a/__init__.py", "a.py", "_vendor/b.py", "_vendor/b/__init__.py")
        found = library(dict.fromkeys((*paths, "_vendor/b.abi3.so"), "")).modules
        assert found == {"a": "a.py", "b": "_vendor/b/__init__.py"}


class TestImported:
    FILES: ClassVar = {
        "app.py": "import a.b.c.attr\nfrom x import y\nimport json\ndef f():\n    import later",
        "later.py": "",
        "_vendor/a/__init__.py": "from . import sibling",
        "_vendor/a/sibling.py": "import app",
        "_vendor/a/b/__init__.py": "",
        "_vendor/a/b/c.py": "",
        "_vendor/x/y.py": "from .z import anything",
        "_vendor/x/z.abi3.so": "import later",
    }

    def test_with_all_that_is_imported_in_turn(self) -> None:
        assert set(library(self.FILES).imported(["app"])) == self.FILES.keys() - {"later.py"}

    def test_what_is_known_is_left_out_with_what_it_imports(self) -> None:
        found = library(self.FILES).imported(["app"], {"_vendor/a/__init__.py"})
        assert "_vendor/a/sibling.py" not in found
        assert "_vendor/a/b/c.py" in found

    def test_it_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reading, "MOST_FILES", 2)
        assert (
            len(library({f"m{n}.py": f"import m{n + 1}" for n in range(9)}).imported(["m0"])) == 2
        )

    def test_what_is_not_read_counts_all_the_same(self) -> None:
        unread = Library(paths=["a.py", "b.py"], read=lambda _: None)
        assert unread.imported(["a"]) == ["a.py"]


class TestDemanded:
    def demanded(self, handler: str = "app", **sources: str) -> set[str]:
        installed = {f"_vendor/{name}.py": "import more" for name in ("scipy", "PIL", "more")}
        package = {"_vendor/big/__init__.py": "", "_vendor/big/part.py": ""}
        framework = {"_vendor/django/__init__.py": "", "_vendor/django/urls.py": ""}
        own = {name.replace("__", "/") + ".py": text for name, text in sources.items()}
        return set(library({**installed, **package, **framework, **own}).demanded(handler))

    def test_sources_are_read_in_the_same_order_each_time(self) -> None:
        """Where not all can be read, that decides which are; a set's order differs."""
        names, read = [f"m{number}" for number in range(9)], []
        files = {**dict.fromkeys((f"{name}.py" for name in names), ""), "app.py": ""}

        def look(path: str) -> bytes:
            read.append(path)
            return f"import {','.join(names)}".encode() if path == "app.py" else b""

        Library(paths=files, read=look).demanded("app")
        assert read == ["app.py", *(f"{name}.py" for name in reversed(names))]

    def test_the_example(self) -> None:
        """It imports, when it is called, what a list of names says."""
        assert self.demanded(app=FLASK.read_text(encoding="utf-8")) == {"scipy", "PIL"}

    def test_texts_are_names_only_where_something_imports_by_name(self) -> None:
        assert self.demanded(app="x = 'scipy'") == set()
        assert self.demanded(app="x = 'big.part'; __import__(x)") == set()

    def test_imports_anywhere_in_what_the_project_imports_anywhere(self) -> None:
        own = "def f():\n    from big.part import Thing\n    import json"
        assert self.demanded(app="def g():\n    import own", own=own) == {"own", "big.part"}
        assert self.demanded(app="import app", own=own) == set()
        assert self.demanded(app="from pack import own", pack__own="import PIL") == {
            "pack.own",
            "PIL",
        }

    def test_what_installed_ones_import_is_not_asked_for(self) -> None:
        assert self.demanded(app="import scipy") == {"scipy"}
        assert self.demanded("scipy") == set()

    def test_django(self) -> None:
        """Settings, and what they name, are known by texts alone."""
        found = self.demanded(
            "proj.wsgi",
            proj__wsgi="import django\nos.environ.setdefault('S', 'proj.settings')",
            proj__settings="APPS = ['big', 'shop', 'big.part.Config', 'no.thing']; U = 'proj.urls'",
            proj__urls="from django.urls import path\nfrom shop import views",
            shop__views="def v():\n    import PIL",
            other="import scipy",
        )
        wanted = {"proj.settings", "proj.urls", "shop.views", "big", "big.part", "PIL"}
        assert found == wanted | {"django", "django.urls"}
