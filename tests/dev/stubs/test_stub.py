"""Stub services over real sockets: replies, faults, states and the control API."""

import json
import socket
import threading
import time
from http.client import HTTPConnection

import httpx
import pytest

from bff.dev.stubs.http import render_head
from bff.dev.stubs.stub import StubReply, StubRequest, StubServices

HOLD = 20.0


def echo(request: StubRequest) -> StubReply:
    asked = {"method": request.method, "target": request.target, "body": request.body.decode()}
    return StubReply.json(asked, headers=[("X-Echo", "yes")])


@pytest.fixture
def serve():
    started = []

    def start(answer=echo, **options):
        services = StubServices({"users": answer}, **options)
        services.start()
        started.append(services)
        return services

    yield start
    for services in started:
        services.stop()
    left = [each for each in threading.enumerate() if each.name.startswith("stub ")]
    for each in left:  # one that took its own service down could not wait for itself
        each.join(5)
    assert not [each.name for each in left if each.is_alive()]


@pytest.fixture
def client():
    with httpx.Client(timeout=HOLD, trust_env=False) as made:
        yield made


def until(true, what):
    end = time.monotonic() + HOLD
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.002)


def raw(services, text):
    sock = socket.create_connection(("127.0.0.1", services.ports["users"]), timeout=HOLD)
    sock.sendall(text)
    return sock


def test_a_request_arrives_as_it_was_sent(serve, client):
    services = serve(keep=True)
    reply = client.post(services.urls["users"] + "/a%2Fb?x=1&x=2", json=[1], headers={"X-A": "b"})
    assert reply.status_code == 200
    assert reply.headers["x-echo"] == "yes"
    assert reply.json() == {"method": "POST", "target": "/a%2Fb?x=1&x=2", "body": "[1]"}
    (request,) = services.requests("users")
    assert (request.service, request.path, request.query) == ("users", "/a%2Fb", "x=1&x=2")
    assert (request.header("x-a"), request.header("x-b"), request.json()) == ("b", None, [1])
    services.forget()
    assert services.requests() == []


def test_nothing_is_kept_unless_asked_for(serve, client):
    services = serve()
    client.get(services.urls["users"])
    assert services.requests() == []


def test_a_connection_is_kept_alive_and_quick(serve):
    services = serve()
    connection = HTTPConnection("127.0.0.1", services.ports["users"], timeout=HOLD)
    connection.connect()
    local = connection.sock.getsockname()
    began = time.monotonic()
    for number in range(300):
        connection.request("GET", f"/{number}")
        assert json.load(connection.getresponse())["target"] == f"/{number}"
    assert connection.sock.getsockname() == local
    connection.close()
    assert time.monotonic() - began < 3, "40 ms a request would be Nagle's algorithm"


def test_chunked_requests_pipelines_and_continue(serve):
    services = serve()
    chunked = (
        b"POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n"
    )
    waiting = b"PUT /2 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nde"
    absolute = b"GET http://users:80/3?q=1 HTTP/1.0\r\n\r\n"
    with raw(services, chunked + waiting + absolute) as sock, sock.makefile("rb") as stream:
        text = stream.read().decode()
    assert '"body":"abc"' in text
    assert "100 Continue" in text
    assert '"body":"de"' in text
    assert '"target":"http://users:80/3?q=1"' in text
    assert "Connection: close" in text


@pytest.mark.parametrize(
    "text",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"GET /" + b"a" * 70_000,
    ],
)
def test_what_is_not_http_gets_400_and_the_door(serve, text):
    with raw(serve(), text) as sock:
        assert sock.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_head_and_204_have_no_body(serve, client):
    services = serve(lambda request: StubReply(204 if request.path == "/none" else 200, [], b"ab"))
    assert client.head(services.urls["users"]).headers["content-length"] == "2"
    assert client.get(services.urls["users"] + "/none").content == b""
    assert client.get(services.urls["users"]).content == b"ab"


def test_the_replys_own_framing_is_sent_as_it_is(serve, client):
    framed = [("Transfer-Encoding", "chunked")]
    services = serve(lambda _: StubReply(200, framed, b"1\r\na\r\n0\r\n\r\n"))
    assert client.get(services.urls["users"]).text == "a"


def test_an_answerer_that_raises_is_a_500_that_says_so(serve, client, capfd):
    services = serve(lambda request: StubReply.json(request.json()))
    reply = client.get(services.urls["users"])
    assert reply.status_code == 500
    assert "JSONDecodeError" in reply.json()["detail"]
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("reset", httpx.ReadError),
        ("empty", httpx.RemoteProtocolError),
        ("truncated", httpx.RemoteProtocolError),
    ],
)
def test_faults_that_end(serve, client, fault, error):
    services = serve(lambda _: StubReply(200, [], b"0123456789", fault=fault))
    with pytest.raises(error):
        client.get(services.urls["users"])


@pytest.mark.parametrize("fault", ["dribble_headers", "dribble_body"])
def test_dribbles_go_on_until_stopped(serve, fault):
    services = serve(lambda _: StubReply(200, [("A", "b")], b"xyz", fault=fault))
    with raw(services, b"GET / HTTP/1.1\r\n\r\n") as sock:
        got = bytearray()
        while len(got) < 60 or got.count(b"a") + got.count(b" ") < 3:
            got += sock.recv(1)
        services.stop()
        while sock.recv(4096):
            pass
    assert got.startswith(b"HTTP/1.1 200 OK\r\nA: b\r\n")
    assert (b"\r\n\r\n" in got) is (fault == "dribble_body")


def test_hang_ends_when_the_client_leaves(serve):
    services = serve(lambda _: StubReply(fault="hang"))
    before = threading.active_count()
    with raw(services, b"GET / HTTP/1.1\r\n\r\n"):
        until(lambda: threading.active_count() == before + 1, "a thread for the connection")
    until(lambda: threading.active_count() == before, "the thread to end")


@pytest.mark.parametrize("reply", [StubReply(delay=60), StubReply(fault="hang")])
def test_stop_does_not_wait_for_replies(serve, reply):
    services = serve(lambda _: reply, keep=True)
    with raw(services, b"GET / HTTP/1.1\r\n\r\n") as sock:
        until(services.requests, "the request to arrive")
        began = time.monotonic()
        services.stop()
        assert time.monotonic() - began < 2
        assert sock.recv(100) == b""


def test_latency_is_added(serve, client):
    services = serve()
    services.set("users", latency=0.05)
    began = time.monotonic()
    client.get(services.urls["users"])
    assert time.monotonic() - began >= 0.05


def test_failing_answers_503_and_recovers(serve, client):
    services = serve()
    services.set("users", state="failing")
    reply = client.get(services.urls["users"])
    assert (reply.status_code, reply.headers["content-type"]) == (503, "application/problem+json")
    services.set("users", state="up")
    assert client.get(services.urls["users"]).status_code == 200


def test_down_refuses_connects_cuts_connections_and_comes_back(serve, client):
    services = serve()
    port = services.ports["users"]
    with raw(services, b"GET / HTTP/1.1\r\n\r\n") as sock:
        assert sock.recv(4096)
        assert services.set("users", state="down")["state"] == "down"
        assert sock.recv(4096) == b""
    with pytest.raises(httpx.ConnectError):
        client.get(services.urls["users"])
    services.set("users", state="up")
    assert services.ports["users"] == port
    assert client.get(services.urls["users"]).status_code == 200


def test_an_answerer_may_take_its_own_service_down(serve, client):
    def answer(_):
        services.set("users", state="down")
        return StubReply()

    services = serve(answer)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(services.urls["users"])
    assert services.state()["users"]["state"] == "down"


def test_a_taken_port_is_named_and_nothing_is_left_open(serve):
    taken = serve().ports["users"]
    services = StubServices({"first": echo, "second": echo}, {"second": taken})
    with pytest.raises(OSError, match=f"port {taken} for second"):
        services.start()
    with pytest.raises(ValueError, match="ghost"):
        StubServices({"users": echo}, {"ghost": 1})


def test_the_control_api_shows_and_changes_states(serve, client):
    services = serve(control_port=0)
    port = services.ports["users"]
    users = f"{services.control_url}/services/users"
    up = {"state": "up", "latency_ms": 0.0, "fault": None, "port": port}
    assert client.get(f"{services.control_url}/services").json() == {"users": up}
    changed = client.put(users, json={"latency_ms": 20, "state": "failing"}).json()
    assert changed == client.get(users).json()
    assert changed == {"state": "failing", "latency_ms": 20.0, "fault": None, "port": port}
    assert client.put(users, json={"state": "down"}).json()["latency_ms"] == 20.0
    assert client.put(users, json={"state": "up", "latency_ms": 0}).json() == up


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/services/users", b"", 400),
        ("PUT", "/services/users", b"{}", 400),
        ("PUT", "/services/users", b'{"state": "sideways"}', 400),
        ("PUT", "/services/users", b'{"state": ["up"]}', 400),
        ("PUT", "/services/users", b'{"latency_ms": -1}', 400),
        ("PUT", "/services/users", b'{"latency_ms": true}', 400),
        ("PUT", "/services/users", b'{"latency": 1}', 400),
        ("PUT", "/services/ghost", b'{"state": "up"}', 404),
        ("PUT", "/services", b"{}", 405),
        ("DELETE", "/services/users", b"", 405),
        ("GET", "/", b"", 404),
    ],
)
def test_the_control_api_refuses(serve, client, method, path, body, status):
    services = serve(control_port=0)
    reply = client.request(method, services.control_url + path, content=body)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert services.state()["users"]["state"] == "up"


def test_the_control_api_is_not_for_web_pages(serve, client):
    services = serve(control_port=0)
    evil = {"Host": "evil.example"}
    assert client.get(services.control_url + "/services", headers=evil).status_code == 403


def test_no_header_makes_another_and_what_latin_1_lacks_is_utf_8():
    headers = [("X-A", "1\r\nX-Injected: 2"), ("X-B", "Łódź"), ("X-\nC", "3")]
    head = render_head(StubReply(headers=headers), keep_alive=True)
    assert head.count(b"\r\n") == 6
    assert b"\r\nX-A: 1 X-Injected: 2\r\n" in head
    assert "X-B: Łódź\r\n".encode() in head
    assert b"\n" not in head.replace(b"\r\n", b"")
