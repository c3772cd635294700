"""Reading: which modules sources import, read without running any of them.

It sees more than a start does (both branches of an `if`) and less (names made at run time): where
a start could be recorded, that counts, and this says what the project asks for beyond it.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from overflow.runtime.manifest import VENDOR_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

MOST_FILES = 3000
"""So many are read of what a start seems to import; matplotlib, pandas and scipy have 600."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")
"""Where statements have statements."""

BY_NAME = frozenset({"import_module", "__import__"})


@dataclass(frozen=True, kw_only=True)
class Imports:
    """What one source mentions, by full names; `a.b` may be a module or something in `a`."""

    first: frozenset[str] = frozenset()
    """Imported when the module is."""
    later: frozenset[str] = frozenset()
    """Imported in functions."""
    texts: frozenset[str] = frozenset()
    """Texts that could be names of modules."""
    by_name: bool = False
    """Whether it imports modules by names that it works out."""

    @property
    def all(self) -> frozenset[str]:
        """All that it imports."""
        return self.first | self.later


def read_imports(source: bytes, module: str, *, is_package: bool, whole: bool = True) -> Imports:
    """What a source imports, less what is for type checkers or programs; nothing if it is none.

    module: its full name, which relative imports need; not `whole`: no more than the statements
    that run when it is imported, in half the time.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the source's escapes, say: not our business
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Imports()
    package = module.split(".") if is_package else module.split(".")[:-1]
    found: tuple[set[str], set[str]] = (set(), set())
    texts: set[str] = set()
    by_name = False
    pending: list[tuple[ast.AST, bool]] = [(tree, False)]
    while pending:  # no recursion: sources can be nested deeper than Python likes
        node, later = pending.pop()
        found[later].update(_names(node, package))
        by_name |= _word(node) in BY_NAME
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_name(node.value):
            texts.add(node.value)
        inside = later or isinstance(node, FUNCTIONS)
        if whole or not inside:
            pending += [(child, inside) for child in _children(node, whole=whole)]
    return Imports(
        first=frozenset(found[False]),
        later=frozenset(found[True]),
        texts=frozenset(texts),
        by_name=by_name,
    )


def _children(node: ast.AST, *, whole: bool) -> Iterable[ast.AST]:
    """What of a node runs when it is imported or called; not `whole`: the statements."""
    if isinstance(node, ast.If):
        if _word(node.test) == "TYPE_CHECKING" or _is_program(node.test):
            return node.orelse
        if isinstance(node.test, ast.UnaryOp) and _word(node.test.operand) == "TYPE_CHECKING":
            return node.body
    if whole:
        return ast.iter_child_nodes(node)
    return [child for part in BLOCKS for child in getattr(node, part, ())]


def _is_program(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and _word(test.left) == "__name__"


def _word(node: ast.AST) -> str:
    """The name that an expression ends with, or that an import binds."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.name if isinstance(node, ast.alias) else ""


def _names(node: ast.AST, package: list[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        climbed = package[: max(0, len(package) - node.level + 1)] if node.level else []
        base = ".".join([*climbed, *filter(None, [node.module])])
        yield from filter(None, [base])
        yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names)
    elif isinstance(node, ast.Call) and _word(node.func) in BY_NAME and node.args:
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def _is_name(text: str) -> bool:
    return len(text) < 200 and all(part.isidentifier() for part in text.split("."))


@dataclass(frozen=True, kw_only=True)
class Library:
    """The modules of a project and of what is installed for it."""

    paths: Collection[str]
    """Files by their paths in a bundle where everything is vendored."""
    read: Callable[[str], bytes | None]
    """Gives a file's content, or None where it cannot or shall not be read."""
    _known: dict[str, Imports] = field(default_factory=dict)

    @cached_property
    def modules(self) -> Mapping[str, str]:
        """Files by the full names of modules; the project's stand before installed ones."""
        found: dict[str, tuple[tuple[bool, int], str]] = {}
        for path in self.paths:
            vendored = not is_own(path)
            folder, _, last = path.removeprefix(f"{VENDOR_FOLDER}/").rpartition("/")
            stem, _, kind = last.partition(".")
            if kind == "py" or kind.endswith("so"):
                parts = [*filter(None, folder.split("/")), *([] if stem == "__init__" else [stem])]
                # As Python's own finder: a package, then an extension module, then a source.
                rank = (vendored, 0 if stem == "__init__" else 1 if kind != "py" else 2)
                name = ".".join(parts)
                if _is_name(name):
                    found[name] = min(found.get(name, (rank, path)), (rank, path))
        return {name: path for name, (_, path) in found.items()}

    def demanded(self, handler: str) -> frozenset[str]:
        """Modules that the project's code asks for, wherever it does, from the handler's on."""
        found: set[str] = set()
        pending = [handler]
        while pending:
            name = pending.pop()
            path = self.modules.get(name)
            if path is not None and is_own(path):
                asked = {self._module(one) for one in self._asked(name, path)}
                pending += sorted(asked - found)  # the same order each time: not all may be read
                found |= asked
        return frozenset(found - {"", handler})

    def imported(self, names: Iterable[str], known: Collection[str] = ()) -> list[str]:
        """Files that importing these modules takes, less those `known` with all they import."""
        found: dict[str, None] = {}
        pending = list(names)
        while pending and len(found) < MOST_FILES:
            parts = pending.pop().split(".")
            for count in range(1, len(parts) + 1):
                name = ".".join(parts[:count])
                path = self.modules.get(name)
                if path is not None and path not in found and path not in known:
                    found[path] = None
                    pending += sorted(self._imports(name, path).first)
        return list(found)

    def _asked(self, name: str, path: str) -> set[str]:
        imports = self._imports(name, path)
        asked = set(imports.all)
        if any(one.split(".")[0] == "django" for one in imports.all) or "settings" in path:
            asked |= {text for text in imports.texts if self._module(text)}
        elif imports.by_name:
            asked |= {text for text in imports.texts if self._is_installed(text)}
        return asked

    def _is_installed(self, text: str) -> bool:
        return "." not in text and not is_own(self.modules.get(text, ""))

    def _module(self, name: str) -> str:
        """The longest part of a full name that is a module here; empty where there is none."""
        while name and name not in self.modules:
            name = name.rpartition(".")[0]
        return name

    def _imports(self, name: str, path: str) -> Imports:
        if path not in self._known:
            source = self.read(path) if path.endswith(".py") else None
            is_package = path.endswith("/__init__.py")
            self._known[path] = read_imports(
                source or b"", name, is_package=is_package, whole=is_own(path)
            )
        return self._known[path]


def is_own(path: str) -> bool:
    """Whether a file of a bundle is the project's."""
    return not path.startswith(f"{VENDOR_FOLDER}/")
