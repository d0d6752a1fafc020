"""Requests to a provider over real sockets: bounded in time and size, and told of in our words."""

import threading
from contextlib import ExitStack
from time import monotonic

import pytest

from bff.auth.oidc.http import Http, _await
from bff.errors import ProviderAway
from bff.model.exchange import Deadline, Reply
from bff.model.service import Tls
from bff.store.lock import LockLost
from bff.upstream.exchange import Completion
from tests.ports import free_port
from tests.upstream.conftest import Server

HEAD = b"HTTP/1.1 200 OK\r\n"
PATIENCE = 10


@pytest.fixture
def opened():
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def serving(opened):
    """Start a server: `serving(lambda wire: ...)`."""

    def start(serve):
        server = Server(serve)
        opened.callback(server.close)
        return server

    return start


@pytest.fixture
def http(opened):
    made = Http()
    opened.callback(made.close)
    return made


def answering(**reply):
    def serve(wire):
        while wire.head():
            wire.reply(**reply)

    return serve


def test_a_reply_is_whole_whatever_its_status(http, serving):
    server = serving(answering(body=b"no", status="418 Teapot", headers=[b"X-Y: z"]))
    reply = http.ask("GET", f"{server.url}/a?b=c", timeout=PATIENCE)
    assert (reply.status, reply.body, reply.header("x-y")) == (418, b"no", "z")


def test_a_form_is_sent_as_one(http, serving):
    seen = []

    def serve(wire):
        head = wire.head()
        while b"b=%26" not in wire.buffer:
            wire.buffer += wire.sock.recv(100)
        seen.append((head, wire.buffer))
        wire.reply()

    http.post(f"{serving(serve).url}/token", {"a": "x y", "b": "&"}, timeout=PATIENCE)
    head, body = seen[0]
    assert head.startswith(b"POST /token HTTP/1.1\r\n")
    assert b"content-type: application/x-www-form-urlencoded" in head.lower()
    assert b"accept: application/json" in head.lower()
    assert body == b"a=x+y&b=%26"


def test_a_connection_is_used_again(http, serving):
    server = serving(answering())
    for _ in range(3):
        http.get(f"{server.url}/x", timeout=PATIENCE)
    assert len(server.connections) == 1


def test_one_may_be_made_before_a_fork():
    before = threading.active_count()
    made = Http()
    assert threading.active_count() == before
    assert not made._pools


@pytest.mark.parametrize("moment", ["headers", "body", "nothing"])
def test_a_provider_that_trickles_is_waited_for_no_longer_than_was_said(http, serving, moment):
    left = threading.Event()

    def serve(wire):
        wire.head()
        if moment == "body":
            wire.send(HEAD + b"Content-Length: 1000\r\n\r\n")
        else:
            wire.send(HEAD)
        while moment != "nothing" and not left.wait(0.02):
            wire.send(b"X" if moment == "body" else b"X-A: b\r\n")
        left.wait(PATIENCE)

    server = serving(serve)
    began = monotonic()
    with pytest.raises(ProviderAway, match="did not answer in time"):
        http.ask("POST", f"{server.url}/token", timeout=0.3)
    took = monotonic() - began
    left.set()
    assert 0.25 < took < 2.0


def test_a_provider_that_nobody_listens_at_is_away_at_once(http):
    port = free_port()
    with pytest.raises(ProviderAway, match="cannot be asked"):
        http.get(f"http://127.0.0.1:{port}/x", timeout=PATIENCE)


def test_more_than_a_megabyte_is_no_reply(http, serving):
    server = serving(answering(body=b"x" * (1024 * 1024 + 1)))
    with pytest.raises(ProviderAway, match="cannot be asked"):
        http.ask("GET", f"{server.url}/keys", timeout=PATIENCE)


def test_a_redirect_is_not_followed(http, serving):
    elsewhere = serving(answering())
    location = f"Location: {elsewhere.url}/".encode()
    server = serving(answering(status="302 Found", headers=[location]))
    with pytest.raises(ProviderAway, match="answered 302"):
        http.get(f"{server.url}/keys", timeout=PATIENCE)
    assert not elsewhere.connections


@pytest.mark.parametrize("status", ["201 Created", "204 No Content", "404 Not Found"])
def test_a_document_comes_with_status_200_alone(http, serving, status):
    server = serving(answering(body=b"", status=status))
    with pytest.raises(ProviderAway, match=f"answered {status[:3]}"):
        http.get(f"{server.url}/keys", timeout=PATIENCE)


def test_what_fails_is_told_without_query_body_or_the_words_of_the_provider(http, serving):
    server = serving(lambda wire: (wire.head(), wire.send(b"HTTP/1.1 S3CRET nonsense\r\n\r\n")))
    with pytest.raises(ProviderAway) as away:
        http.ask("POST", f"{server.url}/token?S3CRET=1", body=b"S3CRET", timeout=PATIENCE)
    assert str(away.value) == f"{server.url}/token cannot be asked: RemoteProtocolError"
    assert away.value.__cause__ is None
    assert away.value.__context__ is None


@pytest.mark.parametrize(
    "url",
    ["", "/token", "ftp://op.example/", "https://", "https://a@b/", "https://x:y/", "https://[x/"],
)
def test_an_address_that_is_none_is_a_provider_away(http, url):
    with pytest.raises(ProviderAway, match="is not a valid URL"):
        http.get(url, timeout=PATIENCE)


def test_certificates_that_cannot_be_used_are_a_provider_away(opened, tmp_path):
    http = Http(Tls(ca=str(tmp_path / "S3CRET.pem")))
    opened.callback(http.close)
    with pytest.raises(ProviderAway, match="certificates"):
        http.get("https://127.0.0.1:9/x", timeout=PATIENCE)


def test_meanwhile_is_called_about_once_a_second_while_an_answer_is_waited_for():
    answer, waits, called = Reply(200, (), b""), [], []

    class Mailbox:
        def get(self, timeout):
            waits.append(timeout)
            return Completion(1, answer) if len(waits) > 3 else None

    deadline = Deadline(monotonic() + PATIENCE)
    assert _await(Mailbox(), deadline, lambda: called.append(1)) is answer
    assert len(called) == 3
    assert waits == [1.0] * 4


def test_what_meanwhile_raises_ends_the_request(http, serving):
    gone = threading.Event()

    def serve(wire):
        wire.head()
        wire.until_left()
        gone.set()

    def meanwhile():
        raise LockLost

    server = serving(serve)
    with pytest.raises(LockLost):
        http.ask("GET", server.url, timeout=6 * PATIENCE, meanwhile=meanwhile)
    assert gone.wait(PATIENCE)


def test_one_who_waits_in_line_waits_no_longer_than_was_said(http, serving):
    release, away = threading.Event(), []

    def serve(wire):
        wire.head()
        release.wait(PATIENCE)

    server = serving(serve)

    def ask():
        try:
            http.get(f"{server.url}/x", timeout=0.4)
        except ProviderAway as error:
            away.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(24)]  # there are 16 places
    began = monotonic()
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE)
    took = monotonic() - began
    release.set()
    assert len(away) == 24
    assert took < 3.0
