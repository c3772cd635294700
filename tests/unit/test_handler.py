"""Handler: found by reading the source, never by importing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.errors import InputFault
from overflow.handler import ATTRIBUTES, MODULES, Handler, find_handler

if TYPE_CHECKING:
    from collections.abc import Callable


def files(**sources: str | bytes) -> Callable[[str], bytes | None]:
    """`files(app="x = 1")`: app.py; `__` stands for a folder, `INIT` for a package's own file."""
    texts = {
        f"{name.replace('__', '/').replace('INIT', '__init__')}.py": source
        for name, source in sources.items()
    }

    def read(path: str) -> bytes | None:
        source = texts.get(path)
        return source.encode() if isinstance(source, str) else source

    return read


def interface(source: str, attribute: str = "app") -> str:
    return find_handler(f"app:{attribute}", files(app=source)).interface


def fault(asked: str | None, **sources: str | bytes) -> InputFault:
    with pytest.raises(InputFault) as raised:
        find_handler(asked, files(**sources))
    assert raised.value.code == "handler-unknown"
    assert raised.value.hint
    return raised.value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from flask import Flask\napp = Flask(__name__)", "wsgi"),
        ("import flask\napp = flask.Flask(__name__)", "wsgi"),
        ("import flask as f\napp: object = f.Flask(__name__)", "wsgi"),
        ("from flask import Flask as F\napp = F('x')", "wsgi"),
        ("from fastapi import FastAPI\napp = FastAPI()", "asgi"),
        ("from starlette.applications import Starlette\napp = Starlette()", "asgi"),
        ("import starlette.applications\napp = starlette.applications.Starlette()", "asgi"),
        ("import falcon.asgi\napp = falcon.asgi.App()", "asgi"),
        ("import falcon\napp = falcon.App()", "wsgi"),
        ("from django.core.wsgi import get_wsgi_application as g\napp = g()", "wsgi"),
        ("from mangum import Mangum\napp = Mangum(x)", "function"),
        ("from apig_wsgi import make_lambda_handler\napp = make_lambda_handler(x)", "function"),
        ("Flask = object\napp = Flask()", "auto"),
        ("from mine import app", "auto"),
        ("app = make()", "auto"),
        ("app = lambda event, context: None", "auto"),
        ("class app: pass", "auto"),
        ("def app(event, context): pass", "function"),
        ("async def app(event, context): pass", "function"),
        ("def app(environ, start_response): pass", "wsgi"),
        ("def app(environ, start_response, /): pass", "wsgi"),
        ("async def app(scope, receive, send): pass", "asgi"),
        ("@decorated\ndef app(event, context): pass", "auto"),
        ("if x:\n    app = 1\nelse:\n    pass", "auto"),
        ("try:\n    import x\nexcept ImportError:\n    app = None", "auto"),
        ("with x:\n    def app(event, context): pass", "function"),
        ("a = app = 1", "auto"),
        ("(a, [app]) = x", "auto"),
        ("app = 1\ndef app(event, context): pass", "function"),
        # What is done to an app afterwards does not make it another one.
        ("from flask import Flask\napp = Flask('x')\napp.config['A'] = 1", "wsgi"),
        ("from flask import Flask\napp = Flask('x')\napp.secret_key = 'x'", "wsgi"),
        ("from fastapi import FastAPI\napp = FastAPI()\napp.state.x = 1", "asgi"),
    ],
)
def test_interface(source: str, expected: str) -> None:
    assert interface(source) == expected


@pytest.mark.parametrize(
    ("asked", "module", "attribute"),
    [
        ("app.handler", "app", "handler"),
        ("app:handler", "app", "handler"),
        ("src.app.handler", "src.app", "handler"),
        ("src/app.handler", "src.app", "handler"),
        ("src.app:handler.inner", "src.app", "handler.inner"),
        ("pkg:handler", "pkg", "handler"),
    ],
)
def test_asked(asked: str, module: str, attribute: str) -> None:
    source = "def handler(event, context): pass"
    found = find_handler(asked, files(app=source, src__app=source, pkg__INIT=source))
    assert found.name == f"{module}:{attribute}"
    assert found.interface == ("auto" if "." in attribute else "function")


@pytest.mark.parametrize("source", ["from x import *", "def __getattr__(name): pass"])
def test_names_that_cannot_be_known_are_trusted(source: str) -> None:
    assert interface(source, "anything") == "auto"


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "app",
        ":",
        "app:",
        ":handler",
        "app.",
        "../app.handler",
        "/etc/passwd:x",
        "a b:c",
        "app:x\n::error::",
        'app:x"',
        "app:x;y",
        "a..b",
        "app:handler()",
        "-app:x",
    ],
)
def test_hostile_names(asked: str) -> None:
    found = fault(asked, app="def handler(event, context): pass")
    assert "is not of the form" in found.message
    assert "\n" not in found.message


def test_module_that_is_not_there() -> None:
    found = fault("src.gone:handler", app="x = 1")
    assert found.message == (
        "--handler: there is no module 'src.gone' in the project or its distributions"
    )
    assert "src/gone.py" in found.hint


def test_attribute_that_is_not_there() -> None:
    found = fault("app:gone", app="import os\nx = 1")
    assert found.message == "--handler: module 'app' defines no 'gone'"
    assert found.hint == "it defines os, x"
    assert fault("app:gone", app="").hint == "it defines nothing"


@pytest.mark.parametrize(
    "source",
    [
        b"def handler(:",
        b"\xff\xfe\x00",
        b"x = '\x00'",
        b"# coding: no-such-codec\n",
        b"x = " + b"(" * 5000,
        b"x = " + b"-" * 100_000 + b"1",
        b"if x:\n    pass\n" + b"elif x:\n    pass\n" * 940,
        b"app = " + b"a." * 2000 + b"b()",
    ],
    ids=["syntax", "utf-16", "null", "codec", "parentheses", "minuses", "elifs", "dots"],
)
def test_source_that_cannot_be_read(source: bytes) -> None:
    """Refused as the file's fault, or read: never a crash."""
    try:
        find_handler("app:handler", files(app=source))
    except InputFault as found:
        assert found.code == "handler-unknown"


def test_syntax_error_names_the_file_and_the_line() -> None:
    found = fault("src.app:handler", src__app="\n\ndef handler(:")
    assert found.message == "src/app.py:3: cannot be read as Python: invalid syntax"


def test_odd_escapes_in_the_users_source_are_not_our_business() -> None:
    assert interface(r"app = '\d'") == "auto"


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_usual_places(module: str, attribute: str) -> None:
    found = find_handler(None, files(**{module: f"def {attribute}(event, context): pass"}))
    assert found == Handler(module=module, attribute=attribute, interface="function")


def test_first_of_the_usual_places() -> None:
    app, main = "application = 1\nlambda_handler = 2\napp = 3", "handler = 1"
    assert find_handler(None, files(app=app, main=main)).name == "app:lambda_handler"
    assert find_handler(None, files(app="x = 1", main=main)).name == "main:handler"


def test_nothing_at_the_usual_places() -> None:
    found = fault(None, app="x = 1", other="handler = 1")
    assert "app.py, main.py" in found.message
    assert "handler, lambda_handler, app, application" in found.message


@pytest.mark.parametrize(
    ("kind", "adapters"),
    [
        ("function", ()),
        ("wsgi", ("apig-wsgi",)),
        ("asgi", ("mangum", "typing-extensions")),
        ("auto", ("apig-wsgi", "mangum", "typing-extensions")),
    ],
)
def test_adapters(kind: str, adapters: tuple[str, ...]) -> None:
    assert Handler(module="app", attribute="app", interface=kind).adapters == adapters


@given(st.text(max_size=20), st.binary(max_size=60))
def test_any_name_and_source_have_an_answer(asked: str, source: bytes) -> None:
    try:
        found = find_handler(asked, files(app=source))
    except InputFault as raised:
        assert raised.code == "handler-unknown"
    else:
        assert all(part.isidentifier() for part in found.name.replace(":", ".").split("."))
