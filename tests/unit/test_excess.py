"""Excess: what of an environment can go, and which sources are asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from overflow.excess import excess
from overflow.measure import measure
from tests.unit.builders import install

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TESTED = {
    "alpha/__init__.py": "",
    "alpha/tests/__init__.py": "",
    "alpha/tests/common.py": "Foo = 1",
    "alpha/tests/test_core.py": "",
    "alpha/io/tests/test_io.py": "",
}
"""Two suites."""

IO_TESTS = {"alpha/io/tests/test_io.py"}


@dataclass(frozen=True)
class Files:
    """A Reader; of the project there is one source."""

    site: Path
    app: str

    def installed(self, path: str) -> bytes:
        return (self.site / path).read_bytes()

    def start(self, path: str) -> bytes:
        return self.installed(path)[:8]

    def project(self) -> list[tuple[str, bytes]]:
        return [("app.py", self.app.encode())]


def gone(site: Path, files: Mapping[str, str], app: str = "") -> set[str]:
    install(site, "alpha", files={**TESTED, **files})
    return set(excess(measure(site).distributions, own="app", reader=Files(site, app)))


def test_what_nobody_asks_for_goes(tmp_path: Path) -> None:
    assert gone(tmp_path, {}) == {path for path in TESTED if "/tests/" in path}


@pytest.mark.parametrize(
    "source",
    [
        "WHERE = {'Foo': 'tests.common'}\ndef __getattr__(name): ...",
        "def go():\n    return __import__('alpha', fromlist=['tests']).tests",
        "__all__ = ['core', 'tests']",
    ],
)
def test_a_package_may_ask_for_its_own_suite_by_name(tmp_path: Path, source: str) -> None:
    assert gone(tmp_path, {"alpha/__init__.py": source}) == IO_TESTS


@pytest.mark.parametrize(
    "source",
    [
        "import_module('%s.tests.common' % __name__)",
        "import_module('.'.join([__package__, 'tests', 'common']))",
    ],
)
def test_it_may_work_out_which_it_asks_for(tmp_path: Path, source: str) -> None:
    assert gone(tmp_path, {"alpha/__init__.py": source}) == set()


@pytest.mark.parametrize("source", ["import_module('.tests', 'alpha')", "'alpha' + '.tests'"])
def test_so_may_another_distribution_and_the_project(tmp_path: Path, source: str) -> None:
    assert gone(tmp_path, {}, source) == set(), "the project's sources may mean any suite"
    install(tmp_path, "beta", files={"beta.py": source})
    assert gone(tmp_path, {}) == IO_TESTS


def test_stubs_that_are_read_at_run_time_say_what_is_imported(tmp_path: Path) -> None:
    """lazy_loader does what they say; those of others are for type checkers."""
    lazy = "__getattr__, *_ = lazy_loader.attach_stub(__name__, __file__)"
    stub = {"alpha/__init__.pyi": "from .tests.common import Foo"}
    assert gone(tmp_path, {**stub, "alpha/__init__.py": lazy}) == IO_TESTS
    assert gone(tmp_path, stub) == {*TESTED, *stub} - {"alpha/__init__.py"}
