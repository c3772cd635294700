"""The benchmarks' own arithmetic and picture, and the apps that they start."""

from __future__ import annotations

import ast
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from benchmarks import origin, plot, started
from benchmarks.app import APPS
from benchmarks.plain import Plain
from benchmarks.predict import Prediction
from benchmarks.scene import NoBundle, Scene
from benchmarks.started import AUTO, FLOOR, ORIGIN, PACK, Started
from overflow.limits import MIB
from overflow.process import Completed
from overflow.uv import Uv

ROOT = Path(__file__).parents[2]
LOCKS = sorted({app.folder / "uv.lock" for app in APPS.values()})
SVG = "{http://www.w3.org/2000/svg}"


def found(cold: dict[str, list[float]], **more: Any) -> Started:
    values: dict[str, Any] = {"missing": {}, "plain": [], "warm_runtime": [], **more}
    return Started(cold=cold, warm=cold, **values)


def test_each_bound_is_a_ratio_of_medians() -> None:
    cold = {ORIGIN: [4.0], PACK: [0.6], AUTO: [0.9, 0.44, 0.4], FLOOR: [0.4]}
    bounds = {one.what: one for one in started.bounds("flask", found(cold, warm_runtime=[4.5]))}
    assert bounds["flask: auto / floor"].measured == pytest.approx(1.1)
    assert bounds["flask: auto / origin"].measured == pytest.approx(0.11)
    assert bounds["flask: pack / floor"].measured == pytest.approx(1.5)
    assert bounds["flask: our runtime in a warm start"].measured == 4.5
    assert all(one.met for one in bounds.values())


def test_the_larger_app_is_held_against_floor_and_plain_unpack() -> None:
    (bound,) = started.bounds("large", found({AUTO: [6.0], FLOOR: [2.0]}, plain=[1.0, 2.0, 3.0]))
    assert bound.measured == 1.5
    assert bound.met


@pytest.mark.parametrize("app", ["flask", "large", "light"])
def test_a_contender_that_is_missing_keeps_no_bound(app: str) -> None:
    bounds = started.bounds(app, found({FLOOR: [0.4]}, missing={AUTO: "error: no"}))
    assert [one.measured for one in bounds] == [math.inf] * len(bounds)
    assert not any(one.met for one in bounds)


def test_the_table_says_why_a_contender_is_missing() -> None:
    text = started.text("light", found({FLOOR: [0.4]}, missing={AUTO: "error: no"}))
    assert "missing: auto: error: no" in text


def test_what_does_not_fit_is_all_above_250_mb() -> None:
    plain = Plain(root=ROOT, sha256="", installed=400 * MIB, compressed=1)
    assert plain.excess == 150 * MIB
    assert Plain(root=ROOT, sha256="", installed=1, compressed=1).excess == 0


@pytest.mark.parametrize(
    ("predicted", "measured", "off"),
    [(1.1, (1.0,), 0.1), (0.9, (1.0, 1.0, 5.0), 0.1), (None, (1.0,), math.inf), (1, (), math.inf)],
)
def test_a_prediction_is_held_against_the_median(
    predicted: float | None, measured: tuple[float, ...], off: float
) -> None:
    assert Prediction(predicted=predicted, measured=measured).off == pytest.approx(off)


def test_a_contender_that_fails_gives_its_error_line(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Completed(exit_code=3, output="", errors="Read app\nerror[too-large]: no\n  hint: ...\n")
    monkeypatch.setattr("benchmarks.scene.run", lambda *_, **__: done)
    uv = Uv(binary="uv", environment={})
    with pytest.raises(NoBundle, match=r"^error\[too-large\]: no$"):
        Scene(top=ROOT, uv=uv, python=ROOT, ric=ROOT).run(["overflow"], ROOT)


@pytest.mark.parametrize("app", APPS)
def test_each_app_defines_the_handler_that_is_started(app: str) -> None:
    source = (APPS[app].folder / f"{APPS[app].module}.py").read_text("utf-8")
    assert re.search(rf"^(def )?{APPS[app].attribute}\b", source, re.MULTILINE)


@pytest.mark.parametrize("interface", origin.ADAPT)
def test_the_origins_trampoline_is_python(interface: str) -> None:
    fields = {"overflow": "/tmp/it's", "module": "app", "attribute": "app"}
    ast.parse(origin.TRAMPOLINE.format(adapt=origin.ADAPT[interface], **fields))


@pytest.mark.parametrize("lock", LOCKS, ids=[lock.parent.name for lock in LOCKS])
def test_locks_name_pypi_only(lock: Path) -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)", lock.read_text("utf-8")))
    assert hosts <= {"pypi.org", "files.pythonhosted.org"}


def results(cold: dict[str, list[float]], missing: dict[str, str]) -> dict[str, Any]:
    app = {"seconds": {name: {"cold": each} for name, each in cold.items()}, "missing": missing}
    machine = {"CPU": "Some <CPU> & more", "date": "2026-11-26 10:00 UTC"}
    return {"machine": machine, "start": {"flask": app}}


def test_bars_are_as_long_as_medians() -> None:
    cold = {FLOOR: [0.5, 0.5, 0.6], ORIGIN: [3.0, 4.0, 5.0], AUTO: [1.0]}
    drawn = ET.fromstring(plot.svg(results(cold, {PACK: "error"})))
    bars = [(one.get("class"), float(one.get("width", ""))) for one in drawn.iter(f"{SVG}rect")]
    assert [kind for kind, _ in bars] == ["other", "ours", "floor"], "the slowest first"
    widths = [width for _, width in bars]
    assert widths == pytest.approx([widths[0], widths[0] / 4, widths[0] / 8], abs=0.1)
    texts = [one.text for one in drawn.iter(f"{SVG}text")]
    assert {"4.00 s", "1.00 s", "0.50 s", PACK, "no bundle"} <= set(texts)


def test_the_picture_has_colours_for_the_dark_and_takes_any_text() -> None:
    drawn = ET.fromstring(plot.svg(results({FLOOR: [0.5]}, {})))
    (style,) = drawn.iter(f"{SVG}style")
    assert style.text is not None
    assert "prefers-color-scheme: dark" in style.text
    assert any("<CPU> &" in (one.text or "") for one in drawn.iter(f"{SVG}text"))
