"""Lazy groups in real processes: Python answers as if they were there, and only then they are."""

from __future__ import annotations

import os
import signal
import subprocess
import textwrap
import time
from typing import TYPE_CHECKING

import pytest

from overflow.runtime.manifest import PACKED_FOLDER
from tests.support.lazy_bundle import ENVIRONMENT, LAZY, LazyBundle, make_lazy_bundle
from tests.support.pythons import target_python

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = ("3.10", "3.12", "3.13")


@pytest.fixture(params=VERSIONS, scope="module")
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bundle(tmp_path: Path, version: str) -> LazyBundle:
    return make_lazy_bundle(tmp_path / "lazy", python=version)


@pytest.fixture(scope="module")
def python(version: str) -> Path:
    return target_python(version)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory, version: str) -> LazyBundle:
    """The same groups, all put into place at the start: what that one answers is right."""
    return make_lazy_bundle(tmp_path_factory.mktemp("usual"), lazy=False, python=version)


SAME = {
    # What is asked, and which lazy distributions that puts into place.
    "import": (
        """
        import alpha
        result = alpha.where, alpha.__path__, alpha.__file__
        """,
        {"alpha"},
    ),
    "what a module is": (
        """
        import alpha, alpha_single
        result = [
            [type(spec).__name__, type(spec.loader).__name__, spec.loader is module.__loader__]
            + [spec.name, spec.origin, spec.cached, spec.parent, spec.has_location]
            + [spec.submodule_search_locations, module.__package__, module.__file__]
            for module in (alpha, alpha_single, alpha.sub) for spec in [module.__spec__]
        ]
        """,
        {"alpha"},
    ),
    "import_module": (
        """
        import importlib
        result = importlib.import_module('alpha.inner.deep').__name__
        """,
        {"alpha"},
    ),
    "find_spec says that it is there": (
        """
        from importlib.util import find_spec
        names = 'alpha', 'alpha_single', 'broken', 'shadowed', 'gone', 'google', 'app'
        result = [find_spec(name) is not None for name in names]
        """,
        set(),
    ),
    "find_spec and the file": (
        """
        from importlib.util import find_spec
        from pathlib import Path
        folder = find_spec('alpha').submodule_search_locations[0]
        result = Path(folder, 'data.txt').read_text(), find_spec('alpha_single').origin
        """,
        {"alpha"},
    ),
    "loader of find_spec": (
        """
        from importlib.util import find_spec
        result = find_spec('alpha_single').loader.get_source('alpha_single')
        """,
        {"alpha"},
    ),
    "printed spec": (
        """
        from importlib.util import find_spec
        spec = find_spec('alpha')
        str(spec)
        result = type(spec).__name__, type(spec.loader).__name__, spec == find_spec('alpha')
        """,
        {"alpha"},
    ),
    "lazily by the standard library's way": (
        """
        import importlib.util, sys
        spec = importlib.util.find_spec('alpha')
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = importlib.util.module_from_spec(spec)
        sys.modules['alpha'] = module
        spec.loader.exec_module(module)
        result = module.where
        """,
        {"alpha"},
    ),
    "reload": (
        """
        import alpha, importlib
        result = importlib.reload(alpha).where
        """,
        {"alpha"},
    ),
    "nothing there": (
        """
        try:
            import nothing_there
        except ImportError as error:
            result = type(error).__name__, error.name, str(error)
        """,
        set(),
    ),
    "nothing there in a package": (
        """
        try:
            import alpha.nothing.there
        except ImportError as error:
            result = type(error).__name__, error.name, str(error)
        """,
        {"alpha"},
    ),
    "nothing there in a namespace": (
        """
        try:
            import google.cloud.nothing
        except ImportError as error:
            result = type(error).__name__, error.name, str(error)
        """,
        set(),
    ),
    "its own error": (
        """
        import sys
        try:
            import broken
        except Exception as error:
            result = type(error).__name__, str(error), 'broken' in sys.modules
        """,
        {"broken"},
    ),
    "its own ImportError": (
        """
        try:
            import needing
        except ImportError as error:
            result = error.name
        import falling_back
        result = result, falling_back.fell
        """,
        {"broken"},
    ),
    "one part of a namespace": (
        """
        import google.cloud.storage, google.auth, google.cloud.common
        result = google.cloud.storage.__file__, list(google.__path__), list(google.cloud.__path__)
        """,
        {"google-storage"},
    ),
    "one lazy needs another": (
        """
        import google.cloud.pubsub
        """,
        {"google-storage", "google-pubsub"},
    ),
    "namespace across vendored, eager and lazy": (
        """
        import splitns.from_vendor, splitns.from_eager, splitns.from_lazy
        from splitns import from_vendor, from_eager, from_lazy
        result = from_vendor.where, from_eager.where, from_lazy.where, list(splitns.__path__)
        """,
        {"google-pubsub"},
    ),
    "namespace, others only": (
        """
        import splitns.from_vendor, splitns.from_eager
        """,
        set(),
    ),
    "extend_path": (
        """
        import pkgutil
        result = pkgutil.extend_path(['/x'], 'google')
        """,
        set(),
    ),
    "order of sys.path": (
        """
        import sys
        result = [one for one in sys.path if '_vc_deps' in one or '/task' in one]
        """,
        set(),
    ),
    "iter_modules": (
        """
        import pkgutil
        result = [[m.name, m.ispkg] for m in pkgutil.iter_modules()]
        """,
        set(),
    ),
    "iter_modules with a prefix": (
        """
        import pkgutil, google.cloud
        result = [[m.name, m.ispkg] for m in pkgutil.iter_modules(google.cloud.__path__, 'p.')]
        """,
        set(),
    ),
    "walk_packages": (
        """
        import pkgutil, google.cloud
        result = [m.name for m in pkgutil.walk_packages(google.cloud.__path__, 'google.cloud.')]
        """,
        {"google-storage", "google-pubsub"},
    ),
    "get_data": (
        """
        import pkgutil
        result = pkgutil.get_data('alpha', 'data.txt').decode()
        """,
        {"alpha"},
    ),
    "resources": (
        """
        import importlib.resources
        result = importlib.resources.files('alpha').joinpath('data.txt').read_text()
        """,
        {"alpha"},
    ),
    "runpy": (
        """
        import runpy
        result = runpy.run_module('alpha_single')['__name__']
        """,
        {"alpha"},
    ),
    "inspect": (
        """
        import inspect, alpha.sub
        result = inspect.getsource(alpha.sub)
        """,
        {"alpha"},
    ),
    "version": (
        """
        from importlib import metadata as m
        result = [m.version(name) for name in ('alpha', 'Google_Storage', 'shown')]
        result += [m.metadata('only-stubs')['Name'], m.requires('alpha')]
        """,
        set(),
    ),
    "no such distribution": (
        """
        from importlib import metadata as m
        try:
            m.version('alp')
        except m.PackageNotFoundError as error:
            result = str(error)
        """,
        set(),
    ),
    "all distributions, each once": (
        """
        from importlib import metadata as m
        result = sorted(one.metadata['Name'] for one in m.distributions())
        """,
        set(),
    ),
    "all distributions after one import": (
        """
        import alpha
        from importlib import metadata as m
        result = sorted(one.metadata['Name'] for one in m.distributions())
        """,
        {"alpha"},
    ),
    "all distributions, placed while they are listed": (
        """
        from importlib import metadata as m
        result = sorted([d.metadata['Name'], d.locate_file('').exists()] for d in m.distributions())
        """,
        set(LAZY),
    ),
    "copied spec": (
        """
        import copy, pickle
        from importlib.util import find_spec
        copied = copy.copy(find_spec('alpha')), pickle.loads(pickle.dumps(find_spec('shadowed')))
        result = [type(one).__name__ for one in copied], [one.origin for one in copied]
        """,
        {"alpha", "shadowed"},
    ),
    "every finder of sys.meta_path": (
        """
        import sys
        result = [one.find_spec('nothing_there', path=None) is None for one in sys.meta_path][-3:]
        """,
        set(),
    ),
    "pkg_resources": (
        """
        import pkg_resources
        result = pkg_resources.found
        """,
        set(),
    ),
    **{
        f"a process by {method}": (
            f"""
            import importlib, multiprocessing
            process = multiprocessing.get_context({method!r}).Process
            child = process(target=importlib.import_module, args=('alpha',))
            child.start()
            child.join()
            result = child.exitcode
            """,
            set(LAZY),
        )
        for method in ("spawn", "forkserver")
    },
    "distributions of another path": (
        """
        from importlib import metadata as m
        import sys
        vendor = [path for path in sys.path if path.endswith('_vendor')]
        result = [one.name for one in m.distributions(name='alpha', path=vendor)]
        """,
        set(),
    ),
    "entry points": (
        """
        from importlib import metadata as m
        result = sorted([one.name, one.value] for one in m.entry_points(group='made.up'))
        """,
        set(),
    ),
    "loading an entry point": (
        """
        from importlib import metadata as m
        try:
            m.entry_points(group='made.up')['alpha'].load()
        except AttributeError as error:
            result = str(error)
        """,
        {"alpha"},
    ),
    "packages_distributions": (
        """
        from importlib import metadata as m
        result = sorted(m.packages_distributions().items())
        """,
        set(),
    ),
    "files": (
        """
        from importlib import metadata as m
        result = [[str(one), one.size, str(one.hash)] for one in m.files('alpha')]
        """,
        set(),
    ),
    "located files": (
        """
        from importlib import metadata as m
        result = [one.locate().exists() for one in m.files('alpha')]
        result += [one.read_text() for one in m.files('alpha') if one.name == 'data.txt']
        """,
        {"alpha"},
    ),
    "locate_file": (
        """
        from importlib import metadata as m
        path = m.distribution('only-stubs').locate_file('alpha-stubs/__init__.pyi')
        result = str(path), path.read_text()
        """,
        {"only-stubs"},
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_python_answers_as_if_all_were_there(
    bundle: LazyBundle, usual: LazyBundle, python: Path, name: str
) -> None:
    code, needed = textwrap.dedent(SAME[name][0]), SAME[name][1]
    right = usual.run(python, code)
    assert bundle.run(python, code) == right
    assert bundle.placed() == {"eager", *needed}
    # A later start in the same /tmp, then one with all that is lazy in place.
    assert bundle.run(python, code) == right
    bundle.run(python, "from importlib import metadata as m\n" + PLACE_ALL)
    assert bundle.placed() == usual.placed() == {"eager", *LAZY}
    assert bundle.run(python, code) == right


PLACE_ALL = "".join(f"m.distribution({one!r}).locate_file('')\n" for one in LAZY)


def test_what_is_printed(bundle: LazyBundle, python: Path) -> None:
    _, cold = bundle.run_and_log(python, "import alpha, alpha.inner, alpha_single")
    assert cold[0] == "Installing runtime dependencies..."
    assert cold[1].startswith("Runtime dependencies installed in ")
    assert [line.partition(" in ")[0] for line in cold[2:]] == ["Installed 0-alpha on first import"]
    assert bundle.run_and_log(python, "import alpha")[1] == ["Using cached runtime dependencies"]


THREADS = """
import threading
names = ["alpha", "google.cloud.storage", "google.cloud.pubsub", "alpha_single", "alpha.inner"] * 3
start, done, failed = threading.Barrier(len(names)), [], []
def work(name):
    start.wait()
    try:
        done.append(__import__(name).__name__)
    except BaseException as error:
        failed.append(repr(error))
threads = [threading.Thread(target=work, args=(name,)) for name in names]
for one in threads: one.start()
for one in threads: one.join()
result = [len(done), failed]
"""


def test_threads_import_the_same_and_different_ones(bundle: LazyBundle, python: Path) -> None:
    result, log = bundle.run_and_log(python, THREADS)
    assert result == [15, []]
    assert len([line for line in log if line.startswith("Installed ")]) == 3


def test_processes_put_it_into_place_once(bundle: LazyBundle, python: Path) -> None:
    bundle.run(python, "")  # what is eager is there
    children = [
        subprocess.Popen(
            bundle.command(python, THREADS),
            cwd=bundle.root,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    said = "".join(child.communicate(timeout=60)[0] for child in children)
    assert said.count("[15, []]") == 4
    assert said.count("Installed 0-alpha on first import") == 1


def test_killed_in_the_middle_the_next_start_does_it(bundle: LazyBundle, python: Path) -> None:
    """The archive is a pipe that nobody fills: the child is killed while it holds the lock."""
    archive = bundle.root / PACKED_FOLDER / "0-alpha"
    aside = archive.rename(bundle.root / "aside")
    os.mkfifo(archive)
    work = bundle.overflow / "0-alpha.work"
    with subprocess.Popen(
        bundle.command(python, "import alpha"),
        cwd=bundle.root,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
    ) as child:
        deadline = time.monotonic() + 30
        while not work.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    assert work.exists()
    (work / "half.py").touch()
    archive.unlink()
    aside.rename(archive)
    assert bundle.run(python, "import alpha\nresult = alpha.where").startswith("<overflow>/0-alpha")
    assert not work.exists()
    assert not (bundle.overflow / "0-alpha/half.py").exists()


def test_a_damaged_archive_is_loud_and_tried_again(bundle: LazyBundle, python: Path) -> None:
    archive = bundle.root / PACKED_FOLDER / "0-alpha"
    good = archive.read_bytes()
    archive.write_bytes(good[:-5])
    code = f"""
result = []
for content in (None, {good!r}):
    if content:
        open({str(archive)!r}, "wb").write(content)
    try:
        import alpha
    except ImportError:
        result.append("swallowed")
    except RuntimeError as error:
        result.append(type(error).__name__)
import alpha, alpha_single
"""
    assert bundle.run(python, code) == ["InstallError"]


def test_groups_of_another_build_are_replaced(bundle: LazyBundle, python: Path) -> None:
    old = bundle.overflow / "0-alpha"
    (old / "alpha").mkdir(parents=True)
    (old / ".installed").write_text("0" * 64, "utf-8")
    (old / "alpha/__init__.py").write_text("where = 'another build'\n", "utf-8")
    assert "another" not in bundle.run(python, "import alpha\nresult = alpha.where")
    # And an init that starts over, without the marker of the whole, keeps what is this build's.
    before = old.stat().st_ino
    (bundle.overflow / ".installed").unlink()
    bundle.run(python, "")
    assert old.stat().st_ino == before
