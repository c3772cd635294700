"""Classification: public only where the lock says so, by exact origin, with a hashed wheel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.classify import (
    PYPI,
    IndexOrigin,
    Verdict,
    Visibility,
    classify,
    origin,
    public_indexes,
)
from overflow.errors import InputFault
from overflow.lockfile import SOURCE_KINDS, LockedWheel, Source
from tests.unit.builders import HASH, distribution, lock, package, target, wheel

if TYPE_CHECKING:
    from overflow.lockfile import LockedPackage
    from overflow.measure import Distribution

EXTRA = "https://wheels.example.com/simple"

PYPI_IN_OTHER_WORDS = [
    "https://pypi.org/simple",
    "https://pypi.org/simple/",
    "https://pypi.org:443/simple",
    "https://PyPI.org/simple",
    "HTTPS://PYPI.ORG/simple",
    "https://pypi.org./simple",
]

NOT_PYPI = [
    "https://pypi.org.evil.example/simple",
    "https://evil.example/pypi.org/simple",
    "https://evil.example/?pypi.org",
    "https://evil.example/#https://pypi.org/simple",
    "https://pypi.org@evil.example/simple",
    "https://pypi.org:443@evil.example/simple",
    "https://evilpypi.org/simple",
    "https://test.pypi.org/simple",
    "https://pypi.org.:8443/simple",
    "https://pypi.org:8080/simple",
    "https://pypi.org\\@evil.example/simple",
    "http://pypi.org/simple",
    "http://pypi.org:443/simple",
    "https://pypi.org:notaport/simple",
    "https://[::1/simple",
    "https:///pypi.org/simple",
    "file://pypi.org/simple",
    "ftp://pypi.org/simple",
    "//pypi.org/simple",
    "pypi.org/simple",
    "../wheels",
    "/srv/wheels",
    "",
    # Looks the same, with a Cyrillic letter in it.
    "https://\u0440\u0443pi.org/simple",
]


def verdict(
    *locked: LockedPackage,
    installed: Distribution | None = None,
    python: str = "3.12",
    extra: tuple[str, ...] = (),
    project: str = "app",
    added: frozenset[str] = frozenset(),
) -> Verdict:
    one = installed or distribution("alpha", "1.0")
    found = classify(
        [one],
        lock=lock(*locked),
        project=project,
        target=target(python),
        indexes=public_indexes(extra),
        added=added,
    )
    assert list(found) == [one.name]
    return found[one.name]


def test_on_pypi_is_public() -> None:
    found = verdict(package())
    assert found == Verdict(
        visibility=Visibility.PUBLIC, reason="on pypi.org", index=PYPI, hashes=(HASH,)
    )
    assert found.is_public


@pytest.mark.parametrize("url", PYPI_IN_OTHER_WORDS)
def test_pypi_by_any_spelling_of_its_origin(url: str) -> None:
    assert verdict(package(registry=url)).index == PYPI


@pytest.mark.parametrize("url", NOT_PYPI)
def test_what_only_looks_like_pypi_is_private(url: str) -> None:
    found = verdict(package(registry=url))
    assert not found.is_public
    assert found.hashes == ()
    assert found.index is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://pypi.org@evil.example/simple", "other index: evil.example"),
        ("https://user:secret@pypi.internal/simple", "other index: pypi.internal"),
        ("../wheels", "other index: a local folder"),
    ],
)
def test_reason_names_the_host_and_never_a_password(url: str, reason: str) -> None:
    assert verdict(package(registry=url)).reason == reason


@pytest.mark.parametrize("kind", [kind for kind in SOURCE_KINDS if kind != "registry"])
def test_every_other_kind_of_source_is_private(kind: str) -> None:
    # The location is PyPI's: the kind alone decides.
    found = verdict(package(registry=None, source=Source(kind=kind, location=PYPI)))
    assert (found.visibility, found.reason) == (Visibility.PRIVATE, f"{kind} source")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (verdict(package(registry=None)), "no source in uv.lock"),
        (verdict(), "not in uv.lock"),
        (verdict(package("beta")), "not in uv.lock"),
        (verdict(package(version="2.0")), "not in uv.lock"),
        (verdict(package(), project="alpha"), "the project itself"),
        (verdict(package(), added=frozenset({"alpha"})), "added by overflow"),
        (verdict(package(), installed=distribution(recorded=False)), "files without a RECORD"),
        (verdict(package(wheels=[])), "no hashed wheel for python3.12 on x86_64"),
        (verdict(package(wheels=[wheel(sha256=None)])), "no hashed wheel for python3.12 on x86_64"),
        (
            verdict(package(wheels=[wheel("alpha-1.0-cp312-cp312-macosx_11_0_arm64.whl")])),
            "no hashed wheel for python3.12 on x86_64",
        ),
        (
            verdict(
                package(wheels=[wheel("alpha-1.0-cp311-cp311-manylinux_2_28_x86_64.whl")]),
                python="3.11",
            ),
            "no hashed wheel for python3.11 on x86_64",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_private_for_a_reason(found: Verdict, reason: str) -> None:
    assert (found.visibility, found.reason) == (Visibility.PRIVATE, reason)


def test_unknown_version_in_the_lock_matches_any() -> None:
    assert verdict(package(version=None)).is_public


def test_hashes_are_those_of_loadable_wheels_sorted_and_once() -> None:
    wheels = [
        wheel("alpha-1.0-cp312-cp312-manylinux_2_28_x86_64.whl", "c" * 64),
        wheel("alpha-1.0-py3-none-any.whl", "b" * 64),
        wheel("alpha-1.0-1-py3-none-any.whl", "b" * 64),
        wheel("alpha-1.0-cp312-cp312-musllinux_1_2_x86_64.whl", "0" * 64),
        wheel("alpha-1.0-cp313-cp313-manylinux_2_28_x86_64.whl", "1" * 64),
        wheel("alpha-1.0.tar.gz", "2" * 64),
    ]
    assert verdict(package(wheels=wheels)).hashes == ("b" * 64, "c" * 64)


def located(filename: str, sha256: str | None = HASH) -> LockedWheel:
    return LockedWheel(filename=filename, sha256=sha256, url=f"https://files.example/{filename}")


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["a-1-py3-none-any.whl", "a-1-cp312-cp312-manylinux_2_17_x86_64.whl"], 1),
        (["a-1-cp39-abi3-manylinux_2_17_x86_64.whl", "a-1-py3-none-any.whl"], 0),
        (
            [
                "a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
                "a-1-cp312-cp312-manylinux_2_28_x86_64.whl",
                "a-1-cp312-cp312-manylinux_2_38_x86_64.whl",
                "a-1-cp312-cp312-manylinux_2_28_aarch64.whl",
            ],
            1,
        ),
        (["a-1-1-py3-none-any.whl", "a-1-10b-py3-none-any.whl", "a-1-py3-none-any.whl"], 1),
        (["a-1-py3-none-any.whl", "a-1-py2.py3-none-any.whl"], 0),
    ],
    ids=["platform", "abi3", "newest that loads", "build number", "first of equals"],
)
def test_wheel_is_the_most_specific_one(names: list[str], chosen: int) -> None:
    """As uv chooses; whatever the order in the lock."""
    wheels = [located(name) for name in names]
    found = verdict(package(wheels=wheels)).wheel
    assert found == wheels[chosen]
    if "py2.py3" not in names[-1]:
        assert verdict(package(wheels=wheels[::-1])).wheel == wheels[chosen]


def test_no_wheel_where_the_one_that_is_installed_has_no_url() -> None:
    """Another would be other files; and one without a hash is none."""
    best = "alpha-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"
    other = located("alpha-1.0-py3-none-any.whl")
    assert verdict(package(wheels=[wheel(best), other])).wheel is None
    assert verdict(package(wheels=[located(best, None), other])).wheel == other
    assert verdict(package(wheels=[wheel(best), other])).is_public


def test_forked_lock_on_one_index_takes_the_hashes_of_both() -> None:
    one = package(wheels=[wheel("alpha-1.0-cp312-none-any.whl", "1" * 64)])
    other = package(wheels=[wheel("alpha-1.0-py3-none-any.whl", "2" * 64)])
    assert verdict(one, other).hashes == ("1" * 64, "2" * 64)


@pytest.mark.parametrize("swapped", [False, True])
def test_forked_lock_with_a_private_entry_is_private(swapped: bool) -> None:
    entries = [
        package(),
        package(registry=None, source=Source(kind="git", location="https://git.example/a")),
    ]
    found = verdict(*(reversed(entries) if swapped else entries))
    assert (found.visibility, found.reason) == (Visibility.PRIVATE, "git source")


def test_forked_lock_with_another_version_counts_the_installed_one() -> None:
    other = package(version="2.0", registry="https://internal.example/simple")
    assert verdict(package(), other).is_public
    installed = distribution("alpha", "2.0")
    assert verdict(package(), other, installed=installed).reason == "other index: internal.example"


def test_locked_from_two_public_indexes_is_private() -> None:
    found = verdict(package(), package(registry=EXTRA), extra=(EXTRA,))
    assert (found.visibility, found.reason) == (
        Visibility.PRIVATE,
        "locked from several indexes",
    )


def test_extra_public_index() -> None:
    found = verdict(package(registry=f"{EXTRA}/"), extra=(EXTRA,))
    assert (found.reason, found.index) == ("on wheels.example.com", EXTRA)
    assert not verdict(package(registry=EXTRA)).is_public


def test_two_public_indexes_on_one_host_are_two() -> None:
    cpu, gpu = "https://download.example.com/whl/cpu", "https://download.example.com/whl/cu130"
    for url in (cpu, gpu):
        assert verdict(package(registry=url), extra=(cpu, gpu)).index == url


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@wheels.example.com/simple",
        "https://hunter2@wheels.example.com/simple",
        "https://@wheels.example.com/simple",
        "wheels.example.com",
        "file:///srv/hunter2",
        "https://wheels.example.com:port/simple",
        "--index-url=hunter2",
        "",
    ],
)
def test_public_index_must_be_a_url_without_password(url: str) -> None:
    with pytest.raises(InputFault) as raised:
        public_indexes([url])
    assert raised.value.code == "index-invalid"
    assert "hunter2" not in raised.value.message + raised.value.hint + raised.value.details


def test_origin_with_a_port() -> None:
    found = origin("http://A.example:8080/x/")
    assert found == IndexOrigin(scheme="http", host="a.example", port=8080, path="/x")
    found = origin("http://a.example")
    assert found == IndexOrigin(scheme="http", host="a.example", port=80, path="")


@given(st.text())
def test_any_text_has_an_origin_or_none(text: str) -> None:
    for url in (text, f"https://{text}", f"https://pypi.org{text}"):
        found = origin(url)
        assert found is None or found.host


@given(st.text(alphabet="abc.:@/\\?#[]%1 \t", max_size=20))
def test_nothing_before_a_host_makes_it_pypi(text: str) -> None:
    found = origin(f"https://{text}.evil.example/pypi.org/simple")
    if found is not None and found.host == "pypi.org":
        # Only where the text itself ends the host: then a client goes to PyPI as well.
        assert text.lstrip("/\\").lower().startswith(("pypi.org",))
