"""Requirements: exact pins with hashes, and nothing else gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.classify import Verdict, Visibility
from overflow.requirements import requirements_text
from tests.unit.builders import HASH, distribution

A, B = "a" * 64, "b" * 64


def text(name: str = "alpha", version: str = "1.0", *hashes: str) -> str:
    verdict = Verdict(visibility=Visibility.PUBLIC, reason="", hashes=hashes)
    return requirements_text([distribution(name, version)], {name: verdict})


def test_golden() -> None:
    verdicts = {
        "zulu": Verdict(visibility=Visibility.PUBLIC, reason="", hashes=(A,)),
        "alpha-beta": Verdict(visibility=Visibility.PUBLIC, reason="", hashes=(A, B)),
    }
    members = [distribution("zulu", "2!1.0.post1+cpu.2"), distribution("alpha-beta", "1.0rc1")]
    assert requirements_text(members, verdicts) == (
        f"alpha-beta==1.0rc1 \\\n    --hash=sha256:{A} \\\n    --hash=sha256:{B}\n"
        f"zulu==2!1.0.post1+cpu.2 \\\n    --hash=sha256:{A}\n"
    )


def test_none() -> None:
    assert requirements_text([], {}) == ""


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-r",
        "--index-url=http://evil",
        "a b",
        "a;b",
        "a#b",
        "a\nb",
        "a\n",
        "a@b",
        "A",
        "a_b",
        "a-",
        "é",
        "(in no RECORD)",
        "https://evil/a.whl",
        "$(id)",
        "${HOME}",
        "a\\",
        "../a",
    ],
)
def test_hostile_names(name: str) -> None:
    with pytest.raises(ValueError, match="has no place in a requirements file"):
        text(name, "1.0", HASH)


@pytest.mark.parametrize(
    "version",
    ["", "1.0 ", "1.0\n", "1.0;x", "1.0 --pre", "1.0,<2", "*", "1.*", "v1", "${V}", "1\\", "1#"],
)
def test_hostile_versions(version: str) -> None:
    with pytest.raises(ValueError, match="has no place in a requirements file"):
        text("alpha", version, HASH)


@pytest.mark.parametrize(
    "hashes", [(), ("",), ("a" * 63,), ("g" * 64,), ("A" * 64,), (HASH, "x\n--pre"), (HASH + "\n",)]
)
def test_hostile_hashes(hashes: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="alpha: expected sha256 hashes"):
        text("alpha", "1.0", *hashes)


@given(st.text(max_size=10), st.text(max_size=10))
def test_one_logical_line_or_none(name: str, version: str) -> None:
    try:
        found = text(name, version, HASH)
    except ValueError:
        return
    assert found.split() == [f"{name}=={version}", "\\", f"--hash=sha256:{HASH}"]
