"""Context: which run this is, from the runner's variables and its event."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.box import new_box
from overflow.context import Context, read_context
from overflow.errors import InputFault

BASE, HEAD = "a" * 40, "b" * 40

ENVIRON = {
    "GITHUB_REPOSITORY": "owner/shop",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_API_URL": "https://api.github.example",
    "GITHUB_WORKFLOW": "CI",
    "GITHUB_JOB": "build",
    "GITHUB_WORKSPACE": "/home/runner/work/shop/shop",
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_SHA": "c" * 40,
    "GITHUB_RUN_ID": "123",
    "RUNNER_TEMP": "/home/runner/work/_temp",
}


def context(event: dict[str, Any] | None = None, **environ: str) -> Context:
    return read_context({**ENVIRON, **environ}, event or {})


def pull(**more: object) -> dict[str, Any]:
    return {
        "pull_request": {
            "number": 7,
            "base": {"ref": "main", "sha": BASE},
            # A fork that has been deleted has no repository.
            "head": {"ref": "x", "sha": HEAD, "repo": None},
            **more,
        }
    }


def test_places_are_below_the_runners_own_folder() -> None:
    found = context()
    assert found.run_url == "https://github.example/owner/shop/actions/runs/123"
    assert found.state == f"/home/runner/work/_temp/overflow/{found.key}"
    assert found.work == "/home/runner/work/_temp/overflow"
    assert found.report_artifact == f"overflow-report-{found.key}"


def test_what_the_steps_share_is_not_where_the_sandbox_writes(tmp_path: Path) -> None:
    found = context(RUNNER_TEMP=str(tmp_path))
    Path(found.work).mkdir()
    with new_box(Path(found.work)) as box:
        for shared in (Path(found.state), Path(found.base_state)):
            assert shared.parent == box.folder.parent
            # Else it would be removed as a box that was left behind.
            assert not shared.match("box-*")


def test_each_key_has_places_of_its_own() -> None:
    one, other = context(), context(OVERFLOW_PROJECT="services/api")
    for name in ("state", "base_state", "report_artifact"):
        assert getattr(one, name) != getattr(other, name)
    assert one.state != one.base_state
    assert one.work == other.work


@pytest.mark.parametrize("name", ENVIRON)
@pytest.mark.parametrize("empty", [True, False])
def test_outside_of_actions(name: str, empty: bool) -> None:
    environ = {**ENVIRON, name: ""} if empty else {k: v for k, v in ENVIRON.items() if k != name}
    with pytest.raises(InputFault) as raised:
        read_context(environ, {})
    assert raised.value.code == "not-in-actions"
    assert raised.value.message.startswith(f"{name} is not set")


@pytest.mark.parametrize("text", ["", "null", "{}", " null\n", "not json", "[1]", "3", '"x"'])
def test_job_without_a_matrix(text: str) -> None:
    found = context(OVERFLOW_MATRIX=text)
    assert (found.matrix, found.leg, found.key) == ("", "", context().key)


def test_matrix_is_the_same_in_any_order() -> None:
    one = context(OVERFLOW_MATRIX='{"python": "3.12", "arm": true, "os": {"a": 1}}')
    other = context(OVERFLOW_MATRIX='{\n "os": {"a": 1}, "arm": true, "python": "3.12"}')
    assert one.key == other.key
    assert one.leg == 'true, {"a": 1}, 3.12'


def test_leg_names_project_and_values() -> None:
    assert context(OVERFLOW_PROJECT="services/api").leg == "services/api"
    found = context(OVERFLOW_PROJECT="services/api", OVERFLOW_MATRIX='{"python": "3.12"}')
    assert found.leg == "services/api, 3.12"


KEYS: list[dict[str, str]] = [
    {},
    {"GITHUB_WORKFLOW": "CI build"},
    {"GITHUB_JOB": "CI"},
    {"GITHUB_WORKFLOW": "build", "GITHUB_JOB": "CI"},
    {"OVERFLOW_MATRIX": '{"python": "3.12"}'},
    {"OVERFLOW_MATRIX": '{"python": 3.12}'},
    {"OVERFLOW_MATRIX": '{"python": "3.13"}'},
    {"OVERFLOW_PROJECT": "services/api"},
    {"OVERFLOW_PROJECT": "services"},
]


def test_key_differs_by_workflow_job_matrix_and_project() -> None:
    keys = [context(None, **one).key for one in KEYS]
    assert len(set(keys)) == len(KEYS)
    assert all(len(key) == 20 and set(key) <= set("0123456789abcdef") for key in keys)


def test_key_is_the_same_for_each_run_of_a_leg() -> None:
    later = context(pull(), GITHUB_RUN_ID="9", GITHUB_SHA="d" * 40, RUNNER_TEMP="/x")
    assert later.key == context().key


@given(st.text(min_size=1), st.text(min_size=1))
def test_hostile_names_stay_in_the_key(workflow: str, job: str) -> None:
    found = context(GITHUB_WORKFLOW=workflow, GITHUB_JOB=job)
    assert set(found.key) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("given", "project"),
    [
        ("", "."),
        (" ", "."),
        (".", "."),
        ("./services/api/", "services/api"),
        ("services/../services/api", "services/api"),
        ("..api", "..api"),
        (ENVIRON["GITHUB_WORKSPACE"] + "/services/api", "services/api"),
        ("a,b 'c\"", "a,b 'c\""),
    ],
)
def test_project_inside_the_workspace(given: str, project: str) -> None:
    assert context(OVERFLOW_PROJECT=given).project == project


@pytest.mark.parametrize(
    "given",
    ["..", "../other", "a/../..", "/", "/etc", ENVIRON["GITHUB_WORKSPACE"] + "-other", "a/../../x"],
)
def test_project_outside_of_the_workspace(given: str) -> None:
    with pytest.raises(InputFault) as raised:
        context(OVERFLOW_PROJECT=given)
    assert raised.value.code == "project-outside-workspace"
    assert repr(given) in raised.value.message


def test_slash_at_the_end_of_the_workspace() -> None:
    found = context(GITHUB_WORKSPACE="/w/shop/", RUNNER_TEMP="/t/", OVERFLOW_PROJECT="a")
    assert (found.workspace, found.project, found.temp) == ("/w/shop", "a", "/t")


def test_pull_request() -> None:
    found = context(pull()).pull_request
    assert found is not None
    assert (found.number, found.base_ref) == (7, "main")
    assert (found.base_sha, found.head_sha) == (BASE, HEAD)


@pytest.mark.parametrize("event", [{}, {"pull_request": None}, {"ref": "refs/heads/main"}])
def test_run_for_no_pull_request(event: dict[str, Any]) -> None:
    assert context(event).pull_request is None


BAD: list[object] = [
    "",
    "main",
    "--upload-pack=x",
    "a" * 39,
    "A" * 40,
    "a" * 40 + "\n",
    "g" * 40,
    None,
    7,
    [],
]


@pytest.mark.parametrize("sha", BAD)
@pytest.mark.parametrize("side", ["base", "head"])
def test_commit_that_is_none(sha: object, side: str) -> None:
    event = json.loads(json.dumps(pull()))
    event["pull_request"][side]["sha"] = sha
    with pytest.raises(InputFault) as raised:
        _ = context(event).pull_request
    assert raised.value.code == "event-invalid"


def test_commit_of_a_sha256_repository() -> None:
    found = context(pull(base={"ref": "main", "sha": "0" * 64})).pull_request
    assert found is not None
    assert found.base_sha == "0" * 64


def refused(event: dict[str, Any]) -> str:
    with pytest.raises(InputFault) as raised:
        _ = context(event).pull_request
    assert raised.value.code == "event-invalid"
    return raised.value.message


@pytest.mark.parametrize("name", ["number", "base", "head"])
def test_pull_request_that_lacks_something(name: str) -> None:
    event = pull()
    del event["pull_request"][name]
    assert refused(event) == "the event's pull_request is incomplete"


@pytest.mark.parametrize(
    "more",
    [
        {"number": None},
        {"number": "seven"},
        {"number": [7]},
        {"number": math.inf},
        {"base": None},
        {"base": "main"},
        {"base": {"ref": "main"}},
        {"base": {"sha": BASE}},
        {"head": [HEAD]},
        {"head": {}},
    ],
)
def test_pull_request_of_another_form(more: dict[str, object]) -> None:
    assert refused(pull(**more)) == "the event's pull_request is incomplete"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["sha", "ref", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["number", "base", "head"]), JSON))
def test_any_event_is_a_pull_request_or_a_fault(more: dict[str, object]) -> None:
    try:
        found = context(pull(**more)).pull_request
    except InputFault as fault:
        assert fault.code == "event-invalid"
    else:
        assert found is not None
