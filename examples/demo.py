"""`make demo`: builds examples/flask and starts its bundle twice under AWS's own runtime client.

The Runtime API that the client asks is served on loopback, so this is the code path of Lambda
without Lambda: first with an empty /tmp, then with what the first start left there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from overflow.cli import main as overflow
from overflow.runtime.manifest import OVERFLOW_FOLDER
from overflow.uv import Uv
from tests.support.events import http_api_v2, status_and_json
from tests.support.lambda_api import LambdaRun, install_ric, run_bundle
from tests.support.pythons import target_python

HERE = Path(__file__).parent
PYTHON = "3.12"
WORK = HERE.parent / "build" / "demo"
EVENT = http_api_v2("/api/deps-check")


def main() -> int:
    """Run the demo; 0 where both starts answered 200, and the second found all in /tmp."""
    uv = Path(Uv.bundled(os.environ).binary)
    python = ensure_python(uv)
    say(f"overflow build examples/flask --output {WORK}")
    exit_code = overflow(["build", str(HERE / "flask"), "--output", str(WORK)])
    if exit_code != 0:
        return exit_code
    say("Installing AWS's runtime client (awslambdaric)")
    shutil.rmtree(WORK / "ric", ignore_errors=True)
    ric = install_ric(uv, python, WORK / "ric")
    say(f"Cold start: {OVERFLOW_FOLDER} is removed, GET /api/deps-check")
    shutil.rmtree(OVERFLOW_FOLDER, ignore_errors=True)
    cold = start(python, ric)
    say("Second start: a new process, the same /tmp, GET /api/deps-check")
    warm = start(python, ric)
    good = (
        succeeded(cold) and succeeded(warm) and is_put_in_place(cold) and not is_put_in_place(warm)
    )
    say("Both starts answered 200." if good else "The demo failed: see above.")
    return 0 if good else 1


def ensure_python(uv: Path) -> Path:
    """The Python that the example is for; downloaded by uv where the machine has none."""
    try:
        return target_python(PYTHON)
    except RuntimeError:
        say(f"There is no Python {PYTHON} here: uv downloads one")
        if subprocess.run([uv, "python", "install", PYTHON], check=False).returncode != 0:
            sys.exit(f"Install Python {PYTHON}, for which the example is, and run this again.")
        return target_python(PYTHON)


def start(python: Path, ric: Path) -> LambdaRun:
    """One start of the bundle, with one request; prints the log and the answer."""
    run = run_bundle(WORK / "bundle", [EVENT], python=python, ric=ric)
    sys.stdout.write("".join(f"  | {line}\n" for line in run.log.splitlines() if line))
    for response in run.responses:
        status, answer = status_and_json(response)
        say(f"  {status} after {run.seconds_to_first_response:.2f} s")
        for name, found in answer["dependencies"].items():
            say(f"    {name:12}{found.get('version') or found.get('error')}")
    for error in (run.init_error, *run.errors):
        if error:
            say(f"  failed: {error.get('errorMessage', error)}")
    return run


def succeeded(run: LambdaRun) -> bool:
    """Whether the one answer was a 200."""
    return [status_and_json(one)[0] for one in run.responses] == [200]


def is_put_in_place(run: LambdaRun) -> bool:
    """Whether something was unpacked, at the start or on first import."""
    return any(said in run.log for said in ("dependencies installed in", "on first import in"))


def say(text: str) -> None:
    """Print one line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
