"""Lazy: groups that start-up does not need come at the first import of one of their names.

The folder of such a group stands on sys.path from the start, in its order, and is not there yet.
A path hook claims it, so that Python's own search decides who is asked, and when: user's modules
in front still shadow it, and portions of a namespace package are put together as ever. Asked for
a name, the folder's importer answers from the manifest. That alone puts nothing into place (apps
ask find_spec whether a package is there); the import does, and so does asking the spec or its
loader for anything more. From then on the folder is like any other.

The lock is one file for each group: whoever gets it looks again, removes what a killed process
left, works aside, and renames (unpack.py). No thread waits for a group that it does not need.
"""

from __future__ import annotations

import os
import sys
import time
from _thread import get_ident
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

from . import lock, ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from importlib.metadata import Distribution, DistributionFinder
    from types import ModuleType
    from typing import SupportsIndex

    from .manifest import Group, Manifest

ANEW = frozenset({"popen_spawn_posix", "popen_forkserver", "popen_loky_posix"})
"""Modules of multiprocessing and loky, by their last names: imported when a process is started that
is no fork."""

_placing: set[tuple[int, int]] = set()
"""Processes and threads that are putting a group into place just now."""


def claim(manifest: Manifest, root: str) -> None:
    """Have the lazy groups come when needed; root: the bundle's folder.

    For a caller who puts their folders on sys.path afterwards.
    """
    places = [
        Place(one, f"{manifest.overflow_folder}/{one.name}", root)
        for one in manifest.groups
        if one.provides is not None
    ]
    finder = _Finder(f"{manifest.overflow_folder}/", places)
    sys.path_hooks.insert(0, finder.importer)
    sys.meta_path.insert(0, finder)


class Place:
    """Where one lazy group is, or will be."""

    def __init__(self, group: Group, folder: str, root: str) -> None:
        self.provides: Mapping[str, str] = group.provides or {}
        self.folder = folder
        self.root = root
        self.name = group.name
        self._group = group
        self._is_there = False

    def is_there(self) -> bool:
        """Whether it is in place, also by another process."""
        self._is_there = self._is_there or ready.is_marked(self.folder, self._group.sha256)
        return self._is_there

    def ensure(self) -> None:
        """Have it in place. Raises InstallError; the next call tries again."""
        if self._is_there:
            return
        me = (os.getpid(), get_ident())
        _placing.add(me)
        try:
            self._put()
        except (OSError, ImportError) as error:  # never an ImportError: apps expect those
            raise ready.InstallError(f"{self.folder} cannot be put into place: {error}") from error
        finally:
            _placing.discard(me)
        self._forget_importers()

    def _put(self) -> None:
        above = os.path.dirname(self.folder)
        if os.path.islink(above):
            ready.remove(above)
        os.makedirs(above, exist_ok=True)
        with lock.held(f"{self.folder}.lock"):
            if self.is_there():
                return
            started = time.perf_counter()
            from . import unpack  # noqa: PLC0415 - most starts need none of it

            unpack.place(self._group, self.folder, self.root)
            self._is_there = True
            seconds = time.perf_counter() - started
            print(f"Installed {self.name} on first import in {seconds:.2f}s", flush=True)

    def _forget_importers(self) -> None:
        for path, importer in list(sys.path_importer_cache.items()):
            if isinstance(importer, _Importer) and importer.place is self:
                sys.path_importer_cache.pop(path, None)


class _Finder:
    """The path hook for the folders, and in front of sys.meta_path what importlib.metadata asks."""

    def __init__(self, prefix: str, places: Iterable[Place]) -> None:
        self._prefix = prefix
        self._places = {one.name: one for one in places}

    def importer(self, path: str) -> _Importer:
        """The importer of a group's folder, or of one in it. ImportError: like any other folder."""
        if path.startswith(self._prefix):
            name, _, below = path[len(self._prefix) :].partition("/")
            place = self._places.get(name)
            if place is not None and not place.is_there():
                return _Importer(place, path, below)
        raise ImportError(path)

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:  # noqa: ARG002 - the protocol's
        """Nothing: modules are found by way of sys.path. Two kinds need more than that.

        A process that is started anew gets sys.path, and nobody who would fill its folders.
        pkg_resources lists what is on it as it is imported, and asks no finder: for it, the
        dist-info of what is not in place stands at the end.
        """
        if fullname.rpartition(".")[2] in ANEW:
            for place in self._places.values():
                place.ensure()
        elif fullname == "pkg_resources":
            from . import metadata  # noqa: PLC0415 - as below

            folders = (metadata.folder(one) for one in self._places.values() if not one.is_there())
            sys.path += filter(os.path.isdir, folders)

    def find_distributions(self, context: DistributionFinder.Context) -> Iterator[Distribution]:
        """Those of groups that are not in place; all others have their dist-info on sys.path."""
        from . import metadata  # noqa: PLC0415 - who asks has paid for importlib.metadata

        return metadata.find(context, self._places.values())


class _Importer:
    """Finds what a folder will hold, while it is not there."""

    def __init__(self, place: Place, path: str, below: str) -> None:
        self.place = place
        self._path = path
        self._prefix = f"{below.replace('/', '.')}." if below else ""

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        tail = fullname.rpartition(".")[2]
        kind = self.place.provides.get(self._prefix + tail)
        # What is imported in order to put a group into place cannot come from one.
        if kind is None or (os.getpid(), get_ident()) in _placing:
            return None
        if kind == "namespace":
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [f"{self._path}/{tail}"]
            return spec
        return _Spec(fullname, lambda: self._really_find(fullname, target))

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        """As pkgutil wants it: regular packages and modules, not what lies below them."""
        for name, kind in sorted(self.place.provides.items()):
            tail = name[len(self._prefix) :]
            if name.startswith(self._prefix) and "." not in tail and kind != "namespace":
                yield prefix + tail, kind == "package"

    def _really_find(self, fullname: str, target: ModuleType | None) -> ModuleSpec:
        """The module once the group is in place, found as Python does."""
        self.place.ensure()
        spec: ModuleSpec | None = self._usual_importer().find_spec(fullname, target)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return spec

    def _usual_importer(self) -> Any:
        # Not by sys.path_importer_cache, where another thread may just have put one of ours.
        for hook in sys.path_hooks:
            try:
                return hook(self._path)
            except ImportError:
                continue
        raise ready.InstallError(f"{self._path} is no longer there")


class _Spec(ModuleSpec):
    """Says that a module is there. Asked for anything else it becomes the spec that Python finds.

    Python's search asks for no more than `loader is not None`; importing asks the loader.
    """

    def __init__(self, name: str, find: Callable[[], ModuleSpec]) -> None:
        # ModuleSpec's own attributes stay unset: __getattr__ is for what is not there.
        self.name = name
        self.loader: Any = _Loader(self, find)
        self._waiting = self.loader

    def __getattr__(self, attribute: str) -> Any:
        waiting = self.__dict__.get("_waiting")
        if waiting is not None:
            waiting.become()
        elif type(self) is _Spec:  # a thread that came second finds it changed, not like this
            raise AttributeError(attribute)
        return getattr(self, attribute)

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """Copied or pickled it is what it stands for."""
        self._waiting.become()
        return ModuleSpec.__reduce_ex__(self, protocol)


class _Loader:
    """Stands in for the loader of a spec until anything is asked of it."""

    def __init__(self, spec: _Spec, find: Callable[[], ModuleSpec]) -> None:
        self._spec = spec
        self._find = find
        self._found: ModuleSpec | None = None

    def become(self) -> ModuleSpec:
        """Make the spec what it stands for, but for what the app has set of it (LazyLoader)."""
        found = self._found or self._find()
        if self._found is None:
            own = {name: value for name, value in vars(self._spec).items() if value is not self}
            vars(self._spec).update({**vars(found), **own})
            self._spec.__class__ = ModuleSpec  # type: ignore[assignment]
            vars(self._spec).pop("_waiting", None)
            self._found = found
        return found

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self.become().loader, attribute)
