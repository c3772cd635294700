"""The published image: pulled by its digest, and built here where it is not to be had."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from overflow.engine import Engine, recipe_of
from overflow.errors import InputFault
from tests.support.action import ship_action
from tests.support.docker import PYTHON, docker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: '127.0.0.1:{port}'}}
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Debian's docker-registry on loopback, where Docker needs no certificate."""
    if shutil.which("docker-registry") is None:
        pytest.skip("there is no docker-registry on the PATH (Debian has it)")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    config = tmp_path / "registry.yml"
    config.write_text(CONFIG.format(folder=tmp_path / "registry", port=port))
    log = (tmp_path / "log").open("wb")
    command = ["docker-registry", "serve", str(config)]
    with log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            for _ in range(200):
                with socket.socket() as trial:
                    if trial.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture
def published(registry: str, image: str) -> Iterator[str]:
    """Our image in that registry, by its digest; nothing of it is here under that name."""
    tag = f"{registry}/overflow:v1"
    docker("tag", image, tag)
    docker("push", "--quiet", tag)
    digests = docker("image", "inspect", "--format", "{{json .RepoDigests}}", tag).stdout
    name = next(one for one in json.loads(digests) if one.startswith(registry))
    docker("rmi", tag, check=False)
    docker("rmi", name, check=False)
    yield name
    docker("rmi", name, check=False)


def engine_of(action: Path, image: str | None, recipe: str, **more: str) -> Engine:
    content = {"image": image, "recipe": recipe}
    (action / "image.json").write_text(json.dumps(content), encoding="utf-8")
    return Engine(action=action, environ={**os.environ, **more})


def test_published_image_is_pulled_by_digest(published: str, tmp_path: Path) -> None:
    action = ship_action(tmp_path / "action")
    engine = engine_of(action, published, recipe_of(action))
    engine.check()
    assert engine.image(None) == (published, "pulled")
    assert engine.image(None) == (published, "was here")


def test_image_is_built_here_where_its_recipe_changed_or_it_cannot_be_pulled(
    base: str, image: str, tmp_path: Path
) -> None:
    """A changed Dockerfile does not get the release's image."""
    action = ship_action(tmp_path / "action")
    here = {"OVERFLOW_BASE_IMAGE": base, "OVERFLOW_IMAGE_PYTHONS": PYTHON}
    name, origin = engine_of(action, image, "of another recipe", **here).image(None)
    assert name.startswith("overflow-build:")
    assert origin in {"built here", "built here before"}
    nowhere = "127.0.0.1:9/overflow@sha256:" + "0" * 64
    engine = engine_of(action, nowhere, recipe_of(action), **here)
    assert engine.image(None) == (name, "built here before")
    with pytest.raises(InputFault, match="cannot be pulled") as fault:
        engine.image(nowhere)
    assert fault.value.code == "image-missing"
