"""Manifests that are no manifests: each field that is wrong is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from overflow.errors import InputFault
from overflow.manifests import manifest_from_json
from overflow.runtime.manifest import Deferred, Group, Manifest, Wheel, to_json

PLAIN = Manifest(build="b" * 64, python="3.12", handler="प्रति.app:make.app", interface="asgi")
DEFERRED = PLAIN._replace(deferred=Deferred(size=3, indexes=("HTTPS://wheels.example.com/a",)))
GROUPS = (
    Group(name="0-alpha", size=0, sha256="0" * 64),
    Group(
        name="1-beta-c",
        size=5,
        sha256="0" * 64,
        wheels=(Wheel(url="https://files.example/b.whl", sha256="1" * 64, size=0),),
        provides={"beta": "package", "beta.c": "module"},
    ),
)
GROUPED = PLAIN._replace(groups=GROUPS)


@pytest.mark.parametrize("manifest", [PLAIN, DEFERRED, GROUPED])
def test_what_a_build_writes_is_read(manifest: Manifest) -> None:
    assert manifest_from_json(to_json(manifest).encode()) == manifest


def said(content: object) -> str:
    with pytest.raises(InputFault) as raised:
        manifest_from_json(content if isinstance(content, bytes) else json.dumps(content).encode())
    assert raised.value.code == "bundle-invalid"
    assert "build it again" in raised.value.hint
    return raised.value.message


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("schema", [1, 3, None]),
        ("build", ["zz", 5]),
        ("python", [None, "3.9", "3x12", "../../x", 3.12]),
        ("handler", [5, None, "app", ":x", "a/b:c"]),
        ("interface", ["foo", None]),
        ("overflow_folder", ["/etc/x", "x", None]),
        ("deferred", ["x", []]),
        ("deferred.size", ["x", None, -1, True, 1.5, 10**15]),
        ("deferred.indexes", ["x", None, [5], ["file:///x"]]),
        ("groups", ["abc", None, [5]]),
        ("groups.1.name", ["../../etc/passwd", "", "1-../x", None]),
        ("groups.1.size", ["x", -1, None, 10**15]),
        ("groups.1.sha256", ["0" * 63, "g" * 64, None]),
        ("groups.1.wheels", ["x", None, [5]]),
        ("groups.1.wheels.0.url", ["file:///etc/passwd", 5]),
        ("groups.1.wheels.0.sha256", ["x"]),
        ("groups.1.wheels.0.size", [-1]),
        ("groups.1.provides", ["x", None]),
        ("groups.1.provides.beta", ["other", 1]),
    ],
)
def test_what_is_wrong_is_named(path: str, values: list[Any]) -> None:
    *above, last = path.split(".")
    for value in values:
        content = json.loads(to_json(GROUPED))
        content["deferred"] = DEFERRED.deferred and DEFERRED.deferred._asdict()
        place = content
        for key in above:
            place = place[int(key)] if isinstance(place, list) else place[key]
        place[last] = value
        named = path.replace(".1", "[1]").replace(".0", "[0]")
        assert said(content).startswith(f"_overflow/manifest.json: {named}")


@pytest.mark.parametrize("key", [*Manifest._fields, "schema"])
def test_nothing_may_be_missing(key: str) -> None:
    content = json.loads(to_json(PLAIN))
    del content[key]
    assert f": {key}: expected " in said(content)


def test_what_is_no_manifest_at_all() -> None:
    assert said(b"") == said(b"\xff") == "_overflow/manifest.json: not JSON"
    assert said([]).endswith("expected an object")
    assert "a field that is none of schema" in said({**json.loads(to_json(PLAIN)), "extra": 1})
