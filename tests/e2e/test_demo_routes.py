"""What the page asks of its own server: only for this machine, and for no page but ours."""

import json
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bff.declare.check import check
from bff.dev.page.routes import page_routes
from bff.dev.stubs.stub import StubReply, StubServices

ROOT = Path(__file__).parents[2]
HOST = "http://127.0.0.1:8080"


def client_of(stub: str | None) -> FlaskClient:
    app = Flask("page")
    page_routes(app, check(ROOT / "config"), stub)
    return app.test_client()


@pytest.fixture
def services():
    with StubServices({"users": lambda _: StubReply.json({})}, control_port=0) as made:
        yield made


@pytest.fixture
def client(services):
    return client_of(services.control_url)


def put(client, body, name="users", **headers):
    content = body if isinstance(body, str) else json.dumps(body)
    given = {
        "Content-Type": "application/json",
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    return client.put(f"/demo/services/{name}", base_url=HOST, data=content, headers=given)


def test_a_change_reaches_the_stub(client, services):
    answer = put(client, {"state": "failing", "latency_ms": 20})
    assert answer.status_code == 200
    assert answer.json["state"] == "failing"
    assert services.state()["users"]["latency_ms"] == 20
    assert client.get("/demo/services", base_url=HOST).json == services.state()


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Host": "shop.example"},
        {"Host": "127.0.0.1.evil.example"},
    ],
)
def test_other_sites_are_refused(client, services, headers):
    assert put(client, {"state": "down"}, **headers).status_code == 403
    assert services.state()["users"]["state"] == "up"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    for path in ("/demo/services", "/demo/unused", "/demo/views"):
        assert client.get(path, base_url=HOST, headers=named).status_code == 403


def test_other_machines_are_refused(client):
    far = {"REMOTE_ADDR": "192.0.2.7"}
    for path in ("/demo/services", "/demo/unused", "/demo/views"):
        assert client.get(path, base_url=HOST, environ_overrides=far).status_code == 403


def test_the_page_itself_may_ask(client):
    own = {"Origin": HOST, "Sec_Fetch_Site": "same-origin"}
    assert put(client, {"state": "up"}, **own).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "{}",
        {"state": "sideways"},
        {"state": ["up"]},
        {"state": None},
        {"latency_ms": -1},
        {"latency_ms": 60_001},
        {"latency_ms": True},
        {"latency_ms": "9"},
        {"port": 1},
    ],
)
def test_what_is_no_change_is_refused(client, services, body):
    assert put(client, body).status_code == 400
    assert services.state()["users"]["state"] == "up"


def test_too_much_and_the_wrong_type_are_refused(client):
    assert put(client, {"state": "up" + " " * 2000}).status_code == 413
    assert put(client, {"state": "up"}, Content_Type="text/plain").status_code == 415


@pytest.mark.parametrize("name", ["nobody", "..", "users%2F..%2F..", "USERS"])
def test_only_declared_services(client, name):
    assert put(client, {"state": "up"}, name=name).status_code in {404, 405}


def test_stubs_that_are_away(services):
    services.stop()
    assert client_of(services.control_url).get("/demo/services", base_url=HOST).status_code == 502
    assert client_of(None).get("/demo/services", base_url=HOST).status_code == 404


def test_the_page_is_told_of_the_views(client):
    told = client.get("/demo/views", base_url=HOST).json
    routes = [view["route"] for view in told["views"]]
    assert "/web/home" in routes
    assert "/mobile/orders/{id}" in routes
    home = next(view for view in told["views"] if view["route"] == "/mobile/home")
    assert home["calls"]["orders"]["service"] == "orders"
    assert home["left_out"] == ["product", "recommended", "reviews"]
    assert "get: /home" in told["declared"]["home"]["text"]
    access = {view["route"]: view["access"] for view in told["views"]}
    assert (access["/web/home"], access["/web/search"]) == ("signed_in", "public")
    assert (told["providers"], told["idle_seconds"]) == (["shop"], 1800)
    assert (told["stubs"], told["shop"]) == (True, False)
    assert str(ROOT) not in json.dumps(told)


def test_every_file_is_served_with_the_policy(client):
    page = client.get("/", base_url=HOST)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    for path in (ROOT / "bff/dev/page/static").iterdir():
        if path.name != "index.html":
            answer = client.get(f"/demo/{path.name}", base_url=HOST)
            assert answer.status_code == 200, path
            assert answer.headers["Content-Security-Policy"]


def test_no_script_or_style_is_inline_and_no_data_becomes_markup():
    for path in (ROOT / "bff/dev/page/static").iterdir():
        text = path.read_text()
        assert len(text.splitlines()) <= 300, path
        for never in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert never not in text, path
        if path.suffix == ".html":
            for never in (" style=", "<style", " onclick", "<script>"):
                assert never not in text, path
