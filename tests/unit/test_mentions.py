"""Mentions: what a source imports or reads of a test suite, in all the ways it can be written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.mentions import Suites, imports_beside, named_files, reads_stubs

HERE = "pkg/io/fast.py"

OWNERS = {
    "pkg/tests": "pkg",
    "pkg/io/tests": "pkg",
    "pkg/stats/_tests": "pkg",
    "other/io/tests": "other",
    "other/test": "other",
}

SUITES = Suites(
    owners=OWNERS,
    members={**dict.fromkeys(OWNERS, frozenset({"__init__"})), "pkg/tests": frozenset({"common"})},
)


def modules(source: str, path: str = HERE, owner: str = "pkg") -> set[tuple[str, str]]:
    return set(SUITES.wanted(source.encode(), path, owner).modules)


def data(source: str, path: str = HERE, owner: str = "pkg") -> set[str]:
    return set(SUITES.wanted(source.encode(), path, owner).data)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import pkg.io.tests", ("pkg/io/tests", "")),
        ("import os, pkg.io.tests.common as c", ("pkg/io/tests", "common")),
        ("from pkg.io.tests.common import x", ("pkg/io/tests", "common")),
        ("from pkg.io.tests import common", ("pkg/io/tests", "")),
        ("from pkg.io import tests", ("pkg/io/tests", "")),
        ("from pkg.io import a, tests as t", ("pkg/io/tests", "")),
        ("from pkg.io import (  # noqa: F401\n    a,\n    tests,\n)", ("pkg/io/tests", "")),
        ("from pkg.io import a, \\\n    tests", ("pkg/io/tests", "")),
        ("from . import tests", ("pkg/io/tests", "")),
        ("from .tests import x", ("pkg/io/tests", "")),
        ("from .tests.common import x", ("pkg/io/tests", "common")),
        ("from .. import tests", ("pkg/tests", "")),
        ("from ..tests import x", ("pkg/tests", "")),
        ("from ..stats._tests import x", ("pkg/stats/_tests", "")),
        ("from pkg.stats import _tests", ("pkg/stats/_tests", "")),
        ("import other.test", ("other/test", "")),
        ("import_module('pkg.io.tests.common')", ("pkg/io/tests", "common")),
        ('x = "other.test:main"', ("other/test", "")),
        ("name = other.test:main", ("other/test", "")),
        ("import_module('io.tests')", ("pkg/io/tests", "")),
        (
            "from pkg.io import (  # all:\n    a,  # do import this\n    tests)",
            ("pkg/io/tests", ""),
        ),
        ("x = '#'; from pkg.io import tests", ("pkg/io/tests", "")),
        ("from pkg.io \\\n    import tests", ("pkg/io/tests", "")),
        ("import os, \\\n    pkg.io.tests", ("pkg/io/tests", "")),
        ("run([sys.executable, '-m', 'pkg.io.tests'])", ("pkg/io/tests", "")),
        ("run(f'{sys.executable} -m pkg.io.tests', shell=True)", ("pkg/io/tests", "")),
        ("resolve_name('pkg.io.tests:f')", ("pkg/io/tests", "")),
        ("files('pkg.io.tests') / 'data.json'", ("pkg/io/tests", "")),
        ("__import__('pkg.io', fromlist=['tests'])", ("pkg/io/tests", "")),
        ("__import__('pkg.io', {}, {}, ['a', 'tests'], 0)", ("pkg/io/tests", "")),
        ("WHERE = {'Foo': 'tests.common'}", ("pkg/tests", "common")),
        ("WHERE = {'tests.common': ['Foo']}", ("pkg/tests", "common")),
    ],
)
def test_imports(source: str, expected: tuple[str, str]) -> None:
    assert expected in modules(source)
    assert expected in modules(f"def later():\n    {source}\n")


@pytest.mark.parametrize(
    "source",
    [
        "import_module('.tests', p)",
        'f"{package}.tests"',
        "'%s.tests' % __name__",
        "'%(package)s.tests' % names",
        "'{}.tests'.format(__name__)",
        "__name__ + '.tests'",
        "'.'.join([__name__, 'tests'])",
        "exec('from %s import tests' % package)",
        "exec(f'from {package} import tests')",
    ],
)
def test_where_the_package_is_worked_out_it_may_be_any_of_the_distribution(source: str) -> None:
    assert modules(source) == {("pkg/tests", ""), ("pkg/io/tests", "")}
    assert modules(source, "third.py", "third") == set()
    every = {(suite, "") for suite in OWNERS if suite.endswith("/tests")}
    assert modules(source, "app.py", "") == every, "the project may pass what it likes"


@pytest.mark.parametrize(
    "source",
    [
        "import_module('.tests', 'pkg.io')",
        "import_module(\n    name='.tests',\n    package='pkg.io',\n)",
        "import_module('.tests', pkg.io.__name__)",
        "'%s.tests' % pkg.io.__name__",
        "f'{pkg.io.__name__}.tests'",
        "'pkg.io' + '.tests'",
        "'.'.join(['pkg', 'io', 'tests'])",
        "__import__('pkg.io', fromlist=['tests'])",
        "resolve_name('pkg.io.tests:f')",
    ],
)
def test_from_outside_the_package_is_named_near(source: str) -> None:
    found = modules(source, "third.py", "third")
    assert ("pkg/io/tests", "") in found
    assert "other/test" not in {suite for suite, _ in found}


@pytest.mark.parametrize(
    "source",
    [
        "__all__ = ['core', 'tests']",
        "parts = {'core', 'tests'}\ndef __getattr__(name): ...",
        "__getattr__ = lazy.attach(__name__, ['tests'])",
        "parts = {'Foo': 'tests.Foo'}\ndef __getattr__(name): ...",
        "parts = {'Foo': 'tests:Foo'}\ndef __getattr__(name): ...",
    ],
)
def test_what_a_package_gives_on_demand(source: str) -> None:
    assert modules(source, "pkg/io/__init__.py") == {("pkg/io/tests", "")}
    assert modules(source, "pkg/io/core.py") == set()


def test_what_a_package_does_not_give() -> None:
    source = "def __dir__(): return globals().keys() - {'core', 'tests'}\n__all__ = []"
    assert modules(source, "pkg/io/__init__.py") == set()
    assert modules("kind = 'tests'", "pkg/io/__init__.py") == set()


@pytest.mark.parametrize(
    "source",
    [
        "import pkg.io.testsuite",
        "import pkg.io.latest",
        "from pkg.io import tested, attests",
        "def test(self): self.tests = tests",
        "'''It tests pkg.io.tests thoroughly.'''",
        "# from pkg.io.tests import x",
        ">>> from pkg.io.tests import x",
        "... from pkg.io.tests import x",
        "from pkg.util import Tester\ntest = Tester(__name__)",
        "from pkg.util import Tester\n\ntests = Tester(__name__)",
        "tests = 1\nother.test()",
        "raise ImportError('tests')",
        "from somewhere import *\ntests",
        "",
        "tests",
        "open('tests.csv')",
        "in_a_list = ['tests']",
        '"""Run it as\n    python -m pkg.io.tests\n"""',
    ],
)
def test_what_imports_nothing(source: str) -> None:
    assert modules(source) == set()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("join(here, 'tests', 'data')", {"pkg/tests", "pkg/io/tests"}),
        ("here + '/tests/data.csv'", {"pkg/tests", "pkg/io/tests"}),
        ('root / "stats" / "_tests"', {"pkg/stats/_tests"}),
        ("open('stats/_tests/x')", {"pkg/stats/_tests"}),
        ("'tests'", {"pkg/tests", "pkg/io/tests"}),
        ('files("other") / "test"', {"other/test"}),
        ("join(root, 'io', 'tests')", {"pkg/tests", "pkg/io/tests", "other/io/tests"}),
        ('"# tests"', set()),
        ("# join(here, 'tests')", set()),
        ("files('other').joinpath('test/data.json')", {"other/test"}),
        ("join(dirname(other.__file__), 'test', 'data')", {"other/test"}),
        ("Path(other.__path__[0]) / 'test'", {"other/test"}),
        ("resource_filename('other', 'test/data')", {"other/test"}),
        ("'tests of all'", set()),
        ("train/test split", set()),
        ("from pkg.io import tests", set()),
    ],
)
def test_paths(source: str, expected: set[str]) -> None:
    assert data(source) == expected
    assert modules(source) <= {("pkg/io/tests", "")}


def test_the_projects_own_sources_are_in_no_folder_of_site_packages() -> None:
    wanted = SUITES.wanted(b"from .tests import x\nimport other.test", "app.py", "")
    assert wanted.modules == {("other/test", "")}


@given(st.binary(max_size=60), st.sampled_from(["tests", "_test"]), st.binary(max_size=60))
def test_any_bytes(before: bytes, word: str, after: bytes) -> None:
    wanted = SUITES.wanted(before + word.encode() + after, HERE, "pkg")
    assert {suite for suite, _ in wanted.modules} | wanted.data <= SUITES.owners.keys()


def test_no_suites_no_reading() -> None:
    assert not Suites(owners={}, members={}).wanted(b"import pkg.tests", HERE, "pkg").modules


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("open(here / '_cffi_include.h')", {"_cffi_include.h"}),
        ("'#include <sub/other.hpp>'", {"other.hpp"}),
        ("driver.c", {"driver.c"}),
        ("xdriver.c driver.cc driver.c2", set()),
        ("self.c, x.h", set()),
    ],
)
def test_names_of_files_for_compilers(source: str, found: set[str]) -> None:
    known = {"_cffi_include.h", "other.hpp", "driver.c"}
    assert named_files(source.encode(), known) == found


def test_what_reads_stubs() -> None:
    assert reads_stubs(b"__getattr__ = lazy.attach_stub(__name__, __file__)")
    assert reads_stubs(b"path.with_suffix('.pyi')")
    assert not reads_stubs(b"import copying")


def test_what_imports_from_beside_itself() -> None:
    assert imports_beside(b"from .common import x")
    assert imports_beside(b"importlib.import_module(name)")
    assert not imports_beside(b"import os\nfrom pkg import x")
