"""Engine: what is asked of `docker`, and what is made of its answers."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from overflow.engine import RECIPE, Engine, recipe_of
from overflow.errors import InputFault
from tests.support.fake_docker import FakeDocker

if TYPE_CHECKING:
    from pathlib import Path

PUBLISHED = "ghcr.io/octo/overflow@sha256:" + "1" * 64
SECRETS = {"GITHUB_TOKEN": "s3cret", "OVERFLOW_TOKEN": "s3cret", "AWS_SECRET_ACCESS_KEY": "s3cret"}


@pytest.fixture
def action(tmp_path: Path) -> Path:
    """The folder of action.yml, as before the first release."""
    folder = tmp_path / "action"
    folder.mkdir()
    for name in RECIPE:
        (folder / name).write_text(name)
    publish(folder, None)
    return folder


def publish(action: Path, image: str | None) -> None:
    content = {"image": image, "recipe": recipe_of(action)}
    (action / "image.json").write_text(json.dumps(content))


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    return FakeDocker.install(tmp_path / "bin")


def engine(action: Path, docker: FakeDocker, **environ: str) -> Engine:
    path = f"{docker.folder}:{os.environ['PATH']}"
    return Engine(action=action, environ={"PATH": path, **SECRETS, **environ})


def unavailable(one: Engine) -> str:
    with pytest.raises(InputFault) as raised:
        one.check()
    assert raised.value.code == "container-unavailable"
    assert "native" in raised.value.hint
    return raised.value.message


def test_engine_that_answers(action: Path, docker: FakeDocker) -> None:
    engine(action, docker).check()


@pytest.mark.parametrize("server", [None, "windows"])
def test_engine_that_runs_no_linux(action: Path, docker: FakeDocker, server: str | None) -> None:
    docker.state(server=server)
    assert unavailable(engine(action, docker)) == "no Docker engine answers here"


def test_no_docker_at_all(action: Path, docker: FakeDocker, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    nothing = engine(action, docker, PATH=str(tmp_path / "empty"))
    assert unavailable(nothing) == "no Docker engine answers here"


def test_job_that_is_in_a_container_itself(action: Path, docker: FakeDocker) -> None:
    inside = engine(action, docker, GITHUB_WORKSPACE="/__w/project/project")
    assert unavailable(inside) == "this job runs in a container itself"
    assert docker.calls() == []


def test_published_image_is_pulled_by_its_digest_once(action: Path, docker: FakeDocker) -> None:
    publish(action, PUBLISHED)
    assert engine(action, docker).image(None) == (PUBLISHED, "pulled")
    assert [call.arguments[-1] for call in docker.calls("pull")] == [PUBLISHED]
    docker.state(images=[PUBLISHED])
    assert engine(action, docker).image(None) == (PUBLISHED, "was here")
    assert len(docker.calls("pull")) == 1
    assert docker.calls("build") == []


def test_image_that_is_asked_for_comes_first(action: Path, docker: FakeDocker) -> None:
    publish(action, PUBLISHED)
    assert engine(action, docker).image("mirror/own:1") == ("mirror/own:1", "pulled")


def test_image_that_is_asked_for_is_not_replaced_by_another(
    action: Path, docker: FakeDocker
) -> None:
    publish(action, PUBLISHED)
    docker.state(pulls=False, images=[PUBLISHED])
    with pytest.raises(InputFault) as raised:
        engine(action, docker).image("mirror/own:1")
    assert raised.value.code == "image-missing"
    assert "mirror/own:1" in raised.value.message
    assert docker.calls("build") == []


@pytest.mark.parametrize("name", RECIPE)
def test_published_image_of_another_recipe_is_not_taken(
    action: Path, docker: FakeDocker, name: str
) -> None:
    publish(action, PUBLISHED)
    (action / name).write_text("changed since")
    assert engine(action, docker).image(None)[1] == "built here"
    assert docker.calls("pull") == []


@pytest.mark.parametrize("published", [None, PUBLISHED])
def test_image_is_built_where_it_cannot_be_pulled(
    action: Path, docker: FakeDocker, published: str | None
) -> None:
    publish(action, published)
    docker.state(pulls=False)
    name, origin = engine(action, docker).image(None)
    assert origin == "built here"
    [call] = docker.calls("build")
    assert call.arguments == ["build", "--quiet", "--tag", name, str(action)]
    assert len(docker.calls("pull")) == (published is not None)
    docker.state(images=[name])
    assert engine(action, docker).image(None) == (name, "built here before")
    assert len(docker.calls("build")) == 1


@pytest.mark.parametrize("changed", [*RECIPE, "arguments"])
def test_other_recipe_is_another_image(action: Path, docker: FakeDocker, changed: str) -> None:
    before, _ = engine(action, docker).image(None)
    environ = {}
    if changed == "arguments":
        environ = {"OVERFLOW_BASE_IMAGE": "debian:13"}
    else:
        (action / changed).write_text("changed")
    after, _ = engine(action, docker, **environ).image(None)
    assert before != after
    assert engine(action, docker, **environ, HOME="/other").image(None)[0] == after


def test_image_that_cannot_be_built(action: Path, docker: FakeDocker) -> None:
    docker.state(builds=False)
    with pytest.raises(InputFault) as raised:
        engine(action, docker).image(None)
    assert raised.value.code == "image-unavailable"
    assert raised.value.details == "step 3 failed\n"


def test_build_arguments(action: Path, docker: FakeDocker) -> None:
    """Passwords of a proxy stand on no command line."""
    environ = {
        "OVERFLOW_BASE_IMAGE": "mirror/debian:12",
        "OVERFLOW_IMAGE_PYTHONS": "3.12 3.13",
        "HTTPS_PROXY": "http://user:hunter2@proxy.example",
        "NO_PROXY": "",
    }
    engine(action, docker, **environ).image(None)
    [call] = docker.calls("build")
    assert call.values("--build-arg") == [
        "BASE=mirror/debian:12",
        "PYTHONS=3.12 3.13",
        "HTTPS_PROXY",
    ]
    assert "hunter2" not in " ".join(call.arguments)
    assert call.environ["HTTPS_PROXY"].endswith("hunter2@proxy.example")


def test_docker_sees_what_it_needs_and_no_token(action: Path, docker: FakeDocker) -> None:
    needed = {"DOCKER_HOST": "unix:///d", "DOCKER_CONFIG": "/c", "HOME": "/h", "TMPDIR": "/t"}
    one = engine(action, docker, **needed, BUILDKIT_PROGRESS="plain", MY_DOCKER_HOST="x")
    one.check()
    one.image(None)
    calls = docker.calls()
    assert {call.arguments[0] for call in calls} == {"version", "image", "build"}
    for call in calls:
        assert "s3cret" not in call.environ.values()
        assert "MY_DOCKER_HOST" not in call.environ
        assert needed.items() <= call.environ.items()
