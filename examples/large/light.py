"""The other handler of this project: `--handler light:app`. It needs flask and pandas alone."""

from flask import Flask, jsonify
from pandas import DataFrame

app = Flask(__name__)


@app.get("/")
def index():
    sold = DataFrame({"day": [1, 2, 3], "sold": [3, 5, 7]})
    return jsonify(ok=True, total=int(sold["sold"].sum()))
