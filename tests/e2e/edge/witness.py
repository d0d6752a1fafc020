"""Serves as `bff serve` does, and notes each request that reaches the app.

`python -m tests.e2e.edge.witness`, with the file for the notes in NOTES.
"""

import io
import json
import os

from bff.app import create_app
from bff.server.application import serve

_PLAIN = ("REQUEST_METHOD", "RAW_URI", "REMOTE_ADDR", "wsgi.url_scheme", "CONTENT_LENGTH")


def noting():
    """The app; a body is read only where a test wants to know it."""
    app = create_app()
    notes = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(environ, start_response):
        seen = {name: environ.get(name) for name in _PLAIN}
        seen |= {name: value for name, value in environ.items() if name.startswith("HTTP_")}
        if "read" in environ["RAW_URI"]:
            body = environ["wsgi.input"].read()
            seen["body"] = body.decode("latin-1")
            environ["wsgi.input"] = io.BytesIO(body)
        os.write(notes, json.dumps(seen).encode() + b"\n")
        return app(environ, start_response)

    return note


if __name__ == "__main__":
    serve(noting)
