"""A bare Flask route that returns bytes: what the server itself costs."""

import os
from pathlib import Path

from flask import Flask, Response

BODY = Path(os.environ["BENCH_BODY"]).read_bytes()
app = Flask(__name__, static_folder=None)


@app.get("/bytes")
def page() -> Response:
    """The same bytes each time."""
    return Response(BODY, mimetype="application/json")
