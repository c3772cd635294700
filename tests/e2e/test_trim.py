"""Trimming of real packages: all of them import, and do something real of what they are for."""

from __future__ import annotations

import json
import os
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from overflow.cache import Cache
from overflow.console import Console
from overflow.inputs import read_inputs
from overflow.installation import Tools, install
from overflow.measure import measure
from overflow.stripping import find_stripper
from overflow.trim import Kind
from overflow.trimming import trim
from overflow.uv import Uv

if TYPE_CHECKING:
    from overflow.installation import Installed

pytestmark = pytest.mark.pypi

EXAMPLES = Path(__file__).parents[2] / "examples"

IMPORT = """
import importlib, json, os, sys, warnings
site, output, *names = sys.argv[1:]
sys.path.insert(0, site)
warnings.simplefilter("ignore")
if not names:
    for folder, folders, files in os.walk(site):
        folders[:] = sorted(one for one in folders if one.isidentifier())
        if "__init__.py" in files:
            names.append(os.path.relpath(folder, site).replace(os.sep, "."))
failed = {}
for name in names:
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = f"{type(error).__name__}: {error}".replace(site, "")
json.dump(failed, open(output, "w"))
"""
"""Imports packages, or all that are there, and notes what they say that cannot be imported."""

FLASK = """
import io, matplotlib, numpy as np, pandas as pd, scipy, tempfile
matplotlib.use("svg")
from matplotlib import pyplot
from PIL import Image, ImageFilter
from scipy import fft, integrate, interpolate, linalg, ndimage, optimize, signal, sparse
from scipy import spatial, special, stats
from scipy.io import arff, loadmat, netcdf_file, savemat, wavfile
import numpy.f2py, numpy.testing, numpy.typing, pandas.testing, scipy._lib, matplotlib.testing

np.testing.assert_allclose(np.linalg.inv(np.eye(3) * 2), np.eye(3) / 2)
assert np.random.default_rng(1).normal(size=5).shape == (5,)
assert abs(np.fft.ifft(np.fft.fft([1.0, 2.0])) - [1, 2]).max() < 1e-9
assert abs(special.gamma(5) - 24) < 1e-9 and abs(integrate.quad(np.sin, 0, np.pi)[0] - 2) < 1e-9
assert optimize.minimize(lambda x: (x[0] - 3) ** 2, [0.0]).success
assert sparse.linalg.spsolve(sparse.eye(3, format="csc"), np.ones(3)).sum() == 3
assert stats.ttest_ind([1, 2, 3], [1, 2, 4]).pvalue > 0.1 and stats.norm.cdf(0) == 0.5
assert linalg.lu(np.eye(2))[0].shape == (2, 2) and fft.dct([1.0]).shape == (1,)
assert interpolate.CubicSpline([0, 1, 2], [0, 1, 4])(1.5) > 2
assert spatial.KDTree([[0, 0], [1, 1]]).query([0.9, 1])[1] == 1
assert signal.butter(2, 0.5)[0].shape == (3,) and ndimage.zoom(np.eye(2), 2).shape == (4, 4)
kept = io.BytesIO()
wavfile.write(kept, 8000, np.zeros(10, "int16"))
savemat(matrix := io.BytesIO(), {"a": np.eye(2)})
assert loadmat(matrix)["a"].shape == (2, 2)
frame = pd.read_csv(io.StringIO("a,b\\n1,x\\n2,y\\n2,y\\n"), parse_dates=False)
pandas.testing.assert_frame_equal(frame.groupby("b").sum().reset_index()[["a", "b"]],
                                  pd.DataFrame({"a": [1, 4], "b": ["x", "y"]}))
assert len(pd.date_range("2024-01-01", periods=3, tz="Europe/Berlin")) == 3
assert "<table" in frame.to_html() and frame.to_json()
figure, axes = pyplot.subplots()
axes.plot([1, 2], [3, 4], label="$x^2$")
axes.legend()
for kind in ("svg", "png", "pdf"):
    figure.savefig(io.BytesIO(), format=kind)
pyplot.figure().add_subplot(projection="3d")
for kind in ("PNG", "JPEG", "WEBP", "TIFF", "GIF"):
    Image.new("RGB", (9, 9)).filter(ImageFilter.BLUR).save(saved := io.BytesIO(), kind)
    Image.open(io.BytesIO(saved.getvalue())).load()
from app import app
assert app
"""

LARGE = """
import io, duckdb, joblib, numpy as np, pandas as pd, patsy, plotly.graph_objects, polars as pl
import pyarrow as pa, statsmodels.api as sm, statsmodels.formula.api as smf, tempfile, xgboost
import formulaic, numpy.testing, pandas.testing, statsmodels.tsa.api as tsa
from pyarrow import compute, csv, dataset, feather, fs, ipc, orc, parquet
from sklearn import cluster, datasets, decomposition, ensemble, linear_model, metrics
from sklearn import model_selection, neighbors, pipeline, preprocessing, svm, tree
from sklearn.utils import estimator_checks, discovery

table = pa.table({"a": [1, 2, 3], "b": ["x", "y", None]})
with tempfile.TemporaryDirectory() as folder:
    parquet.write_table(table, f"{folder}/a.parquet", compression="zstd")
    assert dataset.dataset(folder).to_table(filter=dataset.field("a") > 1).num_rows == 2
    orc.write_table(table, f"{folder}/a.orc")
    assert orc.read_table(f"{folder}/a.orc").num_rows == 3
    feather.write_feather(table, f"{folder}/a.feather")
    assert pl.read_parquet(f"{folder}/a.parquet").filter(pl.col("a") > 2).height == 1
    assert duckdb.sql(f"select sum(a) from '{folder}/a.parquet'").fetchall() == [(6,)]
    pd.read_parquet(f"{folder}/a.parquet")
assert compute.sum(table["a"]).as_py() == 6
assert csv.read_csv(io.BytesIO(b"a,b\\n1,2\\n")).num_rows == 1
assert pl.DataFrame({"a": [1, 2]}).lazy().group_by("a").len().collect().height == 2
assert duckdb.sql("select * from (values (1)) as t(a)").df().a.sum() == 1
x, y = datasets.make_classification(200, random_state=1)
model = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
assert model_selection.cross_val_score(model, x, y, cv=3).mean() > 0.5
for one in (ensemble.HistGradientBoostingClassifier(max_iter=5), svm.SVC(),
            ensemble.RandomForestClassifier(5), neighbors.KNeighborsClassifier()):
    assert metrics.accuracy_score(y, one.fit(x, y).predict(x)) > 0.5
assert cluster.KMeans(2, n_init=1).fit(x).labels_.shape == (200,)
assert decomposition.PCA(2).fit_transform(x).shape == (200, 2)
assert datasets.load_iris().data.shape == (150, 4) and datasets.load_digits().data.size
assert len(discovery.all_estimators()) > 150
assert xgboost.XGBClassifier(n_estimators=3).fit(x, y).predict(x).shape == (200,)
frame = pd.DataFrame({"y": y.astype(float), "x": x[:, 0]})
assert sm.OLS(frame.y, sm.add_constant(frame.x)).fit().params.shape == (2,)
assert smf.ols("y ~ x", frame).fit().summary().as_text()
assert sm.datasets.longley.load_pandas().data.size
assert tsa.ARIMA(np.arange(30.0), order=(1, 0, 0)).fit().params.size
assert patsy.dmatrix("x", frame).shape == formulaic.model_matrix("x", frame).shape
assert plotly.graph_objects.Figure([{"type": "bar", "y": [1]}]).to_json()
assert joblib.Parallel(1)(joblib.delayed(abs)(-1) for _ in range(2)) == [1, 1]
import app
"""


def installed(example: str, folder: Path) -> Installed:
    inputs = read_inputs({"project": str(EXAMPLES / example)}, {}, writes=False)
    uv = Uv.bundled(os.environ)
    tools = Tools(uv=uv, console=Console(None), environ=os.environ)
    return install(inputs, tools, folder, keeps_lock=True)


def run(python: Path, *arguments: str | Path, folder: Path) -> None:
    done = subprocess.run(
        [python, "-s", "-B", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def not_importable(found: Installed, folder: Path, *names: str) -> dict[str, str]:
    """What packages say that cannot be imported, most of them for want of another."""
    said = folder / "failed.json"
    run(found.python, "-c", IMPORT, found.site_packages, said, *names, folder=folder)
    failed: dict[str, str] = json.loads(said.read_text("utf-8"))
    return failed


@pytest.mark.parametrize(
    ("example", "script", "safe", "symbols"),
    [("flask", FLASK, 42e6, 36e6), ("large", LARGE, 69e6, 80e6)],
)
def test_nothing_breaks(example: str, script: str, safe: int, symbols: int, tmp_path: Path) -> None:
    """Whatever level is asked for: `aggressive` takes all that `safe` takes."""
    found, whole = installed(example, tmp_path / "work"), installed(example, tmp_path / "whole")
    nothing_kept = Cache(folder=None)
    site = found.site_packages
    measured, trimmed = trim(
        measure(site),
        project=found.files.tree,
        own=found.project.name,
        cache=nothing_kept,
        stripper=partial(find_stripper, found.target.machine, os.environ, nothing_kept),
    )
    assert measured == measure(site)
    stripped = sum(cut.size for cut in trimmed.cuts if cut.kind == Kind.SYMBOLS.value)
    assert stripped > symbols
    assert trimmed.size - stripped > safe
    failed = not_importable(found, tmp_path)
    assert not failed or not_importable(whole, tmp_path, *failed) == failed
    path = f"import sys; sys.path[:0] = [{str(site)!r}, {str(EXAMPLES / example)!r}]\n"
    run(found.python, "-c", path + script, folder=tmp_path)
