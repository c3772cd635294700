"""The handler at run time: found, recognised by its parameters, and made what Lambda calls."""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any

import pytest

from overflow.runtime.handler import HandlerError, adapt, detect, load


def function(event: Any, context: Any) -> Any:
    return ["function", event, context]


def wsgi(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"wsgi"]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"asgi"})


class Flask:
    def __call__(self, environ: Any, start_response: Any) -> Any:
        return wsgi(environ, start_response)


class Starlette:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await asgi(scope, receive, send)


class Callable:
    def __call__(self, event: Any, context: Any) -> Any:
        return function(event, context)


class Unsigned:
    __signature__ = "none"

    def __call__(self, *args: Any) -> Any:
        return args


def with_defaults(event: Any, context: Any = None, extra: Any = None) -> Any:
    return event


def decorated(*args: Any, **kwargs: Any) -> Any:
    return None


@functools.wraps(wsgi)
def wrapped(*args: Any) -> Any:
    return wsgi(*args)


def with_metrics(event: Any, context: Any, metrics: Any) -> Any:
    return [event, context, metrics]


@functools.wraps(with_metrics)
def given_a_third(event: Any, context: Any) -> Any:
    """As aws-embedded-metrics' decorator does."""
    return with_metrics(event, context, None)


class Unreadable:
    @property
    def __signature__(self) -> Any:
        """As Python 3.14 does of annotations that name what only type checkers import."""
        raise NameError("LambdaContext")

    def __call__(self, event: Any, context: Any) -> Any:
        return event


@pytest.mark.parametrize(
    ("target", "interface"),
    [
        (function, "function"),
        (wsgi, "wsgi"),
        (asgi, "asgi"),
        (Flask(), "wsgi"),
        (Starlette(), "asgi"),
        (Callable(), "function"),
        (Unsigned(), "function"),
        (with_defaults, "function"),
        (decorated, "function"),
        (wrapped, "wsgi"),
        (given_a_third, "function"),
        (Unreadable(), "function"),
        (functools.partial(asgi, {}), "function"),
        (lambda event, context: (event, context), "function"),
        (lambda scope, receive, send: (scope, receive, send), "asgi"),
        (dict, "function"),
        (Flask().__call__, "wsgi"),
    ],
)
def test_detect(target: Any, interface: str) -> None:
    assert detect(target) == interface


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = ModuleType("users_app")
    monkeypatch.setitem(sys.modules, "users_app", made)
    return made


def test_function_is_called_as_it_is(module: ModuleType) -> None:
    module.__dict__["handler"] = function
    assert load("users_app:handler", "auto") is function


def test_attribute_of_an_attribute(module: ModuleType) -> None:
    module.__dict__["holder"] = ModuleType("holder")
    module.__dict__["holder"].handler = function
    assert load("users_app:holder.handler", "function") is function


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("users_app:gone", "users_app has no attribute 'gone'"),
        ("users_app:name.gone", "users_app has no attribute 'name.gone'"),
        ("users_app:name", "'users_app:name' is a str: it cannot be called"),
    ],
)
def test_unusable(module: ModuleType, name: str, said: str) -> None:
    module.__dict__["name"] = "text"
    with pytest.raises(HandlerError, match=said):
        load(name, "auto")


def test_import_error_of_the_users_module_is_passed_on() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        load("no_such_module:handler", "auto")


EVENT: dict[str, Any] = {
    "version": "2.0",
    "rawPath": "/",
    "rawQueryString": "",
    "headers": {"host": "x.example"},
    "requestContext": {
        "http": {"method": "GET", "path": "/", "sourceIp": "192.0.2.1", "protocol": "HTTP/1.1"},
        "domainName": "x.example",
        "stage": "$default",
    },
    "isBase64Encoded": False,
}


@pytest.mark.parametrize(("app", "body"), [(Flask(), "wsgi"), (wsgi, "wsgi")])
def test_wsgi_answers_an_event(module: ModuleType, app: Any, body: str) -> None:
    module.__dict__["app"] = app
    answer = load("users_app:app", "auto")(EVENT, None)
    assert (answer["statusCode"], answer["body"]) == (200, body)


@pytest.mark.parametrize(
    ("content_type", "encoded"),
    [("application/json", False), ("image/svg+xml", False), ("image/png", True)],
)
def test_binary_travels_as_base64(content_type: str, encoded: bool) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", content_type)])
        return [b"x"]

    answer = adapt(app, "wsgi")(EVENT, None)
    assert answer.get("isBase64Encoded", False) is encoded


def test_asgi_is_given_to_mangum(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its event loop is for the integration tests: unit tests open no sockets.
    stand_in = ModuleType("mangum")
    stand_in.__dict__["Mangum"] = lambda app: ("mangum", app)
    monkeypatch.setitem(sys.modules, "mangum", stand_in)
    adapted: object = adapt(asgi, "asgi")
    assert adapted == ("mangum", asgi)


def test_interface_of_the_manifest_wins(module: ModuleType) -> None:
    module.__dict__["app"] = asgi
    loaded: object = load("users_app:app", "function")
    assert loaded is asgi
