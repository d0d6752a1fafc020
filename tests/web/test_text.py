"""What a path and a query say is what a service is asked for; what is no text is a 400."""

import gzip
from urllib.parse import unquote_to_bytes

import pytest

from bff.dev.stubs.stub import StubReply
from bff.web.text import broken_parameters, mark_encoded_slashes, path_info

ITEM = """
get: /item/{id}
params: {q: {required: false}}
call: {get: "users:/i/{params.id}", query: {q: "{params.q}"}}
"""
PAIR = "get: /pair/{a}/and/{b}\ncall: {get: 'users:/p/{params.a}/{params.b}'}\n"
WRITE = "post: /write\nbody: {type: object}\ncall: {post: users:/w, json: '{body}'}\n"
FREE = "get: /free\ncall: {get: users:/free}\n"
RELAY = "relay: /files/{path...} -> users:/f/{path...}\n"


@pytest.fixture
def shop(site):
    return site(
        ITEM, PAIR, WRITE, FREE, relays=(RELAY,), users=lambda _: StubReply.json({"n": 1}), batch=4
    )


def sent(shop):
    return [
        f"{each.path}?{each.query}" if each.query else each.path for each in shop.stubs.requests()
    ]


@pytest.mark.parametrize(
    "target",
    [
        "/web/item/%FF",
        "/web/item/a%80b",
        "/web/item/%C3",
        "/web/item/%ED%A0%80",
        "/web/%FF",
        "/%FF",
    ],
)
def test_a_path_that_is_no_text_is_400(shop, target):
    # as gunicorn has it: the test client leaves what is no text encoded
    environ = {"PATH_INFO": unquote_to_bytes(target).decode("latin-1")}
    headers = {"Host": "shop.example"}
    reply = shop.app.test_client().get(target, headers=headers, environ_overrides=environ)
    assert (reply.status_code, reply.json["detail"]) == (400, "the path is not UTF-8")
    assert sent(shop) == []


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=%A0", ["q"]),
        ("q=ok&x=%FF", ["x"]),
        ("q=%C3%28", ["q"]),
        ("%FF=1", ["\ufffd"]),
        ("q=%ED%A0%80&q=%A0", ["q"]),
        ("q=+%e9", ["q"]),
    ],
)
def test_a_query_that_is_no_text_is_400_and_named(shop, query, names):
    reply = shop.get(f"/web/item/7?{query}")
    assert reply.status_code == 400
    assert [each["parameter"] for each in reply.json["errors"]] == names
    assert shop.get(f"/web/free?{query}").status_code == 400
    assert sent(shop) == []


def test_a_query_that_is_text_passes_however_it_is_encoded(shop):
    for target in ("/web/item/%C3%BC?q=%c3%bc%20%25A0", "/web/item/%EF%BF%BD?q=%EF%BF%BD"):
        assert shop.get(target).status_code == 200
    assert sent(shop) == ["/i/%C3%BC?q=%C3%BC%20%25A0", "/i/%EF%BF%BD?q=%EF%BF%BD"]


def test_the_query_of_a_relay_goes_on_as_it_is(shop):
    assert shop.get("/web/files/a?q=%A0").status_code == 200
    assert sent(shop) == ["/f/a?q=%A0"]


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        ("/web/item/a%2Fb", "/i/a%2Fb"),
        ("/web/item/a%2fb%2Fc", "/i/a%2Fb%2Fc"),
        ("/web/item/%2F", "/i/%2F"),
        ("/web/item/https%3A%2F%2Fx.example%2F%C3%BC", "/i/https%3A%2F%2Fx.example%2F%C3%BC"),
        ("/web/item/a%252Fb", "/i/a%252Fb"),
        ("/web/item/a%2Fb?q=%2F", "/i/a%2Fb?q=%2F"),
        ("/web/pair/a%2Fb/and/c%2Fd", "/p/a%2Fb/c%2Fd"),
        ("/web/pair/and%2Fand/and/%2Fand%2F", "/p/and%2Fand/%2Fand%2F"),
    ],
)
def test_an_encoded_slash_is_a_part_of_its_segment(shop, target, asked):
    assert shop.get(target).status_code == 200
    assert sent(shop) == [asked]


@pytest.mark.parametrize(
    "target", ["/web%2Fitem/7", "/web/item%2F7", "/web%2Ffree", "/web/pair/a%2Fand/b"]
)
def test_an_encoded_slash_separates_no_segments(shop, target):
    assert shop.get(target).status_code == 404
    assert sent(shop) == []


@pytest.mark.parametrize(
    "value", ["..%2Fadmin", "%2e%2e%2Fadmin", "a%2F..%2Fb", "..%252Fadmin", "."]
)
def test_an_encoded_slash_leads_nowhere_else(shop, value):
    assert shop.get(f"/web/item/{value}").status_code >= 400
    assert sent(shop) == []


def test_a_relay_takes_no_encoded_slash(shop):
    assert shop.get("/web/files/a%2Fb").status_code == 400
    assert sent(shop) == []


def test_a_part_of_a_batch_has_the_path_that_it_has_alone(shop):
    parts = {
        "slash": "/item/a%2Fb",
        "bad": "/item/%FF",
        "query": "/item/1?q=%A0",
        "not": "/item%2F7",
    }
    headers = {"Host": "shop.example"}
    reply = shop.app.test_client().post("/web/_batch", json={"requests": parts}, headers=headers)
    found = {name: each["status"] for name, each in reply.json["responses"].items()}
    assert found == {"slash": 200, "bad": 400, "query": 400, "not": 404}
    assert sent(shop) == ["/i/a%2Fb"]


def test_a_server_that_does_not_hand_the_target_on_is_taken_as_it_is():
    for environ in (
        {"PATH_INFO": "/a/b"},
        {"PATH_INFO": "/below/a/b", "RAW_URI": "/a%2Fb"},
        {"PATH_INFO": "/a/b/\ufdd0".encode().decode("latin-1"), "RAW_URI": "/a%2Fb/%EF%B7%90"},
    ):
        before = environ["PATH_INFO"]
        mark_encoded_slashes(environ)
        assert environ["PATH_INFO"] == before


@pytest.mark.parametrize("value", ["a%EF%B7%90b", "%ef%b7%90", "a%EF%B7%90%2Fb"])
def test_the_character_that_stands_for_a_slash_is_none_of_the_clients(shop, value):
    reply = shop.get(f"/web/item/{value}")
    assert (reply.status_code, reply.mimetype) == (400, "application/problem+json")
    parts = {"part": f"/item/{value}"}
    headers = {"Host": "shop.example"}
    batch = shop.app.test_client().post("/web/_batch", json={"requests": parts}, headers=headers)
    assert batch.json["responses"]["part"]["status"] in {400, 404}
    assert sent(shop) == []


def test_an_encoded_slash_in_a_target_in_absolute_form_is_a_part_of_its_segment():
    environ = {"PATH_INFO": "/web/item/a/b", "RAW_URI": "http://shop.example/web/item/a%2Fb?x=/"}
    mark_encoded_slashes(environ)
    assert environ["PATH_INFO"] == path_info("/web/item/a%2Fb")


def test_what_is_decoded_once_stays_so():
    assert path_info("/a%2520b") == "/a%20b"
    assert path_info("/%C3%BC") == "/ü".encode().decode("latin-1")
    assert path_info("/a%2Fb").count("/") == 1
    assert broken_parameters(b"a=%20&b=%FF&%FE") == ["b", "\ufffd"]
    assert broken_parameters("a=ü".encode()) == []


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "identity, gzip", "x"])
def test_a_compressed_body_is_415_and_says_what_is_taken(shop, coding):
    headers = [("Content-Type", "application/json"), ("Content-Encoding", coding)]
    host = {"Host": "shop.example"}
    for path in ("/web/write", "/web/_batch", "/auth/backchannel-logout"):
        reply = shop.app.test_client().post(
            path, data=gzip.compress(b"{}"), headers=[*host.items(), *headers]
        )
        if reply.status_code != 404:
            assert (reply.status_code, reply.headers.get("Accept-Encoding")) == (415, "identity"), (
                path
            )
            assert reply.json["detail"] == "the body must not be compressed"
    assert sent(shop) == []


@pytest.mark.parametrize("coding", ["identity", "", "Identity"])
def test_a_body_that_is_not_compressed_is_read(shop, coding):
    headers = {"Host": "shop.example", "Content-Encoding": coding}
    assert shop.app.test_client().post("/web/write", json={}, headers=headers).status_code == 200
