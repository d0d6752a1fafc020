"""The shipped settings of gunicorn, and a note of each request that reaches the app behind them."""

import io
import json
import os
from pathlib import Path

_SHIPPED = Path(os.environ["SHIPPED_SETTINGS"])
exec(compile(_SHIPPED.read_text(), str(_SHIPPED), "exec"))  # noqa: S102 - it is ours

_shipped_init = post_worker_init  # noqa: F821 - it is in the file above
_NOTES = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
_PLAIN = ("REQUEST_METHOD", "RAW_URI", "REMOTE_ADDR", "wsgi.url_scheme", "CONTENT_LENGTH")


def post_worker_init(worker):
    """Have the app's requests noted; a body is read only where a test wants to know it."""
    app = worker.wsgi

    def noting(environ, start_response):
        note = {name: environ.get(name) for name in _PLAIN}
        note |= {name: value for name, value in environ.items() if name.startswith("HTTP_")}
        if "read" in environ["RAW_URI"]:
            body = environ["wsgi.input"].read()
            note["body"] = body.decode("latin-1")
            environ["wsgi.input"] = io.BytesIO(body)
        os.write(_NOTES, json.dumps(note).encode() + b"\n")
        return app(environ, start_response)

    worker.wsgi = noting
    _shipped_init(worker)
