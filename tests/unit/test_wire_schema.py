"""Wire and its schema: what one accepts the other accepts, and the schema explains itself."""

from __future__ import annotations

import ast
import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from overflow.errors import InputFault
from overflow.wire import from_json, to_json
from tests.unit.reports import SAMPLES, fits

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def is_exact(checker: object, value: object) -> bool:
    return type(value) is int and abs(value) < 2**53


# What from_json asks for beyond the schema: whole numbers without a point, that any reader of JSON
# can hold. And a pattern's `$` is the very end to JSON Schema, but not to Python.
EXACT = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", is_exact),
)(json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8").replace('$"', '\\\\Z"')))

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner)
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON value, as its container and key."""
    keys = value.items() if isinstance(value, dict) else enumerate(value)
    inner = [] if not isinstance(value, (dict, list)) else list(keys)
    return [place for key, one in inner for place in [(value, key), *_below(one)]]


def _below(value: Any) -> list[tuple[Any, Any]]:
    return places(value) if isinstance(value, (dict, list)) else []


NEAR: list[Any] = [
    *(None, True, False, "", "text", [], {}, ["text"], [0], [{}]),
    *(0, 1, 1.0, 3, -1, 127, 128, 511, 512, 10_240, 10_241, 2**53 - 1, 2**53),
    *("fits", "overflows", "too-large", "defer", "public", "private", "vendored", "deferred"),
    *("pack", "packed", "safe", "none", "tests", "C headers"),
    *("python3.9", "python3.", "xpython3.9", "python3.9x", "python3.\u0663", "python3.9\n"),
    *("arm64", "x86_64", "armv7", "2.34", "2.34.1", "function", "wsgi", "auto", "other"),
    *("bundle", "bundles", "function.zip", "functionXzip", "f" * 64, "F" * 64, "f" * 65),
    *({"plan": 0.5}, {"plan": -1}, {"plan": True}, {"plan": "1"}, {"other": 1}),
    *({"file": "a", "line": 1}, {"file": "a", "line": 0}, {"file": "a"}, {"line": 1}),
]
"""Values that are right in one place or another, and some that are nearly so."""

TEMPLATES = [json.loads(to_json(make())) for make in SAMPLES.values()]


def accepts(content: Any) -> bool:
    try:
        found = from_json(json.dumps(content).encode())
    except InputFault as fault:
        assert fault.code == "report-invalid"
        return False
    to_json(found).encode()
    return True


def is_as_described(content: Any) -> bool:
    ends = {"fits": 0, "overflows": 0, "too-large": 3}
    return bool(EXACT.is_valid(content)) and content["exit_code"] == ends[content["outcome"]]


def change(content: Any, kind: str, at: int, value: Any) -> None:
    container, key = places(content)[at]
    if kind == "replace":
        container[key] = value
    elif kind == "remove":
        del container[key]
    elif isinstance(container, dict):
        container[f"{key}s"] = value
    else:
        container.append(value)


@settings(max_examples=500)
@given(st.data())
def test_changed_json_is_accepted_where_the_schema_accepts_it(data: st.DataObject) -> None:
    """Whatever a fork puts into its artifact: a report by the schema, or InputFault."""
    content = copy.deepcopy(data.draw(st.sampled_from(TEMPLATES)))
    for _ in range(data.draw(st.integers(min_value=1, max_value=2))):
        kind = data.draw(st.sampled_from(["replace", "replace", "remove", "add"]))
        at = data.draw(st.integers(min_value=0, max_value=len(places(content)) - 1))
        change(content, kind, at, data.draw(st.sampled_from(NEAR) | JSON))
    assert accepts(content) == is_as_described(content)


def test_each_field_is_held_to_the_schema() -> None:
    content = copy.deepcopy(TEMPLATES[1])
    content["distributions"] = content["distributions"][:1]
    for container, key in places(content):
        right = container[key]
        for value in NEAR:
            container[key] = copy.deepcopy(value)
            assert accepts(content) == is_as_described(content), (key, value)
        container[key] = right


@pytest.mark.parametrize("kind", ["missing", "more", "unit"])
def test_schema_refuses_what_is_not_a_report(kind: str) -> None:
    content = json.loads(to_json(fits()))
    if kind == "missing":
        del content["sizes"]["bundle_bytes"]
    elif kind == "more":
        content["target"]["os"] = "linux"
    else:
        content["sizes"]["bundle_bytes"] = "100 MB"
    assert not VALIDATOR.is_valid(content)


def schemas(schema: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [*schema.get("properties", {}).values(), *[schema[k] for k in ["items"] if k in schema]]
    return [schema, *(found for one in inner for found in schemas(one))]


def test_schema_is_closed_and_explains_itself() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for schema in schemas(SCHEMA):
        assert schema["description"]
        if "properties" in schema:
            assert schema["additionalProperties"] is False
        elif schema["type"] != "array":
            assert re.search(r"(Unit: \w+|No unit)", schema["description"]), schema
    for name, schema in SCHEMA["properties"]["sizes"]["properties"].items():
        assert name.endswith("_bytes") == ("Unit: bytes." in schema["description"])


def test_schema_knows_every_step() -> None:
    story = [
        ROOT / "overflow" / name for name in ("installation.py", "preparation.py", "pipeline.py")
    ]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in story]
    steps = {
        node.args[0].value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "step"
        and isinstance(node.args[0], ast.Constant)
    }
    assert steps == set(SCHEMA["properties"]["seconds"]["properties"])
