"""What holds for every unit test: no other program, no network, no clock in hypothesis."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable

settings.register_profile(
    "unit",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("unit")

RULE = "unit tests start no process and open no connection (that is for tests/integration)"

PROCESSES = (
    "system popen fork forkpty posix_spawn posix_spawnp execv execve execvp execvpe"
    " spawnv spawnve spawnvp spawnvpe".split()
)


def _refused(name: str) -> Callable[..., NoReturn]:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise AssertionError(f"{name}: {RULE}")

    return refuse


@pytest.fixture(autouse=True)
def _guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", _refused("subprocess.Popen"))
    for name in PROCESSES:
        monkeypatch.setattr(os, name, _refused(f"os.{name}"))
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, _refused(f"socket.{name}"))
    monkeypatch.setattr(socket, "create_connection", _refused("socket.create_connection"))
