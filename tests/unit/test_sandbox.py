"""Sandbox: what a build in a container may see and write."""

from __future__ import annotations

import csv
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.options import OPTIONS
from overflow.sandbox import CERTIFICATES, Mount, docker_run, handed_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORBIDDEN = (
    "ACTIONS_RUNTIME_TOKEN ACTIONS_RUNTIME_URL ACTIONS_RESULTS_URL ACTIONS_CACHE_URL"
    " ACTIONS_ID_TOKEN_REQUEST_TOKEN ACTIONS_ID_TOKEN_REQUEST_URL"
    " GITHUB_TOKEN GITHUB_OUTPUT GITHUB_ENV GITHUB_PATH GITHUB_STATE GITHUB_STEP_SUMMARY"
    " GITHUB_WORKSPACE GITHUB_EVENT_PATH GITHUB_ACTIONS GH_TOKEN"
    " AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE"
    " GOOGLE_APPLICATION_CREDENTIALS AZURE_CLIENT_SECRET"
    " OVERFLOW_TOKEN OVERFLOW_MODE OVERFLOW_IMAGE OVERFLOW_MATRIX OVERFLOW_ARTIFACT"
    " OVERFLOW_PROJECT OVERFLOW_OUTPUT"
    " RUNNER_TEMP RUNNER_TOOL_CACHE RUNNER_TRACKING_ID"
    " DOCKER_HOST DOCKER_CONFIG DOCKER_AUTH_CONFIG BUILDKIT_HOST"
    " NPM_TOKEN NODE_AUTH_TOKEN DATABASE_URL SSH_AUTH_SOCK GIT_SSH_COMMAND GIT_ASKPASS"
    " UV_PUBLISH_TOKEN UV_PUBLISH_PASSWORD UV_PUBLISH_USERNAME CARGO_REGISTRY_TOKEN"
    " TWINE_PASSWORD PIP_INDEX_URL PATH HOME TMPDIR UV_CACHE_DIR UV_PYTHON PYTHONPATH LD_PRELOAD"
    " MY_UV_INDEX_URL UV_INDEX_URL_TOKEN UV_INDEX__PASSWORD_X INPUT_GITHUB-TOKEN"
).split()

NEEDED = (
    "UV_DEFAULT_INDEX UV_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL UV_INDEX_INTERNAL_USERNAME"
    " UV_INDEX_INTERNAL_PASSWORD UV_INDEX_MY_2_PASSWORD UV_HTTP_TIMEOUT UV_CONCURRENT_DOWNLOADS"
    " GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_12 HTTPS_PROXY https_proxy NO_PROXY"
    " SOURCE_DATE_EPOCH CFLAGS CI VERCEL_EXPERIMENTAL_PYTHON_UV_INSTALL_ON_STARTUP"
    " MAXIMISE_TMP_SPACE OVERFLOW_NO_RUNTIME_INSTALL"
).split()

MOUNTS = (
    Mount(source="/action/overflow", target="/opt/app/overflow"),
    Mount(source="/temp/box", target="/temp/box", writable=True),
)


@pytest.mark.parametrize("name", FORBIDDEN)
def test_build_does_not_see(name: str) -> None:
    assert handed_in({name: "x"}) == {}


@pytest.mark.parametrize("name", [*NEEDED, *CERTIFICATES])
def test_build_sees(name: str) -> None:
    assert handed_in({name: "x"}) == {name: "x"}
    assert handed_in({name: ""}) == {}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.key)
def test_build_sees_what_it_is_asked_for(option: object) -> None:
    variable = getattr(option, "variable", "")
    assert handed_in({variable: "x"}) == {variable: "x"}


@given(st.text(min_size=1), st.sampled_from([*NEEDED, *CERTIFICATES]))
def test_name_that_only_contains_one_that_is_let_in(more: str, name: str) -> None:
    let_in = {*NEEDED, *CERTIFICATES}
    for other in (more + name, f"{name}={more}", f"{name}\n{more}"):
        if other not in let_in and not other.startswith("UV_"):
            assert handed_in({other: "x"}) == {}


def command(
    mounts: Sequence[Mount] = MOUNTS,
    settings: Mapping[str, str] | None = None,
    names: Sequence[str] = (),
) -> list[str]:
    return docker_run(
        "image@sha256:1",
        ["/opt/app/entrypoint.py", "plan"],
        mounts=mounts,
        settings=settings or {},
        handed_in=names,
        user=(1001, 127),
        folder="/work space",
        name="overflow-1",
    )


def values(arguments: Sequence[str], option: str) -> list[str]:
    return [value for name, value in pairwise(arguments) if name == option]


def test_command_is_the_last_and_runs_as_the_runners_user() -> None:
    arguments = command()
    assert arguments[:2] == ["docker", "run"]
    assert arguments[-3:] == ["image@sha256:1", "/opt/app/entrypoint.py", "plan"]
    assert values(arguments, "--user") == ["1001:127"]
    assert values(arguments, "--workdir") == ["/work space"]
    assert values(arguments, "--name") == ["overflow-1"]
    assert {"--rm", "--init"} <= set(arguments)


def test_container_can_gain_nothing() -> None:
    arguments = command()
    assert values(arguments, "--cap-drop") == ["ALL"]
    assert values(arguments, "--security-opt") == ["no-new-privileges"]
    assert "--read-only" in arguments
    [processes] = values(arguments, "--pids-limit")
    assert 1_000 <= int(processes) <= 10_000, "enough for compilers, too few for a fork bomb"
    assert not {
        "--privileged",
        "--cap-add",
        "-v",
        "--volume",
        "--network",
        "--pid",
        "--env-file",
    } & {one.split("=")[0] for one in arguments}


def test_secrets_stand_on_no_command_line() -> None:
    secrets = {"UV_INDEX_A_PASSWORD": "hunter2", "UV_DEFAULT_INDEX": "https://u:hunter2@i.example"}
    arguments = command(names=list(handed_in(secrets)), settings={"LANG": "C.UTF-8"})
    assert "hunter2" not in " ".join(arguments)
    assert values(arguments, "--env") == [
        "LANG=C.UTF-8",
        "UV_DEFAULT_INDEX",
        "UV_INDEX_A_PASSWORD",
    ]


def test_only_what_is_marked_can_be_written_to() -> None:
    assert values(command(), "--mount") == [
        "type=bind,source=/action/overflow,target=/opt/app/overflow,readonly",
        "type=bind,source=/temp/box,target=/temp/box",
    ]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.booleans())
def test_path_cannot_add_an_option_to_a_mount(path: str, writable: bool) -> None:
    """Read as docker reads it: as one line of CSV, then by the first `=`."""
    argument = Mount(source=f"/a/{path}", target=f"/b/{path}", writable=writable).argument
    rows = list(csv.reader([argument.replace("\r", "\\r").replace("\n", "\\n")], strict=True))
    shown = path.replace("\r", "\\r").replace("\n", "\\n")
    fields = [field.partition("=")[::2] for field in rows[0]]
    assert fields[:3] == [("type", "bind"), ("source", f"/a/{shown}"), ("target", f"/b/{shown}")]
    assert [name for name, _ in fields[3:]] == ([] if writable else ["readonly"])


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/a b", "source=/a b"),
        ("/a,readonly=false", '"source=/a,readonly=false"'),
        ('/a"b', '"source=/a""b"'),
        ("/a:b=c", "source=/a:b=c"),
        ("/a\nb", '"source=/a\nb"'),
    ],
)
def test_path_that_needs_quotes(path: str, shown: str) -> None:
    assert Mount(source=path, target="/x").argument == f"type=bind,{shown},target=/x,readonly"
