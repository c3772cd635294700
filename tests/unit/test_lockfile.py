"""Lockfile: what uv writes becomes values; anything else is refused with its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.errors import InputFault
from overflow.lockfile import (
    SOURCE_KINDS,
    LockedPackage,
    LockedWheel,
    Lockfile,
    Source,
    parse_lock,
)
from overflow.project import parse_toml
from tests.unit.builders import HASH, lock_toml, package
from tests.unit.builders import lock as lock_of

WHEEL = "https://files.example/a/alpha-1.0-py3-none-any.whl"
ALPHA = f"""
name = "alpha"
version = "1.0"
source = {{ registry = "https://pypi.org/simple" }}
sdist = {{ url = "https://files.example/alpha-1.0.tar.gz", hash = "sha256:{HASH}", size = 7 }}
wheels = [
    {{ url = "{WHEEL}", hash = "sha256:{HASH}", size = 7 }},
    {{ path = "wheels/alpha-1.0-cp312-none-any.whl" }},
    {{ filename = "alpha-1.0-cp313-none-any.whl", hash = "md5:1234" }},
]
"""


def parse(text: str) -> Lockfile:
    return parse_lock(parse_toml(text.encode(), "uv.lock", "lock-invalid"))


def fault(mapping: Any) -> InputFault:
    with pytest.raises(InputFault) as raised:
        parse_lock(mapping)
    return raised.value


def test_what_uv_writes() -> None:
    assert parse(lock_toml(ALPHA)).packages == (
        LockedPackage(
            name="alpha",
            version="1.0",
            source=Source(kind="registry", location="https://pypi.org/simple"),
            wheels=(
                LockedWheel(
                    filename="alpha-1.0-py3-none-any.whl",
                    sha256=HASH,
                    url=WHEEL,
                    size=7,
                ),
                LockedWheel(filename="alpha-1.0-cp312-none-any.whl", sha256=None),
                LockedWheel(filename="alpha-1.0-cp313-none-any.whl", sha256=None),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("written", "url"),
    [
        (
            "https://a.example:8/x/alpha-1.0-py3-none-any.whl?k=1#h=2",
            "https://a.example:8/x/alpha-1.0-py3-none-any.whl?k=1",
        ),
        (
            "http://[::1]:80/alpha-1.0-py3-none-any.whl",
            "http://[::1]:80/alpha-1.0-py3-none-any.whl",
        ),
        ("https://user:pass@a.example/alpha-1.0-py3-none-any.whl", None),
        ("file:///alpha-1.0-py3-none-any.whl", None),
        (
            "https://a.example/\\n/alpha-1.0-py3-none-any.whl",
            "https://a.example/\\n/alpha-1.0-py3-none-any.whl",
        ),
        ("https://a.example/\n/alpha-1.0-py3-none-any.whl", None),
        ("https://a.example/é/alpha-1.0-py3-none-any.whl", None),
        ("https:/alpha-1.0-py3-none-any.whl", None),
    ],
)
def test_only_what_can_be_fetched_plainly_is_a_url(written: str, url: str | None) -> None:
    entry = {"name": "alpha", "wheels": [{"url": written, "size": -1}]}
    (found,) = parse_lock({"version": 1, "package": [entry]}).packages
    assert found.wheels == (
        LockedWheel(filename="alpha-1.0-py3-none-any.whl", sha256=None, url=url, size=0),
    )


def test_names_and_versions_are_normalised() -> None:
    (found,) = parse(lock_toml('name = "Zope.Interface"\nversion = "1.0.0-RC1"')).packages
    assert (found.name, found.version, found.source) == ("zope-interface", "1.0.0rc1", None)


def test_dynamic_version_is_none() -> None:
    (found,) = parse(lock_toml('name = "app"\nsource = { virtual = "." }')).packages
    assert (found.version, found.source) == (None, Source(kind="virtual", location="."))


@pytest.mark.parametrize("kind", SOURCE_KINDS)
def test_every_kind_of_source(kind: str) -> None:
    (found,) = parse(lock_toml(f'name = "alpha"\nsource = {{ {kind} = "x" }}')).packages
    assert found.source == Source(kind=kind, location="x")


@pytest.mark.parametrize(
    ("location", "filename"),
    [
        ("https://x.example/a/b-1.0-py3-none-any.whl", "b-1.0-py3-none-any.whl"),
        ("https://x.example/b-1.0%2Bcpu-py3-none-any.whl", "b-1.0+cpu-py3-none-any.whl"),
        ("https://x.example/b-1-py3-none-any.whl?sig=a/b.whl", "b-1-py3-none-any.whl"),
        ("https://x.example/b-1-py3-none-any.whl#sha256=0/0", "b-1-py3-none-any.whl"),
        ("b-1-py3-none-any.whl", "b-1-py3-none-any.whl"),
    ],
)
def test_filename_of_a_wheel(location: str, filename: str) -> None:
    entry = f'name = "b"\nwheels = [{{ url = "{location}" }}]'
    (found,) = parse(lock_toml(entry)).packages
    assert [wheel.filename for wheel in found.wheels] == [filename]


def test_lock_without_packages() -> None:
    assert parse("version = 1").packages == ()


def test_candidates_have_the_name_and_the_version_or_none() -> None:
    one, two, dynamic = package(version="1.0"), package(version="2.0"), package(version=None)
    lock = lock_of(one, two, dynamic, package("beta"))
    assert lock.candidates("alpha", "1.0") == (one, dynamic)
    assert lock.candidates("alpha", "3.0") == (dynamic,)
    assert lock.candidates("gamma", "1.0") == ()


@pytest.mark.parametrize("version", [0, 2, -1])
def test_other_schema(version: int) -> None:
    found = fault({"version": version})
    assert found.code == "lock-version"
    assert f"uv.lock, version: {version}" in found.message


def test_later_revision_is_read() -> None:
    assert parse_lock({"version": 1, "revision": 99}).packages == ()


def entry(**changes: Any) -> dict[str, Any]:
    return {"version": 1, "package": [{"name": "ok"}, {"name": "alpha", **changes}]}


def wheels(*values: Any) -> dict[str, Any]:
    return entry(wheels=[{"url": "https://x.example/ok-1-py3-none-any.whl"}, *values])


@pytest.mark.parametrize(
    ("mapping", "place"),
    [
        ({}, "version"),
        ({"version": "1"}, "version"),
        ({"version": True}, "version"),
        ({"version": 1.0}, "version"),
        ({"version": 1, "package": {}}, "package"),
        ({"version": 1, "package": "x"}, "package"),
        ({"version": 1, "package": [3]}, "package[0]"),
        (entry(name=None), "package[1].name"),
        (entry(name=5), "package[1].name"),
        (entry(name="a b"), "package[1].name"),
        (entry(name="a\nb"), "package[1].name"),
        (entry(name=""), "package[1].name"),
        (entry(name="-r evil.txt"), "package[1].name"),
        (entry(version=1.0), "package[1].version"),
        (entry(version="one"), "package[1].version"),
        (entry(version=""), "package[1].version"),
        (entry(source="pypi"), "package[1].source"),
        (entry(source={}), "package[1].source"),
        (entry(source={"svn": "x"}), "package[1].source"),
        (entry(source={"registry": 1}), "package[1].source.registry"),
        (entry(source={"git": {}}), "package[1].source.git"),
        (entry(wheels={}), "package[1].wheels"),
        (entry(wheels=None), "package[1].wheels"),
        (wheels("x"), "package[1].wheels[1]"),
        (wheels({}), "package[1].wheels[1].url"),
        (wheels({"url": 1}), "package[1].wheels[1].url"),
        (wheels({"url": ""}), "package[1].wheels[1].url"),
        (wheels({"url": "x", "hash": 1}), "package[1].wheels[1].hash"),
        (wheels({"url": "x", "hash": "sha256:"}), "package[1].wheels[1].hash"),
        (wheels({"url": "x", "hash": "sha256:" + "a" * 63}), "package[1].wheels[1].hash"),
        (wheels({"url": "x", "hash": "sha256:" + "a" * 65}), "package[1].wheels[1].hash"),
        (wheels({"url": "x", "hash": "sha256:" + " " * 64}), "package[1].wheels[1].hash"),
        (wheels({"url": "x", "hash": "sha256:" + "é" * 64}), "package[1].wheels[1].hash"),
        # Not hexadecimal: what is let through here is refused as a bug when a bundle is written.
        (wheels({"url": "x", "hash": "sha256:" + "z" * 64}), "package[1].wheels[1].hash"),
    ],
)
def test_malformed_names_the_place(mapping: Any, place: str) -> None:
    found = fault(mapping)
    assert found.code == "lock-invalid"
    assert found.message.startswith(f"uv.lock, {place}: ")
    assert found.hint


def test_upper_case_hash_is_taken_as_the_same_digits_or_refused() -> None:
    try:
        lock = parse_lock(wheels({"url": "x", "hash": "sha256:" + "A" * 64}))
    except InputFault:
        return
    assert lock.packages[1].wheels[1].sha256 == "a" * 64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"version = 1\n<<<<<<< HEAD\n", "not valid TOML"),
        (b"version = 1\npackage = [", "not valid TOML"),
        (b"\xff\xfe", "not UTF-8 (byte 0)"),
        (b"version = 1\nx = '\x80'", "not UTF-8 (byte 17)"),
        (b"x = " + b"[" * 100_000, "uv.lock: "),
        (b"version = " + b"9" * 5_000, "not valid TOML"),
    ],
    ids=["conflict", "cut off", "utf-16", "latin-1", "deep", "huge number"],
)
def test_not_toml(text: bytes, said: str) -> None:
    with pytest.raises(InputFault) as raised:
        parse_toml(text, "uv.lock", "lock-invalid")
    assert raised.value.code == "lock-invalid"
    assert said in raised.value.message
    assert raised.value.message.startswith("uv.lock: ")
    assert raised.value.hint


def test_version_with_very_many_digits() -> None:
    assert fault(entry(version="9" * 5_000)).code == "lock-invalid"


TEXT = lock_toml(ALPHA, 'name = "app"\nsource = { editable = "." }').encode()


def parses_or_is_refused(text: bytes) -> None:
    try:
        parse_lock(parse_toml(text, "uv.lock", "lock-invalid"))
    except InputFault as found:
        assert found.code in {"lock-invalid", "lock-version"}


@pytest.mark.parametrize("length", range(0, len(TEXT), 3))
def test_cut_off(length: int) -> None:
    parses_or_is_refused(TEXT[:length])


@given(st.integers(0, len(TEXT)), st.integers(0, 40), st.binary(max_size=12))
def test_mangled(start: int, length: int, instead: bytes) -> None:
    parses_or_is_refused(TEXT[:start] + instead + TEXT[start + length :])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = "name version source wheels url hash path filename registry git".split()
TABLE = st.dictionaries(st.sampled_from(KEYS), JSON, max_size=5)
PACKAGE = st.dictionaries(
    st.sampled_from(KEYS), JSON | TABLE | st.lists(TABLE | JSON, max_size=2), max_size=5
)


@given(
    st.fixed_dictionaries(
        {"version": st.just(1) | JSON},
        optional={"package": JSON | st.lists(PACKAGE | JSON, max_size=3)},
    )
)
def test_any_mapping_parses_or_is_refused(mapping: dict[str, Any]) -> None:
    try:
        parse_lock(mapping)
    except InputFault as found:
        assert found.code in {"lock-invalid", "lock-version"}


def test_builder_writes_toml() -> None:
    """So that the tests above are about what they seem to be about."""
    assert len(parse(TEXT.decode()).packages) == 2
