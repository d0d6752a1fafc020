"""Request bodies: only JSON, of a bounded size, as the schema says; else nothing is sent."""

from http.client import HTTPConnection
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from bff.web.body import BadBody, BodyReader
from tests import test_golden as golden
from tests.golden_case import read_case

WRITES = sorted(Path(golden.__file__).parent.glob("golden/writes/*.yaml"))


@pytest.mark.parametrize("way", ["simulated", "http"])
@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in WRITES])
def test_golden_write(path, way, tmp_path, monkeypatch):
    """A golden file whose request has a body: here both ways to ask are given it to send."""
    body = read_case(path).asked.body

    class Client(FlaskClient):
        def open(self, *args, **options):
            return super().open(*args, data=body, **options)

    class Connection(HTTPConnection):
        def endheaders(self, message_body=None, **options):
            del message_body
            self.putheader("Content-Length", str(len(body)))
            super().endheaders(body, **options)

    monkeypatch.setattr(Flask, "test_client_class", Client)
    monkeypatch.setattr(golden, "HTTPConnection", Connection)
    golden.test_golden(path, way, tmp_path)


def posted(body, **options):
    options.setdefault("content_type", "application/json")
    return Request(EnvironBuilder(method="POST", data=body, **options).get_environ())
