"""Bodies that cannot be read: a 400 wherever they are read, whatever the server raises."""

import io

import pytest
from flask import Flask, g, request, url_for
from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkSize, LimitRequestHeaders
from werkzeug.routing import Rule

from bff.errors import RequestRefused
from bff.observe.boundary import ErrorBoundary
from bff.web.app import App
from bff.web.json_body import BodyReader
from bff.web.problem import handle_errors, problem
from bff.web.relay.upload import pieces


class Broken:
    """A stream that has some bytes, and then fails."""

    def __init__(self, *said):
        self.said = list(said)

    def read(self, size=-1):
        each = self.said.pop(0) if self.said else b""
        if isinstance(each, Exception):
            raise each
        return each + self.read() if size < 0 and each else each


@pytest.fixture
def app() -> Flask:
    made = App(__name__)
    handle_errors(made, ErrorBoundary())
    reader = BodyReader({"type": "object"}, 1000)

    @made.before_request
    def label():
        g.request_id = "1"

    @made.post("/json")
    def json():
        try:
            return reader.read(request)
        except RequestRefused as bad:
            return problem(bad.status, str(bad))

    @made.post("/form")
    def form():
        return dict(request.form)

    @made.post("/pieces")
    def piece():
        try:
            return b"".join(pieces(request, 1000))
        except RequestRefused as refused:
            return problem(refused.status, str(refused))

    return made


PATHS = {
    "/json": "application/json",
    "/form": "application/x-www-form-urlencoded",
    "/pieces": "application/json",
}


def posted(app, path, stream, **environ):
    return app.test_client().post(
        path,
        content_type=PATHS[path],
        environ_overrides={"wsgi.input": stream, "wsgi.input_terminated": True, **environ},
    )


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "error",
    [
        InvalidChunkSize(b"zz"),
        ChunkMissingTerminator(b"x"),
        LimitRequestHeaders("limit request trailer section size"),
        ConnectionResetError(104, "reset"),
        TimeoutError("timed out"),
        BrokenPipeError(),
        ValueError("of another server"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("before", [(), (b"{",)], ids=["at once", "later"])
def test_whatever_reading_raises_is_a_400(app, path, error, before, caplog):
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    reply = posted(app, path, Broken(*before, error), **chunked)
    assert reply.status_code == 400
    assert reply.json["detail"] == "the body cannot be read"
    assert "unexpected" not in caplog.text


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_is_cut_off_is_a_400_though_what_came_is_well_formed(app, path):
    reply = posted(app, path, io.BytesIO(b"{}"), CONTENT_LENGTH="9")
    assert (reply.status_code, reply.json["detail"]) == (400, "the body cannot be read")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("terminated", [True, False])
def test_a_whole_body_is_read(app, path, terminated):
    body = b"{}" if path != "/form" else b"a=b"
    length = {"CONTENT_LENGTH": str(len(body)), "wsgi.input_terminated": terminated}
    assert posted(app, path, io.BytesIO(body), **length).status_code == 200


def test_one_that_is_too_large_stays_a_413(app):
    reply = posted(app, "/json", io.BytesIO(b"x" * 2000), CONTENT_LENGTH="2000")
    assert reply.status_code == 413


@pytest.mark.parametrize("more", [{}, {"page": 2}])
def test_a_rule_builds_the_urls_that_flask_builds(more):
    built = []
    for kind in (App, Flask):
        app = kind("routes", static_folder=None)
        app.add_url_rule("/orders/<int:number>/<path:rest>", "order", lambda: "")
        with app.test_request_context():
            built.append(url_for("order", number=7, rest="a b/c", **more))
    assert built[0] == built[1]


def test_a_rule_compiles_nothing_that_builds_urls_before_one_is_built(monkeypatch):
    monkeypatch.setattr(Rule, "_compile_builder", lambda *_: pytest.fail("it is compiled"))
    App("routes", static_folder=None).add_url_rule("/orders", "orders", lambda: "")
