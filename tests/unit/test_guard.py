"""The guard of tests/unit/conftest.py guards."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from overflow.process import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: subprocess.Popen([sys.executable, "-V"]),
        lambda: subprocess.run([sys.executable, "-V"], check=False),
        lambda: os.system("true"),
        lambda: os.posix_spawn("/bin/true", ["true"], {}),
        lambda: os.fork() or None,
        lambda: socket.create_connection(("127.0.0.1", 9)),
        lambda: socket.socket().connect(("127.0.0.1", 9)),
        lambda: urllib.request.urlopen("http://127.0.0.1:9/"),
    ],
    ids=["Popen", "run", "system", "posix_spawn", "fork", "create_connection", "connect", "urllib"],
)
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_outside_is_out_of_reach(attempt: Callable[[], object]) -> None:
    with pytest.raises(AssertionError, match="unit tests start no process"):
        attempt()


def test_the_door_to_other_programs_is_guarded(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="unit tests start no process"):
        run(["true"], folder=tmp_path, environment={})
