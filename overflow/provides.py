"""Provides: the names by which a lazy group can be imported (Group.provides of the manifest)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from overflow.measure import Distribution

PACKAGE, MODULE, NAMESPACE = "package", "module", "namespace"
_ORDER = (PACKAGE, MODULE, NAMESPACE)
"""What Python takes a name for that is more than one of them."""

_MODULE_FILE = re.compile(r"([^.]+)(\.py|\.so|\.abi3\.so|\.cpython-[0-9a-z]+(-[0-9a-z_]+)*\.so)")
"""A file that Python imports on Linux: its name there, and the suffix."""

_Module = tuple[tuple[str, ...], str]
"""The folders above a module, and its name."""


def provides(distributions: Iterable[Distribution]) -> Mapping[str, str] | None:
    """`package`, `module` or `namespace` by dotted name, sorted, for the distributions of a group.

    Top-level names, and below a namespace (a folder without `__init__` that leads to a module)
    those down to the first that is none. What cannot be imported (data, dist-info, whatever has a
    dot in its name) has no name here: {} for a group of stubs alone, which nobody wants.
    None for a group that cannot be lazy: it has a .pth file, which is read at start-up or never, or
    nothing but data, which no import would bring.
    """
    files = [path for one in distributions for path in one.files]
    if any("/" not in path and path.endswith(".pth") for path in files):
        return None
    modules = list(_modules(files))
    packages = {folder for folder, name in modules if name == "__init__"}
    found: dict[str, str] = {}
    for module in modules:
        for path, kind in _on_the_way(module, packages):
            name = ".".join(path)
            found[name] = min(found.get(name, kind), kind, key=_ORDER.index)
    if not found and not all(".dist-info/" in path or path.endswith(".pyi") for path in files):
        return None
    return dict(sorted(found.items()))


def _modules(files: Iterable[str]) -> Iterator[_Module]:
    """Those that Python could come to: not below a folder whose name has a dot, say."""
    for path in files:
        *folders, file = path.split("/")
        match = _MODULE_FILE.fullmatch(file)
        if match and not any("." in one for one in folders):
            yield tuple(folders), match[1]


def _on_the_way(
    module: _Module, packages: set[tuple[str, ...]]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What leads to a module, from the top down to the first that is no namespace."""
    folder, name = module
    for depth in range(1, len(folder) + 1):
        if folder[:depth] in packages:
            yield folder[:depth], PACKAGE
            return
        yield folder[:depth], NAMESPACE
    if name != "__init__":
        yield (*folder, name), MODULE
