"""An analytics service whose packages are three times as large as Lambda's 250 MB."""

import time
from importlib import import_module
from importlib.metadata import version

import pandas
import polars
import pyarrow
from flask import Flask, jsonify
from sklearn.linear_model import LinearRegression

app = Flask(__name__)


@app.get("/")
def index():
    """What a health check asks for: nothing beside the imports above."""
    return jsonify(ok=True)


@app.get("/api/forecast")
def forecast():
    """The packages that a plain request uses: a table, a column and a straight line."""
    table = polars.DataFrame({"day": [1, 2, 3, 4], "sold": [3.0, 5.0, 7.0, 9.0]})
    frame = pandas.DataFrame(table.to_dict(as_series=False))
    line = LinearRegression().fit(frame[["day"]], frame["sold"])
    tomorrow = line.predict(pandas.DataFrame({"day": [5]}))[0]
    total = pyarrow.array(frame["sold"].tolist(), pyarrow.float64()).sum().as_py()
    return jsonify(tomorrow=round(float(tomorrow), 6), total=total)


@app.get("/api/deps-check")
def deps_check():
    """Have every package do a little work: 200 if all could, 500 otherwise."""
    found = {name: checked(name, work) for name, work in WORK.items()}
    ok = all(one["ok"] for one in found.values())
    return jsonify(ok=ok, dependencies=found), 200 if ok else 500


def checked(name, work):
    started = time.perf_counter()
    module, _, distribution = name.partition(" of ")
    try:
        home = import_module(module).__file__
        ok = work()
    except Exception as error:  # whatever a package that is not whole may raise
        return {"ok": False, "error": repr(error)}
    return {
        "ok": bool(ok),
        "version": version(distribution or module),
        "from": home,
        "seconds": round(time.perf_counter() - started, 3),
    }


def duckdb_works():
    import duckdb

    return duckdb.sql("select 6 * 7").fetchall() == [(42,)]


def plotly_works():
    from plotly.graph_objects import Figure, Scatter

    return Figure(Scatter(x=[1, 2], y=[3, 4])).to_dict()["data"][0]["type"] == "scatter"


def scipy_works():
    from scipy.optimize import brentq

    return abs(brentq(lambda x: x * x - 2, 0, 2) ** 2 - 2) < 1e-9


def statsmodels_works():
    from statsmodels.api import OLS

    return abs(OLS([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]).fit().params[0] - 2) < 1e-9


def xgboost_works():
    import xgboost

    return xgboost.DMatrix(pandas.DataFrame({"x": [1.0, 2.0]}), label=[0, 1]).num_row() == 2


WORK = {
    "flask": lambda: app.name,
    "pandas": lambda: pandas.Series([1, 2]).sum() == 3,
    "polars": lambda: polars.Series([1, 2]).sum() == 3,
    "pyarrow": lambda: len(pyarrow.array([1, 2])) == 2,
    "sklearn of scikit-learn": lambda: LinearRegression().fit([[0], [1]], [0, 1]).coef_[0] > 0.9,
    "scipy": scipy_works,
    "duckdb": duckdb_works,
    "plotly": plotly_works,
    "statsmodels": statsmodels_works,
    "xgboost of xgboost-cpu": xgboost_works,
}
