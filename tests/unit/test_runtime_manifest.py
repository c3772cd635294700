"""Manifest: what the build writes is what the start reads, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from overflow.runtime.manifest import (
    OVERFLOW_FOLDER,
    Deferred,
    Group,
    Manifest,
    Wheel,
    from_json,
    to_json,
)

PLAIN = Manifest(build="b1", python="3.12", handler="app:handler", interface="function")
FULL = Manifest(
    build="b2",
    python="3.13",
    handler="src.app:make.app",
    interface="asgi",
    overflow_folder="/tmp/elsewhere",
    deferred=Deferred(size=3, indexes=("https://wheels.example.com/simple",)),
)
PACKED = Manifest(
    build="b3",
    python="3.12",
    handler="app:handler",
    interface="function",
    groups=(
        Group(name="0-alpha", size=5, sha256="0" * 64),
        Group(
            name="1-beta",
            size=5,
            sha256="0" * 64,
            wheels=(Wheel(url="https://files.example/b.whl", sha256="1" * 64, size=3),),
            provides={"beta": "package"},
        ),
    ),
)


@pytest.mark.parametrize("manifest", [PLAIN, FULL, PACKED])
def test_round_trip(manifest: Manifest) -> None:
    assert from_json(to_json(manifest)) == manifest


def test_text_is_the_same_for_the_same_manifest() -> None:
    assert to_json(PLAIN) == (
        "{\n"
        '  "build": "b1",\n'
        '  "deferred": null,\n'
        '  "groups": [],\n'
        '  "handler": "app:handler",\n'
        '  "interface": "function",\n'
        '  "overflow_folder": "/tmp/_vc_deps_overflow",\n'
        '  "python": "3.12",\n'
        '  "schema": 2\n'
        "}\n"
    )


def test_folder_is_the_origin_documents() -> None:
    assert OVERFLOW_FOLDER == "/tmp/_vc_deps_overflow"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": 3}, "schema 3, this runtime reads 2"),
        ({"schema": None}, "schema None"),
        ({"more": 1}, "not one of this runtime's"),
        ({"deferred": {"indexes": []}}, "not one of this runtime's"),
        ({"groups": [{"name": "0-alpha"}]}, "not one of"),
        ({"deferred": {"size": 1, "indexes": [], "x": 1}}, "not one of"),
    ],
)
def test_other_manifests_are_refused(changes: dict[str, Any], said: str) -> None:
    content = {**json.loads(to_json(PLAIN)), **changes}
    with pytest.raises(ValueError, match=said):
        from_json(json.dumps(content))


@pytest.mark.parametrize("field", ["build", "python", "handler", "interface", "schema"])
def test_missing_field_is_refused(field: str) -> None:
    content = json.loads(to_json(PLAIN))
    del content[field]
    with pytest.raises(ValueError, match=r"manifest\.json"):
        from_json(json.dumps(content))


def test_cut_off_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        from_json(to_json(PLAIN)[:40])
