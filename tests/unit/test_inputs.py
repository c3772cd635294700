"""Inputs: options before environment, and each one that is wrong named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.errors import InputFault
from overflow.inputs import Inputs, read_inputs
from overflow.installer import InstalledBy
from overflow.limits import megabytes
from overflow.options import OPTIONS
from overflow.plan import Strategy
from overflow.trim import Level

SWITCH = "VERCEL_EXPERIMENTAL_PYTHON_UV_INSTALL_ON_STARTUP"


def read(environ: dict[str, str] | None = None, *, writes: bool = False, **given: Any) -> Inputs:
    return read_inputs(given, environ or {}, writes=writes)


def fault(environ: dict[str, str] | None = None, *, writes: bool = False, **given: Any) -> str:
    with pytest.raises(InputFault) as raised:
        read(environ, writes=writes, **given)
    assert raised.value.code == "option-invalid"
    assert raised.value.hint
    return raised.value.message


def test_defaults() -> None:
    assert read() == Inputs(
        project=Path.cwd(),
        output=None,
        strategy=Strategy.AUTO,
        installer=InstalledBy.UV,
        limits=read().limits,
        runtime_install=True,
        start_record=True,
        lazy=True,
        verify=True,
        trim=Level.SAFE,
        network=True,
        handler=None,
        python=None,
        architecture="x86_64",
        groups=(),
        extras=(),
        public_indexes=(),
        exclude=(),
        include=(),
    )
    limits = read().limits
    assert (limits.threshold, limits.limit) == (megabytes(240), megabytes(250))
    assert (limits.layers, limits.tmp) == (0, megabytes(512))


def test_paths_are_absolute() -> None:
    found = read(writes=True, project="a", output="b")
    assert (found.project, found.output) == (Path.cwd() / "a", Path.cwd() / "b")


def test_output_is_needed_to_write() -> None:
    assert fault(writes=True) == "--output: is needed"
    assert read({"OVERFLOW_OUTPUT": "/x"}, writes=True).output == Path("/x")
    assert read({"OVERFLOW_OUTPUT": "/x"}, writes=False).output is None


ONE = [
    ("handler", "OVERFLOW_HANDLER", "app.handler"),
    ("python", "OVERFLOW_PYTHON", "3.12"),
    ("architecture", "OVERFLOW_ARCHITECTURE", "arm64"),
    ("strategy", "OVERFLOW_STRATEGY", "defer"),
    ("installer", "OVERFLOW_INSTALLER", "builtin"),
    ("trim", "OVERFLOW_TRIM", "safe"),
]


@pytest.mark.parametrize(("key", "variable", "value"), ONE)
def test_single_options_come_from_the_environment(key: str, variable: str, value: str) -> None:
    given: dict[str, Any] = {variable.removeprefix("OVERFLOW_").lower(): value}
    assert getattr(read({variable: f" {value}\n"}), key) == value
    assert getattr(read({variable: "other"}, **given), key) == value


@pytest.mark.parametrize(
    ("environ", "given", "strategy"),
    [
        ({}, {}, Strategy.AUTO),
        ({SWITCH: "1"}, {}, Strategy.DEFER),
        ({SWITCH: "0"}, {}, Strategy.AUTO),
        ({SWITCH: "1", "OVERFLOW_STRATEGY": "pack"}, {}, Strategy.PACK),
        ({SWITCH: "1"}, {"strategy": "auto"}, Strategy.AUTO),
    ],
)
def test_vercels_switch_chooses_its_strategy(
    environ: dict[str, str], given: dict[str, Any], strategy: Strategy
) -> None:
    assert read(environ, **given).strategy is strategy


MANY = [
    ("group", "groups", "OVERFLOW_GROUP"),
    ("extra", "extras", "OVERFLOW_EXTRA"),
    ("public_index", "public_indexes", "OVERFLOW_PUBLIC_INDEX"),
    ("exclude", "exclude", "OVERFLOW_EXCLUDE"),
    ("include", "include", "OVERFLOW_INCLUDE"),
]


@pytest.mark.parametrize(("key", "field", "variable"), MANY)
def test_repeated_options_come_from_the_environment(key: str, field: str, variable: str) -> None:
    given: dict[str, Any] = {key: ["a", "b"]}
    assert getattr(read({variable: " a, b \n\n c,"}), field) == ("a", "b", "c")
    assert getattr(read({variable: "x"}, **given), field) == ("a", "b")


def test_every_option_has_its_variable() -> None:
    variables = {option.variable for option in OPTIONS}
    assert variables == {
        *(variable for _, variable, _ in ONE),
        *(variable for _, _, variable in MANY),
        *(f"OVERFLOW_{name}_MB" for name in ("THRESHOLD", "LIMIT", "LAYERS", "TMP")),
    }
    assert all(option.help for option in OPTIONS)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"threshold_mb": "100"}, (100, 250, 0)),
        ({"limit_mb": "37.5", "threshold_mb": "30"}, (30, 37.5, 0)),
        ({"layers_mb": "40"}, (200, 210, 40)),
        ({"layers_mb": "0"}, (240, 250, 0)),
        ({"layers_mb": "245"}, (0, 5, 245)),
        ({"layers_mb": "300"}, (0, 0, 300)),
    ],
)
def test_limits(given: dict[str, Any], expected: tuple[float, float, float]) -> None:
    limits = read(**given).limits
    assert (limits.threshold, limits.limit, limits.layers) == tuple(map(megabytes, expected))
    environ = {f"OVERFLOW_{key.upper()}": value for key, value in given.items()}
    assert read(environ).limits == limits


@pytest.mark.parametrize("key", ["threshold_mb", "limit_mb", "layers_mb"])
@pytest.mark.parametrize("value", ["x", "-1", "nan", "inf", "1e9", "240MB", "1,5", "²"])
def test_sizes_that_are_none(key: str, value: str) -> None:
    given: dict[str, Any] = {key: value}
    assert fault(**given) == f"--{key.replace('_', '-')}: {value!r}"
    assert fault({f"OVERFLOW_{key.upper()}": value}) == f"OVERFLOW_{key.upper()}: {value!r}"


@pytest.mark.parametrize("value", ["512", "600", "10240"])
def test_tmp(value: str) -> None:
    assert read(tmp_mb=value).limits.tmp == megabytes(int(value))


@pytest.mark.parametrize(
    "value", ["0", "511", "10241", "-1", "600.5", "x", "nan", "1e3", "9" * 9_999, "²"]
)
def test_a_tmp_that_lambda_has_not(value: str) -> None:
    with pytest.raises(InputFault) as raised:
        read(tmp_mb=value)
    assert (raised.value.code, raised.value.message) == ("option-invalid", f"--tmp-mb: {value!r}")
    assert "from 512 to 10240" in raised.value.hint
    assert fault({"OVERFLOW_TMP_MB": value})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"architecture": "mips"}, "--architecture: 'mips'"),
        ({"strategy": "magic"}, "--strategy: 'magic'"),
        ({"trim": "most"}, "--trim: 'most'"),
        ({"installer": "pip"}, "--installer: 'pip'"),
    ],
)
def test_choices(given: dict[str, Any], message: str) -> None:
    assert fault(**given) == message
    ((key, value),) = given.items()
    variable = f"OVERFLOW_{key.upper()}"
    assert fault({variable: value}) == f"{variable}: {value!r}", "nobody typed an option"


@pytest.mark.parametrize(
    ("name", "architecture"),
    [("X86_64", "x86_64"), ("amd64", "x86_64"), ("aarch64", "arm64"), ("ARM64", "arm64")],
)
def test_architecture_by_its_other_names(name: str, architecture: str) -> None:
    assert read(architecture=name).architecture == architecture


@pytest.mark.parametrize(
    ("environ", "given", "expected"),
    [
        ({}, {}, True),
        ({SWITCH: "1"}, {}, True),
        ({SWITCH: "0"}, {}, False),
        ({SWITCH: ""}, {}, True),
        ({"OVERFLOW_NO_RUNTIME_INSTALL": "on"}, {}, False),
        ({"OVERFLOW_NO_RUNTIME_INSTALL": "False", SWITCH: "0"}, {}, True),
        ({"OVERFLOW_NO_RUNTIME_INSTALL": "yes", SWITCH: "1"}, {}, False),
        ({"OVERFLOW_NO_RUNTIME_INSTALL": "0", SWITCH: "1"}, {"no_runtime_install": True}, False),
        ({}, {"no_runtime_install": False}, True),
    ],
)
def test_runtime_install(environ: dict[str, str], given: dict[str, Any], expected: bool) -> None:
    assert read(environ, **given).runtime_install is expected


@pytest.mark.parametrize(
    ("value", "tmp"), [("1", 10_240), (" YES ", 10_240), ("0", 512), ("", 512)]
)
def test_maximise_tmp_space(value: str, tmp: int) -> None:
    assert read({"MAXIMISE_TMP_SPACE": value}).limits.tmp == megabytes(tmp)


@pytest.mark.parametrize("name", ["MAXIMISE_TMP_SPACE", SWITCH, "OVERFLOW_NO_RUNTIME_INSTALL"])
def test_switch_that_is_neither(name: str) -> None:
    assert fault({name: "maybe"}) == f"{name}: 'maybe'"


@given(st.dictionaries(st.sampled_from([option.variable for option in OPTIONS]), st.text()))
def test_any_environment_is_read_or_refused(environ: dict[str, str]) -> None:
    try:
        read(environ)
    except InputFault as found:
        assert found.code == "option-invalid"


@pytest.mark.parametrize(
    ("given", "level"),
    [
        ({"strategy": "defer"}, Level.NONE),
        ({"strategy": "pack"}, Level.SAFE),
        ({"strategy": "auto"}, Level.SAFE),
        ({"strategy": "defer", "trim": "safe"}, Level.SAFE),
        ({"strategy": "auto", "trim": "none"}, Level.NONE),
        ({"strategy": "auto", "trim": "aggressive"}, Level.AGGRESSIVE),
    ],
)
def test_defer_trims_only_what_is_asked_for(given: dict[str, Any], level: Level) -> None:
    assert read(**given).trim is level
