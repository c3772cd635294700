"""A Flask app whose packages are larger than Lambda's 250 MB."""

import importlib
import sys
import time

from flask import Flask, jsonify

DEPENDENCIES = ("scipy", "numpy", "pandas", "matplotlib", "PIL", "flask")

app = Flask(__name__)


@app.get("/")
def index():
    return "See /api/deps-check\n"


@app.get("/api/deps-check")
def deps_check():
    """Import each dependency and say how that went: 200 if all did, 500 otherwise."""
    dependencies = {name: check(name) for name in DEPENDENCIES}
    ok = all(found["ok"] for found in dependencies.values())
    answer = {"ok": ok, "python": sys.version.split()[0], "dependencies": dependencies}
    return jsonify(answer), 200 if ok else 500


def check(name):
    started = time.perf_counter()
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        return {"ok": False, "error": str(error)}
    return {
        "ok": True,
        "version": getattr(module, "__version__", None) or distribution_version(name),
        "from": module.__file__,
        "seconds": round(time.perf_counter() - started, 3),
    }


def distribution_version(name):
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None
