"""A function whose dependencies are public and private: index, workspace, path and git."""

import sys
from importlib.metadata import version

import flask
import ledger
import pricing
import tariffs


def handler(event, context):
    """Price some units and say where each import came from."""
    amount = pricing.price(event["units"], tariffs.STANDARD)
    return {
        "entry": ledger.entry("sales", amount),
        "python": sys.version.split()[0],
        "flask": version("flask"),
        "from": {
            module.__name__: module.__file__ for module in (flask, ledger, pricing, tariffs)
        },
    }
