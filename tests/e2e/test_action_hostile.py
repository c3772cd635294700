"""A hostile project under the action: it changes nothing but its own row."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from itertools import product
from typing import TYPE_CHECKING

import pytest

from tests.support.action import make_repository
from tests.support.outcome import PLANTED, Outcome, check_no_secret, small_project, uv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.pypi

HOOK = """
import os, pathlib, sys
from setuptools import setup
said = "::error::PWNED-BY-HOOK\\n::set-output name=outcome::fits\\n##[error]PWNED-BY-HOOK\\n"
said += "::add-mask::a\\n::warning file=app.py::PWNED-BY-HOOK\\n"
for place in ("/proc/1/fd/1", "/proc/1/fd/2", "/dev/stdout", "/dev/stderr"):
    try:
        with open(place, "w") as stream:
            stream.write(said)
    except OSError:
        pass
print(said, flush=True)
outside = [os.environ.get(name) for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY")]
folders = [folder for folder in pathlib.Path.cwd().parents if (folder / "app.py").exists()]
if pathlib.Path("/opt/overflow/app").exists():  # not without the container that holds it
    outside += ["/opt/overflow/app/entrypoint.py", "/etc/passwd"]
    folders = pathlib.Path.cwd().parents
for one in filter(None, outside):
    try:
        pathlib.Path(one).write_text("PWNED-BY-HOOK")
    except OSError:
        pass
for folder in folders:
    try:
        (folder / "pwned-by-hook").write_text(repr(dict(os.environ)))
    except OSError:
        pass
setup(name="inhouse", version="1.0", py_modules=["inhouse"])
"""

POISON = """
import os, pathlib, sys, time
from setuptools import setup

def tell(text):
    try:
        pathlib.Path("/proc/1/fd/1").write_text(text + "\\n")
    except OSError:
        pass

def plant(folder):
    for name in ("sources", "workspace", "base", "output", "inside", "home", "tmp", "cache"):
        for place, target in ((folder / name, "/etc"), (folder / (name + "-x") / name, "/etc")):
            try:
                place.parent.mkdir(exist_ok=True)
                place.symlink_to(target)
            except OSError:
                pass
    for name in ("function.zip", "report.json", "fault.json", "uv.toml", ".python-version"):
        try:
            (folder / name).write_text("PWNED-BY-BASE")
        except OSError:
            pass

def poison(root):
    files = [one for one in root.rglob("blinker/*.py") if one.is_file()]
    for one in files:
        one.chmod(0o666)
        with one.open("a") as stream:
            stream.write("PWNED_BY_BASE = 1\\n")
    return len(files)

if pathlib.Path("/opt/overflow/app").exists():  # not without the container that holds it
    mounts = [line.split()[4] for line in open("/proc/self/mountinfo")]
    roots = [pathlib.Path(one) for one in mounts if one.count("/") > 1 and os.access(one, os.W_OK)
             and os.path.isdir(one) and not one.startswith(("/dev", "/proc", "/sys"))]
    poisoned = 0
    if "bdist_wheel" in sys.argv:
        for _ in range(100):  # the cache gets its entries beside this hook
            poisoned = sum(map(poison, roots))
            if poisoned:
                break
            time.sleep(0.1)
        for root in roots:
            for folder in (root, *root.parents, *filter(pathlib.Path.is_dir, root.iterdir())):
                plant(folder)
            if (root / "app.py").exists():
                continue  # all of the project is read: its own build would fail
            closed = root / "closed" / "inner"
            closed.mkdir(parents=True, exist_ok=True)
            closed.parent.chmod(0)
        tell("PLANTED-IN %d POISONED %d" % (len(roots), poisoned))
setup(name="inhouse", version="1.0", py_modules=["inhouse"])
"""

SETUP = "from setuptools import setup\n"

BRANCH = "feature/`id`$(id)-%0A|<img>]]>"


def poisoned_base(folder: Path) -> Path:
    """The small project, with a dependency whose build hook plants what it can for later runs."""
    small_project(folder, private=1)
    inner = folder / "inhouse"
    shutil.rmtree(inner)
    inner.mkdir()
    (inner / "setup.py").write_text(POISON)
    (inner / "inhouse.py").write_text("")
    (inner / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    )
    uv("lock", folder=folder)
    return folder


def test_hook_of_the_base_reaches_nothing_of_the_head(
    act: Callable[..., Outcome], image: str, small: Path, scratch: Path
) -> None:
    """The head has dropped the dependency; it comes out as where nobody ever had it."""
    inputs = {"mode": "container", "image": image}
    repository = make_repository(scratch / "repository", poisoned_base(scratch / "base"))
    shutil.rmtree(repository.folder / "inhouse")
    shutil.copytree(small, repository.folder, dirs_exist_ok=True)
    repository.commit("The change")
    outcome = act(repository, inputs)
    planted = re.search(r"PLANTED-IN (\d+) POISONED (\d+)", outcome.run.log)
    assert planted, "the hook did not run"
    assert min(map(int, planted.groups())) > 0, planted.group()
    assert outcome.record("run.json")["base"]["reason"] == ""
    base = {row["name"] for row in outcome.record("base-report.json")["distributions"]}
    assert base == {"blinker", "inhouse"}
    look = outcome.job().steps["look"].outputs
    assert look["status"].replace("?? .github/", "").strip() == ""
    clean = make_repository(scratch / "clean", small)
    clean.commit("The change")
    expected = act(clean, inputs)
    assert outcome.zip() == expected.zip()
    reports = [one.record() for one in (outcome, expected)]
    for report, key in product(reports, ("seconds", "prediction", "proof")):
        report.pop(key)
    assert reports[0] == reports[1]


def hostile_project(folder: Path) -> Path:
    """A project that says and does, wherever it may, what is meant for the runner."""
    folder.mkdir(parents=True)
    name = "$(id)`id`%0A|<b>]]> ::error::PWNED"
    inner = folder / name
    inner.mkdir()
    (inner / "setup.py").write_text(SETUP + HOOK[HOOK.rindex("setup(") :])
    (inner / "inhouse.py").write_text("")
    (inner / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    )
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "hostile"\nversion = "1.0"\nrequires-python = ">=3.12"\n'
        'dependencies = ["blinker==1.9.0", "inhouse"]\n'
        f"[tool.uv.sources]\ninhouse = {{path = {json.dumps(name)}}}\n"
    )
    (folder / "app.py").write_text("def handler(event, context):\n    return {}\n")
    (folder / "::error::PWNED %0A|<b>.txt").write_text("x")
    (folder / "link|<img src=x>`id`").symlink_to("/etc/hostname")
    uv("lock", folder=folder)
    # Not before: locking asks the hook, too.
    (inner / "setup.py").write_text(HOOK)
    return folder


@pytest.mark.parametrize("mode", ["container", "native"])
def test_hostile_project_changes_its_own_row_only(
    mode: str, act: Callable[..., Outcome], image: str, scratch: Path
) -> None:
    """A build hook's words and writes, and names wherever a project has a say."""
    project = hostile_project(scratch / "project")
    repository = make_repository(scratch / "repository", project, branch=BRANCH)
    repository.commit("::error::PWNED")
    inputs = {"mode": mode, "image": image, "strategy": "defer", "threshold-mb": "0.01"}
    outcome = act(repository, inputs, env=PLANTED, legs='{leg: ["a|<b>`x`::error::PWNED"]}')
    job = outcome.job()
    # The hook ran, and the log shows what it said as text.
    assert "PWNED-BY-HOOK" in outcome.run.log or mode == "native"
    assert [(one.level, one.properties["file"]) for one in job.annotations] == [
        ("warning", "pyproject.toml")
    ]
    assert not any("PWNED-BY-HOOK" in one.message for one in job.annotations)
    assert outcome.outputs()["outcome"] == "overflows"
    assert "PWNED-BY-HOOK" not in job.summary + outcome.comment()
    for text in (job.summary, outcome.comment()):
        assert not re.search(r"<(img|b)\b|`id`|\]\]>", text)
        rows = [line for line in text.splitlines() if "inhouse" in line and line.startswith("|")]
        assert rows
        assert len({row.count("|") for row in rows}) == 1
    with zipfile.ZipFile(io.BytesIO(outcome.zip())) as opened:
        assert not [name for name in opened.namelist() if "pwned-by-hook" in name]
    check_no_secret(outcome)
    if mode == "container":
        assert job.steps["look"].outputs["status"].replace("?? .github/", "").strip() == ""
        assert job.steps["look"].outputs["pwned"] == ""


@pytest.mark.parametrize("handler", ["app:x\n::error::PWNED", "app.`id`$(id)|<b>", "%0A::error::x"])
def test_hostile_handler_is_one_clear_error(
    handler: str, act: Callable[..., Outcome], small: Path, scratch: Path
) -> None:
    repository = make_repository(scratch / "repository", small)
    outcome = act(repository, {"mode": "native", "handler": handler}, exit_code=2)
    (error,) = outcome.job().annotations
    assert "handler-unknown" in error.properties["title"]
    assert not re.search(r"<b>|^::error::PWNED", outcome.comment(), re.MULTILINE)
