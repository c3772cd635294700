"""Settings: the action's own inputs, checked before anything is done with them."""

from __future__ import annotations

import pytest

from overflow.errors import InputFault
from overflow.limits import megabytes
from overflow.settings import COMMENTS, GATES, LONGEST_NAME, MODES, SWITCHES, read_settings


def refused(variable: str, value: str) -> InputFault:
    with pytest.raises(InputFault) as raised:
        read_settings({f"OVERFLOW_{variable}": value})
    assert raised.value.code == "option-invalid"
    return raised.value


@pytest.mark.parametrize("value", ["", "  "])
def test_defaults(value: str) -> None:
    names = "MODE IMAGE FAIL_ON MAX_GROWTH_MB COMMENT COMMENT_AUTHOR ARTIFACT_NAME".split()
    found = read_settings({f"OVERFLOW_{name}": value for name in names})
    assert found == read_settings({})
    assert (found.mode, found.fail_on, found.comment) == ("auto", "limit", "auto")
    assert (found.image, found.artifact_name, found.max_growth) == (None, None, 0)
    assert found.comment_author is None


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("comment", COMMENTS)
def test_choices(mode: str, gate: str, comment: str) -> None:
    found = read_settings(
        {"OVERFLOW_MODE": f" {mode} ", "OVERFLOW_FAIL_ON": gate, "OVERFLOW_COMMENT": comment}
    )
    assert (found.mode, found.fail_on, found.comment) == (mode, gate, comment)


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("MODE", "docker", "container"),
        ("MODE", "Native", "native"),
        ("FAIL_ON", "size", "threshold"),
        ("FAIL_ON", "limit,growth", "growth"),
        ("COMMENT", "true", "never"),
    ],
)
def test_choice_that_is_none_names_those_that_are(variable: str, value: str, named: str) -> None:
    fault = refused(variable, value)
    assert fault.message == f"{variable.lower().replace('_', '-')}: {value!r}"
    assert named in fault.hint


@pytest.mark.parametrize(("text", "size"), [("10", 10), ("2.5", 2.5), ("0", 0), ("999999", 999999)])
def test_growth(text: str, size: float) -> None:
    assert read_settings({"OVERFLOW_MAX_GROWTH_MB": text}).max_growth == megabytes(size)


@pytest.mark.parametrize(
    "text", ["-1", "1e3", "nan", "inf", "10 MB", "1,5", ".5", "1000000", "0x1"]
)
def test_growth_that_is_no_number(text: str) -> None:
    assert refused("MAX_GROWTH_MB", text).message == f"max-growth-mb: {text!r}"


@pytest.mark.parametrize(
    "name",
    ["python", "ghcr.io/owner/overflow:v1", "127.0.0.1:5000/a@sha256:" + "0" * 64, "a_b-c.d"],
)
def test_image(name: str) -> None:
    assert read_settings({"OVERFLOW_IMAGE": name}).image == name


@pytest.mark.parametrize(
    "name", ["--privileged", "-v", "/etc", "a b", "a\n--privileged", "a;b", "$(a)", "x" * 256]
)
def test_image_that_could_be_something_else_to_docker(name: str) -> None:
    refused("IMAGE", name)


@pytest.mark.parametrize(
    ("given", "name"),
    [("api", "api"), ("api.zip", "api"), ("a.b_c-1+2", "a.b_c-1+2"), ("x" * 116, "x" * 116)],
)
def test_artifact_name(given: str, name: str) -> None:
    assert read_settings({"OVERFLOW_ARTIFACT_NAME": given}).artifact_name == name


@pytest.mark.parametrize(
    "name", ["a/b", "../a", ".hidden", "-x", "a b", "a:b", "ä", "a\nb", "x" * LONGEST_NAME]
)
def test_artifact_name_that_is_no_file_name(name: str) -> None:
    refused("ARTIFACT_NAME", name)


@pytest.mark.parametrize("login", ["my-app[bot]", "github-actions[bot]", "Octo-Cat7"])
def test_comment_author(login: str) -> None:
    assert read_settings({"OVERFLOW_COMMENT_AUTHOR": f" {login}\n"}).comment_author == login


@pytest.mark.parametrize(
    "login", ["my app", "a[bot", "[bot]", "a[bot][bot]", "a/b", "@a", "é", "a\nb", "x" * 101]
)
def test_comment_author_that_is_no_login(login: str) -> None:
    fault = refused("COMMENT_AUTHOR", login)
    assert fault.message == f"comment-author: {login!r}"
    assert "my-app[bot]" in fault.hint


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("value", ["true", "false", ""])
def test_switch(name: str, value: str) -> None:
    assert read_settings({f"OVERFLOW_{name.upper()}": value}) == read_settings({})


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("value", ["yes", "1", "True", "on", "0", "true,false", " true", "true\n"])
def test_switch_that_action_yml_would_take_for_off(name: str, value: str) -> None:
    """An expression compares the whole text, blanks and all."""
    fault = refused(name.upper(), value)
    assert fault.message == f"{name}: {value!r}"
    assert fault.hint == "expected one of true, false"
