"""Handler: which function or app of the project Lambda is to call, read without importing it."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from overflow.errors import InputFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODULES = ("app", "main", "index", "handler", "lambda_function", "server", "api", "wsgi", "asgi")
ATTRIBUTES = ("handler", "lambda_handler", "app", "application")
"""Where a handler is looked for when none is named, in this order."""

CONSTRUCTORS = {
    "flask.Flask": "wsgi",
    "bottle.Bottle": "wsgi",
    "bottle.default_app": "wsgi",
    "falcon.App": "wsgi",
    "falcon.asgi.App": "asgi",
    "django.core.wsgi.get_wsgi_application": "wsgi",
    "django.core.asgi.get_asgi_application": "asgi",
    "fastapi.FastAPI": "asgi",
    "starlette.applications.Starlette": "asgi",
    "litestar.Litestar": "asgi",
    "quart.Quart": "asgi",
    "mangum.Mangum": "function",
    "apig_wsgi.make_lambda_handler": "function",
}
"""What the frameworks' own constructors give. Any other value is looked at once imported."""


@dataclass(frozen=True, kw_only=True)
class Handler:
    """What Lambda calls, and how."""

    module: str
    attribute: str
    interface: str
    """`function`, `wsgi`, `asgi`, or `auto` where the source does not tell."""

    @property
    def name(self) -> str:
        """`module:attribute`."""
        return f"{self.module}:{self.attribute}"

    @property
    def adapters(self) -> tuple[str, ...]:
        """Distributions that must be in the bundle for this interface."""
        wsgi, asgi = ("apig-wsgi",), ("mangum", "typing-extensions")
        return {"wsgi": wsgi, "asgi": asgi, "auto": (*wsgi, *asgi)}.get(self.interface, ())


def find_handler(asked: str | None, read: Callable[[str], bytes | None]) -> Handler:
    """The handler that was asked for, or the first one at a usual place.

    asked: `module.function`, `module:attribute` or None; read: gives the source at a relative
    path, or None. Raises InputFault `handler-unknown` where there is none.
    """
    if asked is not None:
        return _asked(asked, read)
    for module in MODULES:
        names = _names(read, module)
        for attribute in ATTRIBUTES:
            if names is not None and attribute in names:
                return Handler(module=module, attribute=attribute, interface=names[attribute])
    raise InputFault(
        "handler-unknown",
        "no handler found: none of "
        + ", ".join(f"{module}.py" for module in MODULES)
        + f" defines {', '.join(ATTRIBUTES)}",
        hint="name it: --handler module.function, or --handler module:app for a WSGI or ASGI app",
    )


def _asked(asked: str, read: Callable[[str], bytes | None]) -> Handler:
    module, colon, attribute = asked.partition(":")
    if not colon:
        module, _, attribute = asked.rpartition(".")
    module = module.replace("/", ".")  # Lambda's own setting may name a folder so
    parts = [*module.split("."), *attribute.split(".")]
    if not all(part.isidentifier() for part in parts):
        raise InputFault(
            "handler-unknown",
            f"--handler: {asked!r} is not of the form module.function or module:attribute",
            hint="for `app` in app.py write --handler app:app",
        )
    names = _names(read, module)
    if names is None:
        raise InputFault(
            "handler-unknown",
            f"--handler: there is no module {module!r} in the project or its distributions",
            hint=f"expected {module.replace('.', '/')}.py, relative to the project",
        )
    first = attribute.split(".")[0]
    if first not in names and "*" not in names and "__getattr__" not in names:
        raise InputFault(
            "handler-unknown",
            f"--handler: module {module!r} defines no {first!r}",
            hint=f"it defines {', '.join(sorted(names)[:12]) or 'nothing'}",
        )
    interface = names.get(attribute, "auto")
    return Handler(module=module, attribute=attribute, interface=interface)


def _names(read: Callable[[str], bytes | None], module: str) -> dict[str, str] | None:
    """What a module binds at its top level, with the interface of each; None: no such module."""
    base = module.replace(".", "/")
    for path in (f"{base}.py", f"{base}/__init__.py"):
        source = read(path)
        if source is not None:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of the user's escapes, say: not our business
                    return dict(_bindings(ast.parse(source).body, {}))
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                raise InputFault(
                    "handler-unknown",
                    _unread(path, error),
                    hint="mend the file, or name another handler with --handler",
                ) from error
    return None


def _unread(path: str, error: Exception) -> str:
    """Why a source cannot be read, and at which line where that is known."""
    why = str(error) or type(error).__name__
    if isinstance(error, SyntaxError):
        why = error.msg
        path = f"{path}:{error.lineno}" if error.lineno else path
    return f"{path}: cannot be read as Python: {why}"


def _bindings(body: list[ast.stmt], imported: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(name, interface) of each binding, in order; `imported` maps local names to full ones."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, _function_interface(node)
        elif isinstance(node, ast.ClassDef):
            yield node.name, "auto"
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from _imports(node, imported)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            yield from _assigned(node, imported)
        else:  # if, try, with, for: what they bind is bound
            for part in ("body", "handlers", "orelse", "finalbody"):
                for inner in getattr(node, part, []):
                    yield from _bindings(
                        inner.body if isinstance(inner, ast.ExceptHandler) else [inner], imported
                    )


def _function_interface(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    if node.decorator_list:
        return "auto"
    arguments = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    if arguments[1:2] == ["start_response"]:
        return "wsgi"
    return "asgi" if isinstance(node, ast.AsyncFunctionDef) and len(arguments) == 3 else "function"


def _imports(
    node: ast.Import | ast.ImportFrom, imported: dict[str, str]
) -> Iterator[tuple[str, str]]:
    prefix = ""
    if isinstance(node, ast.ImportFrom):
        prefix = f"{'.' * node.level}{node.module or ''}."
    for alias in node.names:
        local = alias.asname or alias.name.split(".")[0]
        imported[local] = prefix + (alias.name if alias.asname else alias.name.split(".")[0])
        yield local, "auto"


def _assigned(
    node: ast.Assign | ast.AnnAssign, imported: dict[str, str]
) -> Iterator[tuple[str, str]]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    interface = "auto"
    if isinstance(node.value, ast.Call):
        head, dot, rest = ast.unparse(node.value.func).partition(".")
        interface = CONSTRUCTORS.get(imported.get(head, head) + dot + rest, "auto")
    for target in targets:
        for name in ast.walk(target):
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                yield name.id, interface
