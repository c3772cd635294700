"""Proving: what is made of what a child said, whatever that is; and what is asked of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.attempt import Attempt, Place, Trial, _environment, _lines
from overflow.proof import Cold, Finding, Proof
from overflow.proving import _kept, _proof, fetches, later, trial_of
from overflow.runtime.manifest import Group, Manifest, Wheel
from overflow.startup import Recording, Seconds
from tests.unit.builders import plan_of

MANIFEST = Manifest(build="x", python="3.12", handler="app:handler", interface="function")
PLACE = Place(bundle=Path("/nowhere"), work=Path("/work"), isolated=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KEYS = "seconds elapsed problem names files missing trace importing module end".split()
STARTED = {"seconds": 0.5, "elapsed": 1.0}
END = {"end": True}


def proof(
    *lines: Any,
    output: str = "",
    errors: str = "",
    ended: str = "it ended with 0",
    place: Place = PLACE,
    **trial: Any,
) -> Proof:
    content = "\n".join(json.dumps(line) for line in lines).encode()
    went = Attempt(place=place, said=_lines(content), output=output, errors=errors, ended=ended)
    return _proof(went, MANIFEST, Trial(python=Path("python"), tmp_bytes=1, **trial))


def test_a_start() -> None:
    output = "\n".join(
        [
            "Runtime dependencies installed in 0.20s",
            "Installed 3-pandas on first import in 0.40s",
            "not: Runtime dependencies installed in 9.00s",
        ]
    )
    found = proof(STARTED, END, output=output)
    assert found.finding is Finding.PROVEN
    assert found.cold is not None
    assert found.cold.total == 0.5
    assert found.cold.install == pytest.approx(0.3), "half of the time it waited for a CPU"


def test_files_are_named_by_their_places_in_the_bundle() -> None:
    """Without isolation, too, where each build has them elsewhere."""
    place = replace(PLACE, isolated=False)
    said = f"OSError: {place.root}/state.txt, {place.overflow}/0-alpha"
    line = {"problem": said, "names": [], "files": [], "missing": [], "trace": said}
    found = proof(line, place=place, before=said)
    named = "OSError: /var/task/state.txt, /tmp/_vc_deps_overflow/0-alpha"
    assert (found.problem, found.trace) == (named, named)
    assert found.note == f"it stops where it did before bundling: {named}"


def test_who_prints_what_the_runtime_prints_gets_no_more_than_there_is() -> None:
    found = proof(STARTED, END, output="Runtime dependencies installed in 99.00s\n")
    assert found.cold is not None
    assert (found.cold.install, found.cold.imports) == (0.5, 0.0)


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 2.0, 1e9, float("nan"), None, "1", True, 10**400])
def test_times_that_are_none(seconds: Any) -> None:
    found = proof({"seconds": seconds, "elapsed": 1.0}, END)
    assert found.cold is None
    assert found.finding is not Finding.PROVEN


def test_it_must_come_to_its_end() -> None:
    found = proof(STARTED, {"importing": "a"}, {"importing": "b"})
    assert found.finding is Finding.BROKEN
    assert found.problem == "it ended with 0, importing b"
    assert found.cold is not None


def test_what_could_be_imported_before_must_be_after_the_start() -> None:
    found = proof(STARTED, {"module": "a", "problem": "KeyError: 'x'"}, END, before="KeyError: 'x'")
    assert found.finding is Finding.BROKEN


def test_a_crash_is_traced() -> None:
    errors = (
        'Fatal Python error: Segmentation fault\n  File "/var/task/_overflow/x.py", line 3 in f'
    )
    found = proof(errors=errors)
    assert found.trace == errors


def test_of_a_crash_the_apps_frames_are_shown() -> None:
    app = 'Current thread (most recent call first):\n  File "/var/task/app.py", line 2 in f\n'
    others = ("<frozen importlib._bootstrap>", "/lib/importlib/__init__.py", "<string>")
    ours = ("/var/task/_overflow/start.py", "/var/task/overflow_trampoline.py")
    frames = "".join(f'  File "{file}", line 3 in g\n' for file in (*others, *ours))
    assert proof(errors=f"{app}{frames}\nExtension").trace == f"{app}\nExtension"


@pytest.mark.parametrize("before", ["it ended with -11", None])
def test_a_signal_is_shown_by_its_name_and_compared_by_its_number(before: str | None) -> None:
    found = proof(before=before, ended="it ended with -11")
    assert found.problem == "it was killed by SIGSEGV"
    assert found.finding is Finding.BROKEN
    assert "ended with" not in found.note


@pytest.mark.parametrize("kind", ["InstallError", "HandlerError"])
def test_our_own_exceptions_say_all_by_themselves(kind: str) -> None:
    assert proof({"problem": f"{kind}: x", "trace": "Traceback"}).trace == ""
    long = f"{kind}: uv could not " + "x" * 900
    assert proof({"problem": long, "trace": "Traceback"}).trace == long


@given(st.lists(JSON | st.dictionaries(st.sampled_from(KEYS), JSON), max_size=4))
def test_whatever_it_says_is_judged(lines: list[Any]) -> None:
    found = proof(*lines)
    assert found.finding in Finding
    assert len(found.problem) <= 300


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_was_kept_is_read(content: bytes) -> None:
    found = _kept(content)
    assert found is None or found.finding is Finding.PROVEN


def test_no_more_is_kept_than_there_is() -> None:
    kept = _kept(json.dumps({"total": 0.5, "install": 10**400}).encode())
    assert kept is not None
    assert kept.cold == Cold(total=0.5, install=0.5)


@pytest.mark.parametrize(
    ("demand", "known", "failed", "expected"),
    [
        (["_vendor/a/__init__.py", "_vendor/a/b.py", "_vendor/six.py"], [], [], ["a", "six"]),
        (["_vendor/a/b.py"], ["_vendor/a/__init__.py"], [], []),
        (["_vendor/g/c/s/__init__.py", "_vendor/g/c/s/x.py"], [], [], ["g.c.s"]),
        (["_vendor/a/__init__.py", "_vendor/b.py"], [], ["_vendor/b.py"], ["a"]),
        (["own.py", "_vendor/not-a-name.py", "_vendor/x.so"], [], [], []),
    ],
)
def test_what_is_imported_later(
    demand: list[str], known: list[str], failed: list[str], expected: list[str]
) -> None:
    assert later(demand, known, failed) == expected


def test_no_secret_is_passed_on() -> None:
    named = {"PATH": "/bin", "UV_INDEX_X_PASSWORD": "hush", "GITHUB_TOKEN": "hush"}
    environ = {**named, "UV_DEFAULT_INDEX": "http://index", "HTTPS_PROXY": "http://proxy"}
    trial = Trial(python=Path("python"), tmp_bytes=1)
    found = _environment(PLACE, trial, environ)
    assert "hush" not in found.values()
    assert not {"UV_DEFAULT_INDEX", "HTTPS_PROXY"} & found.keys()
    assert found["LAMBDA_TASK_ROOT"] == "/var/task"
    online = Trial(python=Path("python"), tmp_bytes=1, network=True)
    found = _environment(PLACE, online, environ)
    assert found["UV_DEFAULT_INDEX"] == "http://index"
    assert "hush" not in found.values()


def recording(*recorded: str, problem: str = "") -> Recording:
    """Of `app`, which asks for `alpha` and `beta` when it is called."""
    demand = ("_vendor/alpha/__init__.py", "_vendor/beta.py")
    once = Seconds(execute=0.0, compile=0.0)
    return Recording(
        start={"app.py": once},
        demand=dict.fromkeys(demand, once),
        recorded=frozenset(recorded),
        problem=problem,
    )


def test_what_may_be_fetched_is_not_imported_in_a_build() -> None:
    """There is no network: of a plan that defers, the start alone is tried."""
    whole, deferring = plan_of({"alpha": 1}), plan_of({"alpha": 300})
    assert deferring.deferred
    recorded = recording("app.py", "_vendor/alpha/__init__.py", "_vendor/beta.py")
    assert trial_of(recorded, Path("/python"), whole).modules == ("alpha", "beta")
    assert trial_of(recorded, Path("/python"), deferring).modules == ()


@pytest.mark.parametrize(
    ("known", "modules", "before"),
    [
        (recording(), (), None),
        (recording(problem="it ended with 7"), (), "it ended with 7"),
        (
            recording("app.py", "_vendor/beta.py", problem="KeyError: 'x'"),
            ("beta",),
            "KeyError: 'x'",
        ),
        (recording("app.py"), (), ""),
    ],
    ids=["read", "without an answer", "in part", "no more than the start"],
)
def test_what_was_only_read_proves_nothing(
    known: Recording, modules: tuple[str, ...], before: str | None
) -> None:
    trial = trial_of(known, Path("/python"), plan_of({"alpha": 1}))
    assert (trial.modules, trial.before) == (modules, before)


def test_only_what_comes_at_once_is_fetched_by_a_start() -> None:
    wheel = Wheel(url="https://files.example/a.whl", sha256="0" * 64, size=1)
    manifest = Manifest(build="b", python="3.12", handler="app:handler", interface="function")
    eager = Group(name="a", size=1, sha256="0" * 64, wheels=(wheel,))
    assert fetches(manifest._replace(groups=(eager,)))
    assert not fetches(manifest._replace(groups=(eager._replace(provides={"a": "module"}),)))
    assert not fetches(manifest._replace(groups=(eager._replace(wheels=()),)))
