"""The action's steps as tests call them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.action import ROOT
from tests.support.projects import ProjectFolder

if TYPE_CHECKING:
    from tests.support.workspace import Runner

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
TOKEN = "ghs_loopbackToken"
COMPLETE = {"comments", "report-folder", "report-artifact", "outcome", "report-path", "mode"} | {
    *("artifact-path", "artifact-name", "overflow", "strategy", "bundle-bytes", "total-bytes"),
    *("deferred-bytes", "growth-bytes", "zip-bytes", "zip-sha256", "handler", "runtime"),
    *("architecture", "ephemeral-storage-mb", "memory-mb"),
}


def project_of(job: Runner) -> ProjectFolder:
    return ProjectFolder(job.workspace / "services" / "api")


def bare(step: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`python3 -I entrypoint.py action STEP` without any installed package (-S)."""
    command = [sys.executable, "-I", "-S", "-W", "error", str(ROOT / "entrypoint.py"), "action"]
    return subprocess.run(
        [*command, step],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
