"""Target: which wheels load in a Lambda runtime, and which Python is chosen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from overflow.errors import InputFault
from overflow.limits import RUNTIMES
from overflow.target import choose_python
from tests.unit.builders import target

PYTHONS = [f"{major}.{minor}" for major, minor in RUNTIMES]
ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}


def accepted(tag: str, python: str = "3.12", architecture: str = "x86_64") -> bool:
    return target(python, architecture).accepts(f"alpha-1.0-{tag}.whl")


@pytest.mark.parametrize(
    ("python", "platform", "expected"),
    [
        ("3.11", "manylinux_2_17", True),
        ("3.11", "manylinux2014", True),
        ("3.11", "manylinux2010", True),
        ("3.11", "manylinux1", True),
        ("3.11", "manylinux_2_28", False),
        ("3.10", "manylinux_2_27", False),
        ("3.12", "manylinux_2_28", True),
        ("3.12", "manylinux_2_34", True),
        ("3.12", "manylinux_2_35", False),
        ("3.14", "manylinux_2_39", False),
        ("3.12", "musllinux_1_2", False),
        ("3.12", "linux", False),
        ("3.12", "manylinux_1_5", False),
        ("3.12", "manylinux_3_1", False),
    ],
)
def test_glibc_of_the_runtime_decides(python: str, platform: str, expected: bool) -> None:
    abi = f"cp{python.replace('.', '')}"
    assert accepted(f"{abi}-{abi}-{platform}_x86_64", python) is expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("py3-none-any", True),
        ("py2.py3-none-any", True),
        ("py2-none-any", False),
        ("py312-none-any", True),
        ("py313-none-any", False),
        ("cp312-none-any", True),
        ("cp39-abi3-manylinux_2_17_x86_64", True),
        ("cp313-abi3-manylinux_2_17_x86_64", False),
        ("cp311-cp311-manylinux_2_17_x86_64", False),
        ("cp312-cp312t-manylinux_2_17_x86_64", False),
        ("pp310-pypy310_pp73-manylinux_2_17_x86_64", False),
        ("cp312-cp312-manylinux_2_17_aarch64", False),
        ("cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64", True),
        ("cp312-cp312-manylinux_2_35_x86_64.manylinux_2_28_x86_64", True),
        ("cp311.cp312-none-any", True),
        ("cp312-cp312-win_amd64", False),
        ("cp312-cp312-macosx_11_0_arm64", False),
        ("1-py3-none-any", True),
    ],
)
def test_tags(tag: str, expected: bool) -> None:
    assert accepted(tag) is expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".whl",
        "alpha.whl",
        "alpha-1.0.whl",
        "py3-none-any",
        "alpha-1.0.tar.gz",
        "---.whl",
        "alpha-1.0-py3-none-any.whl.metadata",
        "alpha-1.0-py3-none-any.WHL",
        "py3-none-any.whl",
    ],
)
def test_what_is_no_wheel_is_refused(name: str) -> None:
    assert not target().accepts(name)


def test_arm64_takes_its_own_wheels_only() -> None:
    assert accepted("cp312-cp312-manylinux_2_28_aarch64", architecture="arm64")
    assert accepted("cp312-cp312-manylinux2014_aarch64", architecture="arm64")
    # There never were such: PEP 513 and 571 know x86 only.
    assert not accepted("cp312-cp312-manylinux1_aarch64", architecture="arm64")
    assert not accepted("cp312-cp312-manylinux_2_28_x86_64", architecture="arm64")


def oracle(python: str, architecture: str) -> frozenset[Tag]:
    """packaging's own answer, with the platforms written out by PEP 600's rules."""
    one = target(python, architecture)
    machine = ARCHITECTURES[architecture]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(5, one.manylinux[1] + 1)]
    platforms.append(f"manylinux2014_{machine}")
    if machine == "x86_64":
        platforms += ["manylinux2010_x86_64", "manylinux1_x86_64"]
    interpreter = f"cp{python.replace('.', '')}"
    return frozenset(
        [
            *cpython_tags(one.python, platforms=platforms),
            *compatible_tags(one.python, interpreter, platforms),
        ]
    )


ORACLES = {(python, arch): oracle(python, arch) for python in PYTHONS for arch in ARCHITECTURES}

INTERPRETERS = st.sampled_from(
    "py2 py3 py2.py3 py310 py312 py39 cp39 cp310 cp311 cp312 cp313 cp314 cp312.cp313 pp310".split()
)
ABIS = st.sampled_from("none abi3 cp39 cp310 cp311 cp312 cp313 cp313t cp314 abi3.cp312".split())
MANYLINUX = st.builds(
    "manylinux_{}_{}_{}".format,
    st.integers(1, 3),
    st.integers(0, 40),
    st.sampled_from(["x86_64", "aarch64", "i686"]),
)
PLATFORMS = MANYLINUX | st.sampled_from(
    "any manylinux1_x86_64 manylinux2010_x86_64 manylinux2014_x86_64 manylinux2014_aarch64"
    " manylinux1_aarch64 musllinux_1_1_x86_64 linux_x86_64 win_amd64 macosx_11_0_arm64".split()
)
BUILDS = st.sampled_from(["", "-1", "-2local"])


@given(
    st.sampled_from(sorted(ORACLES)),
    BUILDS,
    INTERPRETERS,
    ABIS,
    st.lists(PLATFORMS, min_size=1, max_size=3).map(".".join),
)
def test_agrees_with_packaging(
    runtime: tuple[str, str], build: str, interpreter: str, abi: str, platform: str
) -> None:
    name = f"alpha-1.0{build}-{interpreter}-{abi}-{platform}.whl"
    _, _, _, tags = parse_wheel_filename(name)
    assert target(*runtime).accepts(name) is bool(tags & ORACLES[runtime])


@given(st.text())
def test_any_file_name_has_an_answer(name: str) -> None:
    assert target().accepts(name) in {True, False}


@pytest.mark.parametrize(
    ("python", "architecture", "platform"),
    [
        ("3.11", "x86_64", "x86_64-manylinux_2_17"),
        ("3.12", "x86_64", "x86_64-manylinux_2_34"),
        ("3.10", "arm64", "aarch64-manylinux_2_17"),
        ("3.14", "arm64", "aarch64-manylinux_2_34"),
    ],
)
def test_names(python: str, architecture: str, platform: str) -> None:
    one = target(python, architecture)
    assert (one.version, one.runtime, one.uv_platform) == (python, f"python{python}", platform)


@pytest.mark.parametrize(
    ("asked", "pinned", "requires", "chosen"),
    [
        (None, None, None, (3, 14)),
        (None, None, ">=3.10,<3.13", (3, 12)),
        (None, None, ">=3.12.4,<3.13", (3, 12)),
        (None, None, "==3.11.*", (3, 11)),
        (None, None, "!=3.14.*", (3, 13)),
        (None, "3.12", None, (3, 12)),
        (None, "3.12.4", ">=3.11", (3, 12)),
        (None, "cpython@3.11", None, (3, 11)),
        (None, "cpython-3.11.4", None, (3, 11)),
        (None, "python3.13", None, (3, 13)),
        (None, "3.9", ">=3.9", (3, 14)),
        (None, "pypy3.10", None, (3, 14)),
        (None, "3.11", ">=3.12", (3, 14)),
        ("3.10", "3.12", None, (3, 10)),
        (" 3.13 ", None, ">=3.12", (3, 13)),
        ("python3.12", None, None, (3, 12)),
    ],
)
def test_choose_python(
    asked: str | None, pinned: str | None, requires: str | None, chosen: tuple[int, int]
) -> None:
    assert choose_python(asked=asked, pinned=pinned, requires_python=requires) == chosen


@pytest.mark.parametrize(
    ("asked", "requires", "code", "said"),
    [
        (None, ">=4", "python-not-supported", "project.requires-python: '>=4'"),
        (None, "<3.10", "python-not-supported", "admits none of"),
        ("3.9", None, "python-not-supported", "--python: '3.9'"),
        ("3", None, "python-not-supported", "not a Python that Lambda runs"),
        ("latest", None, "python-not-supported", "not a Python that Lambda runs"),
        ("3.x", None, "python-not-supported", "not a Python that Lambda runs"),
        ("3.1²", None, "python-not-supported", "not a Python that Lambda runs"),
        ("3.11", ">=3.12", "python-not-supported", "outside requires-python ('>=3.12')"),
        (None, "three", "pyproject-invalid", "'three' is not a version specifier"),
        ("3.12", "^3.12", "pyproject-invalid", "'^3.12' is not a version specifier"),
        ("3." + "9" * 5_000, None, "python-not-supported", "not a Python that Lambda runs"),
    ],
)
def test_choose_python_refuses(
    asked: str | None, requires: str | None, code: str, said: str
) -> None:
    with pytest.raises(InputFault) as raised:
        choose_python(asked=asked, pinned=None, requires_python=requires)
    assert raised.value.code == code
    assert said in raised.value.message
    assert raised.value.hint


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_text_gives_a_python_or_is_refused(pinned: str, requires: str) -> None:
    try:
        assert choose_python(asked=None, pinned=pinned, requires_python=requires) in RUNTIMES
    except InputFault as fault:
        assert fault.code in {"python-not-supported", "pyproject-invalid"}
