"""Health in public is one word; its reasons are told on the management socket only."""

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from bff.dev.stubs.stub import StubReply
from bff.web.management import listener as operators
from bff.web.management.health import ManagementApp, health_routes


def app(checks, notes=None):
    public = Flask("public", static_folder=None)
    health_routes(public, checks)
    return ManagementApp(public, checks, notes or {}, {"/upstreams": lambda: {"s": 1}})


def ask(managed, path, came=None, method="GET", headers=None):
    builder = EnvironBuilder(path, method=method, headers=headers)
    environ = builder.get_environ() | (came or {})
    return TestResponse(*run_wsgi_app(managed, environ, buffered=True), builder.get_request())


MANAGED = {operators.MANAGED: True}
PUBLIC = {}


@pytest.mark.parametrize(
    ("reason", "status", "word"), [("", 200, "ready"), ("SECRET is away", 503, "not ready")]
)
def test_in_public_it_is_one_word(reason, status, word):
    reply = ask(app({"store": lambda: reason}), "/readyz", PUBLIC)
    assert (reply.status_code, reply.text) == (status, f"{word}\n")
    assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("came", [PUBLIC, MANAGED])
def test_alive_is_alive_whatever_the_checks_say(came):
    reply = ask(app({"store": lambda: "away"}), "/livez", came)
    assert (reply.status_code, reply.text) == (200, "live\n")


def test_operators_hear_the_reasons():
    checks = {"store": lambda: "it is away", "upstream": lambda: ""}
    reply = ask(app(checks, {"configuration": lambda: "bff.yaml:1:1: error"}), "/readyz", MANAGED)
    assert reply.status_code == 503
    assert reply.get_json() == {
        "ready": False,
        "reasons": {"store": "it is away"},
        "notes": {"configuration": "bff.yaml:1:1: error"},
    }


def test_notes_do_not_make_it_unready():
    reply = ask(app({"a": lambda: ""}, {"b": lambda: "look here"}), "/readyz", MANAGED)
    assert (reply.status_code, reply.get_json()["ready"]) == (200, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "127.0.0.1:9090"},
        {"X-Forwarded-Port": "9090"},
        {"Forwarded": "host=127.0.0.1:9090"},
        {"Bff-Management": "true"},
        {"Bff.Management": "true"},
    ],
)
def test_no_header_makes_a_request_an_operators(headers):
    reply = ask(app({"a": lambda: "away"}), "/readyz", PUBLIC, headers=headers)
    assert reply.text == "not ready\n"


def test_the_management_socket_answers_nothing_of_the_public(site):
    shop = site(
        "get: /x\ncall: {get: users:/x}\n",
        users=lambda _: StubReply.json({}),
        management="127.0.0.1:9090",
    )
    assert ask(shop.app, "/web/x", MANAGED).status_code == 404
    # a name may have been rebound to this address by a page in an operator's browser
    assert ask(shop.app, "/readyz", MANAGED, headers={"Host": "shop.example"}).status_code == 421
    assert ask(shop.app, "/web/x", PUBLIC, headers={"Host": "shop.example"}).status_code == 200
    assert ask(shop.app, "/readyz", MANAGED).get_json()["ready"] is True


def test_reports_are_for_operators_alone():
    told = ask(app({}), "/upstreams", MANAGED).json
    assert told.pop("process") > 0
    assert told == {"s": 1}
    assert ask(app({}), "/upstreams", PUBLIC).status_code == 404


def test_operators_see_how_services_stand(site):
    shop = site(
        "get: /home\ncall: {get: users:/x}\n",
        management="127.0.0.1:9090",
        service=", breaker: {}",
        users=lambda _: StubReply.json(1),
    )
    assert shop.get("/web/home").status_code == 200
    seen = ask(shop.app.wsgi_app, "/upstreams", MANAGED).json["users"]
    (address,) = seen.pop("addresses").values()
    assert seen == {"places": 32, "in_flight": 0, "waiting": 0, "extra": 0, "extra_refused": 0}
    assert address == {
        "state": "closed",
        "opened": 0,
        "ejected": False,
        "ejections": 0,
        "outstanding": 0,
    }
