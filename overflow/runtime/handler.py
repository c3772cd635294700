"""Handler: import the user's function or app and make it what Lambda calls."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT_TYPES = (
    "text/",
    "application/json",
    "application/javascript",
    "application/problem+json",
    "application/vnd.api+json",
    "application/xml",
    "image/svg+xml",
)
"""Content types that travel as text; all others are base64, as API Gateway asks of binary."""


class HandlerError(RuntimeError):
    """The handler cannot be used; the message says why."""


def load(name: str, interface: str) -> Callable[[Any, Any], Any]:
    """The Lambda function for `module:attribute`, by `interface` (of the manifest).

    An ImportError of the user's module is passed on as it is.
    """
    module_name, _, attribute = name.partition(":")
    target: Any = importlib.import_module(module_name)
    for part in attribute.split("."):
        if not hasattr(target, part):
            raise HandlerError(f"handler {name!r}: {module_name} has no attribute {attribute!r}")
        target = getattr(target, part)
    if not callable(target):
        raise HandlerError(f"handler {name!r} is a {type(target).__name__}: it cannot be called")
    return adapt(target, detect(target) if interface == "auto" else interface)


def detect(target: Callable[..., Any]) -> str:
    """`wsgi`, `asgi` or `function`, from the parameters it must be given.

    ASGI apps take (scope, receive, send), under these names or as a coroutine: decorators that
    bring a function its third argument are no such apps. WSGI's second parameter is
    `start_response` (PEP 3333 names it so, and the frameworks do); all else takes (event, context).
    """
    import inspect  # noqa: PLC0415 - 6 ms, for those few apps of which the source did not tell

    more: dict[str, Any] = {}
    if sys.version_info >= (3, 14):  # which evaluates annotations, and what they name is not there
        more["annotation_format"] = importlib.import_module("annotationlib").Format.STRING
    try:
        parameters = list(inspect.signature(target, **more).parameters.values())
    except Exception:  # noqa: BLE001 - the app's own __signature__, say
        return "function"
    positional = [
        parameter.name
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and parameter.default is parameter.empty
    ]
    calls = (target, getattr(target, "__call__", None))  # noqa: B004 - of an object with that method
    is_coroutine = any(map(inspect.iscoroutinefunction, calls))
    if positional == ["scope", "receive", "send"] or (len(positional) == 3 and is_coroutine):
        return "asgi"
    if positional[1:2] == ["start_response"]:
        return "wsgi"
    return "function"


def adapt(target: Callable[..., Any], interface: str) -> Callable[[Any, Any], Any]:
    """`target` as a Lambda function."""
    if interface == "wsgi":
        apig_wsgi = importlib.import_module("apig_wsgi")
        wrapped: Callable[[Any, Any], Any] = apig_wsgi.make_lambda_handler(
            target, binary_support=True, non_binary_content_type_prefixes=TEXT_TYPES
        )
        return wrapped
    if interface == "asgi":
        mangum = importlib.import_module("mangum")
        adapted: Callable[[Any, Any], Any] = mangum.Mangum(target)
        return adapted
    return target
