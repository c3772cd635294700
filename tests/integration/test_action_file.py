"""action.yml against the code behind it, its docs and its types; what holds for every workflow."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from overflow.inputs import ARCHITECTURES, TRUE
from overflow.options import OPTIONS
from overflow.plan import Outcome, Strategy
from overflow.settings import COMMENTS, GATES, MODES, SWITCHES
from overflow.steps import STEPS
from overflow.trim import Level
from tests.support.workflows import (
    ROOT,
    Source,
    actions,
    documented,
    file_source,
    our_workflows,
    steps,
)
from tests.unit.runner import parse_command

ENTRYPOINT = ROOT / "entrypoint.py"
ACTION = file_source("action.yml")
INPUTS: dict[str, dict[str, str]] = ACTION.content["inputs"]
OUTPUTS: dict[str, dict[str, str]] = ACTION.content["outputs"]
TYPES = file_source("action-types.yml").content
STEPS_BY_ID: dict[str, dict[str, Any]] = {
    step["id"]: step for step in steps(ACTION) if "id" in step
}

WORKFLOWS = (*our_workflows(), *documented())
EVERYTHING = (*WORKFLOWS, *actions())

REFERENCE = re.compile(r"steps\.([\w-]+)\.outputs\.([\w-]+)")

named = pytest.mark.parametrize("source", EVERYTHING, ids=lambda source: source.name)
workflows = pytest.mark.parametrize("source", WORKFLOWS, ids=lambda source: source.name)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.flag)
def test_every_option_is_an_input(option: Any) -> None:
    name = option.flag.removeprefix("--")
    assert INPUTS[name]["default"] == option.default
    assert STEPS_BY_ID["build"]["env"][option.variable] == f"${{{{ inputs.{name} }}}}"


def test_inputs_have_default_and_description() -> None:
    for inputs in (INPUTS, file_source("comment/action.yml").content["inputs"]):
        for name, given in inputs.items():
            assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", name)
            assert set(given) == {"description", "default"}, name
            assert isinstance(given["default"], str), name


def test_every_input_is_used() -> None:
    for action in actions():
        used = set(re.findall(r"inputs\.([\w-]+)", action.text))
        assert used == set(action.content["inputs"])


def test_inputs_are_called_what_their_variables_are() -> None:
    for step in steps(ACTION):
        for variable, value in step.get("env", {}).items():
            found = re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", value)
            if found and found[1] != "github-token":
                assert variable == "OVERFLOW_" + found[1].replace("-", "_").upper()


def test_a_variable_means_the_same_in_each_step() -> None:
    meanings: dict[str, set[str]] = {}
    for step in steps(ACTION):
        for variable, value in step.get("env", {}).items():
            meanings.setdefault(variable, set()).add(value)
    assert {name: values for name, values in meanings.items() if len(values) > 1} == {}


def test_steps_that_are_called_exist() -> None:
    called = [
        name
        for action in actions()
        for step in steps(action)
        for name in re.findall(r"entrypoint\.py\" action (\w+)$", step.get("run", ""))
    ]
    assert sorted(called) == sorted(STEPS)


def set_by_python() -> set[str]:
    """Keys of the dictionaries in overflow/steps.py: what its steps can set."""
    tree = ast.parse((ROOT / "overflow" / "steps.py").read_text("utf-8"))
    keys = [key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys]
    return {str(key.value) for key in keys if isinstance(key, ast.Constant)}


def test_every_output_is_set_by_a_step() -> None:
    uploaded = set(file_source("tests/support/upload_artifact/action.yml").content["outputs"])
    assert REFERENCE.search(ACTION.text)
    for step, name in REFERENCE.findall(ACTION.text):
        is_ours = "run" in STEPS_BY_ID[step]
        assert name in (set_by_python() if is_ours else uploaded), name
    for name, output in OUTPUTS.items():
        assert REFERENCE.search(output["value"]), name
        assert output["description"], name


@pytest.mark.parametrize("name", SWITCHES)
def test_switches_are_checked_before_anything_looks_at_them(name: str) -> None:
    """What is neither `true` nor `false` fails the build's step, and no expression sees it."""
    assert STEPS_BY_ID["build"]["env"][f"OVERFLOW_{name.upper()}"] == f"${{{{ inputs.{name} }}}}"
    assert INPUTS[name]["default"] in {"true", "false"}
    assert TYPES["inputs"][name]["type"] == "boolean"


def test_no_other_input_is_compared_by_an_expression() -> None:
    conditions = [step.get("if", "") for step in steps(ACTION)]
    assert set(re.findall(r"inputs\.([\w-]+)", " ".join(conditions))) == set(SWITCHES)


OLD = """\
import pathlib, runpy, sys
sys.version_info, sys.argv = tuple(map(int, sys.argv[2].split("."))), sys.argv[1:2] + ["action"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(("version", "old"), [("3.9.20", True), ("3.6.8", True), ("3.10.0", False)])
def test_old_python_is_told_what_to_do(version: str, old: bool) -> None:
    """Before anything is imported that such a Python cannot read."""
    command = [sys.executable, "-I", "-c", OLD, str(ENTRYPOINT), version]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0, "`action` alone is no step"
    said = [parsed for line in done.stderr.splitlines() if (parsed := parse_command(line))]
    short = ".".join(version.split(".")[:2])
    assert bool(said) is old
    if old:
        [(name, properties, message)] = said
        assert (name, properties) == ("error", {"title": "overflow"})
        assert f" is {short}: add actions/setup-python" in message
        assert "Traceback" not in done.stderr


def test_old_python_can_read_the_check_itself() -> None:
    """Down to 3.6, which is `python3` on Red Hat's 8."""
    tree = ast.parse(ENTRYPOINT.read_text("utf-8"), feature_version=(3, 6))
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert imported
    assert "__future__" not in imported


def test_gate_is_last_and_nothing_before_it_is_told_to_go_on() -> None:
    last = list(steps(ACTION))[-1]
    assert last["run"].endswith(" gate")
    assert "!cancelled()" in last["if"]
    assert "continue-on-error" not in ACTION.text


def cell(text: str) -> str:
    assert "|" not in text
    return " ".join(text.split())


def code(text: str) -> str:
    return f"`{cell(text)}`" if text else "empty"


def tables() -> dict[str, str]:
    """The tables of docs/action.md, as action.yml has them."""
    rows = [
        f"| `{name}` | {code(one['default'])} | {cell(one['description'])} |"
        for name, one in INPUTS.items()
    ]
    outputs = [f"| `{name}` | {cell(one['description'])} |" for name, one in OUTPUTS.items()]
    return {
        "inputs": "\n".join(["| Input | Default | What it is |", "| --- | --- | --- |", *rows]),
        "outputs": "\n".join(["| Output | What it is |", "| --- | --- |", *outputs]),
    }


@pytest.mark.parametrize("name", ["inputs", "outputs"])
def test_docs_have_the_same_table(name: str) -> None:
    """OVERFLOW_UPDATE_GOLDENS=1 writes it."""
    path = ROOT / "docs" / "action.md"
    block = re.compile(rf"<!-- {name} -->\n.*?<!-- end of {name} -->", re.DOTALL)
    wanted = f"<!-- {name} -->\n{tables()[name]}\n<!-- end of {name} -->"
    if os.environ.get("OVERFLOW_UPDATE_GOLDENS"):
        text = block.sub(lambda _: wanted, path.read_text("utf-8"))
        path.write_text(text, encoding="utf-8")
    assert block.findall(path.read_text("utf-8")) == [wanted]


def test_types_name_the_same_inputs_and_outputs() -> None:
    assert list(TYPES["inputs"]) == list(INPUTS)
    assert list(TYPES["outputs"]) == list(OUTPUTS)


def test_types_have_the_values_that_are_taken() -> None:
    allowed = {name: one.get("allowed-values") for name, one in TYPES["inputs"].items()}
    assert allowed["mode"] == list(MODES)
    assert allowed["fail-on"] == list(GATES)
    assert allowed["comment"] == list(COMMENTS)
    assert allowed["strategy"] == [one.value for one in Strategy]
    assert allowed["trim"] == [one.value for one in Level]
    assert set(allowed["architecture"]) == set(ARCHITECTURES.values())
    outcomes = {*(one.value for one in Outcome), "failed"}
    assert set(TYPES["outputs"]["outcome"]["allowed-values"]) == outcomes
    booleans = [name for name, one in TYPES["inputs"].items() if one["type"] == "boolean"]
    assert {INPUTS[name]["default"] for name in booleans} <= {"true", "false", ""}
    assert "true" in TRUE


@named
def test_actions_are_pinned_by_commit(source: Source) -> None:
    """Also in the docs: what is copied from there is pinned."""
    for line in re.findall(r"^ *(?:- )?uses: (.*)$", source.text, re.MULTILINE):
        ours = re.fullmatch(r"OWNER/overflow(/comment)?@v1|\./\S*", line)
        assert ours or re.fullmatch(r"[\w.-]+(/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+\S*", line)


def test_a_commit_has_one_version() -> None:
    text = "\n".join(source.text for source in EVERYTHING)
    versions: dict[str, set[str]] = {}
    for commit, version in re.findall(r"@([0-9a-f]{40}) # (\S+)", text):
        versions.setdefault(commit, set()).add(version)
    assert versions
    assert {commit: found for commit, found in versions.items() if len(found) > 1} == {}


@named
def test_no_expression_in_a_script(source: Source) -> None:
    for step in steps(source):
        assert "${{" not in step.get("run", ""), step


@workflows
def test_permissions_are_none_on_top_and_have_a_reason_each(source: Source) -> None:
    assert source.content["permissions"] == {}
    for name, job in source.content["jobs"].items():
        assert job["permissions"], name
    granted = re.findall(r"^ +[a-z-]+: (?:read|write)\b(.*)$", source.text, re.MULTILINE)
    assert len(granted) == sum(len(job["permissions"]) for job in source.content["jobs"].values())
    for reason in granted:
        assert re.match(r" # \w.{5,}", reason)


@workflows
def test_checkouts_leave_no_credentials(source: Source) -> None:
    for step in steps(source):
        if str(step.get("uses", "")).startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("source", our_workflows(), ids=lambda source: source.name)
def test_runs_are_bounded(source: Source) -> None:
    assert source.content["concurrency"]["group"]
    for name, job in source.content["jobs"].items():
        # A job that calls another workflow has that one's bound.
        assert "timeout-minutes" in job or "uses" in job, name
