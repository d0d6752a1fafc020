"""The pool: what one request leaves behind never shows in another."""

import logging
import threading
from time import monotonic

import httpx
import pytest
import respx

from bff.errors import BffError, Unreachable
from bff.model.exchange import Reply
from bff.upstream.sockets.connection import Connection
from bff.upstream.sockets.polled_mailbox import PolledMailbox


def is_open(idle):
    return idle.is_reusable() if isinstance(idle, Connection) else not idle.has_expired()


@pytest.fixture
def ends():
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def heads():
    return []


@pytest.fixture
def echo(serving, heads):
    """Answers everything, on kept-alive connections, and tries to leave a cookie."""

    def serve(wire):
        while head := wire.head():
            heads.append(head)
            status, more = "200 OK", [b"Set-Cookie: who=ada; Path=/", b"Set-Cookie: b=c"]
            if b" /redirect" in head:
                status, more = "302 Found", [b"Location: /elsewhere"]
            if b" /alien" in head:
                status, more = "301 Moved", [b"Location: http://192.0.2.1/"]
            if b" /auth" in head:
                status, more = "401 Unauthorized", [b'WWW-Authenticate: Basic realm="x"']
            wire.reply(headers=more, status=status)

    return serving(serve)


def test_a_cookie_of_one_reply_is_never_sent_with_another_request(echo, asking, heads):
    made = asking(s=echo.url)
    replies = [made.ask(f"/{number}") for number in range(5)]
    assert all(("set-cookie", "who=ada; Path=/") in reply.headers for reply in replies)
    assert len(heads) == 5
    assert not [head for head in heads if b"cookie" in head.lower()]


def test_connections_are_kept(echo, asking):
    made = asking(s=echo.url)
    for number in range(20):
        made.ask(f"/{number}")
    assert len(echo.connections) == 1


@pytest.mark.parametrize(
    ("target", "status"), [("/redirect", 302), ("/alien", 301), ("/auth", 401)]
)
def test_redirects_and_challenges_are_replies_like_any_other(echo, asking, heads, target, status):
    reply = asking(s=echo.url).ask(target)
    assert reply.status == status
    assert len(heads) == 1


def test_proxies_and_netrc_of_the_environment_are_not_used(
    echo, asking, heads, monkeypatch, tmp_path
):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password secret\n")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ada password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert asking(s=echo.url, t="https://h").ask("/").status == 200
    assert b"authorization" not in heads[0].lower()
    assert heads[0].startswith(b"GET / ")


def test_the_password_of_an_address_is_no_header(echo, asking, heads):
    asking(s=echo.url.replace("http://", "http://ada:secret@")).ask("/")
    assert not [head for head in heads if b"authorization" in head.lower()]


def test_a_connection_that_the_service_closed_is_replaced(serving, asking, until):
    served = []

    def serve(wire):
        wire.head()
        wire.reply()
        served.append(1)

    server = serving(serve)
    made = asking(s=server.url)
    for number in range(1, 6):
        assert isinstance(made.ask("/"), Reply)
        until(lambda number=number: len(served) == number)
        server.connections[-1].close()
        (idle,) = made.idle(server.url)
        until(lambda idle=idle: not is_open(idle))  # the close has come through
    assert len(server.connections) == 5


def test_unready_says_when_requests_wait_for_threads(serving, asking, ends, until):
    hung = serving(lambda _: ends.wait()).url
    made = asking(s=hung, t=hung, size=2)
    assert made.exchange.unready() == ""
    for _ in range(8):
        made.start("/")
    until(lambda: "wait for a thread" in made.exchange.unready())


def test_no_thread_starts_before_the_first_request(asking):
    before = set(threading.enumerate())
    asking(s="http://127.0.0.1:1", t="https://127.0.0.1:1")
    assert not [each for each in set(threading.enumerate()) - before if "bff-" in each.name]


def test_close_ends_the_threads(echo, asking, until):
    before = set(threading.enumerate())
    made = asking(s=echo.url)
    made.ask("/")
    made.exchange.close()
    until(lambda: not [t for t in set(threading.enumerate()) - before if "bff-" in t.name])


def test_respx_sees_the_requests(asking_over):
    made = asking_over(None, s="http://users.invalid:8000/base")
    with respx.mock(base_url="http://users.invalid:8000") as router:
        route = router.get("/base/users/7", params={"a": "1"}).respond(json={"id": 7})
        reply = made.ask("/users/7?a=1", headers=(("x-a", "b"),))
    assert route.called
    assert route.calls.last.request.headers["x-a"] == "b"
    assert (reply.status, reply.body) == (200, b'{"id":7}')


def test_a_mocked_failure_of_respx_is_an_error_of_ours(asking_over):
    made = asking_over(None, s="http://users.invalid:8000")
    with respx.mock as router:
        router.get("http://users.invalid:8000/").mock(side_effect=httpx.ConnectError("refused"))
        assert isinstance(made.ask("/"), Unreachable)


def test_nothing_is_logged_by_httpx(echo, asking, caplog):
    caplog.set_level(logging.INFO)
    made = asking(s=echo.url, down="http://127.0.0.1:1")
    made.ask("/secret?token=SECRET")
    assert isinstance(made.ask("/secret", service="down"), BffError)
    assert caplog.records == []


def test_a_thread_that_cannot_start_costs_no_request_its_answer(echo, asking, monkeypatch):
    made = asking(s=echo.url, size=2)
    start = threading.Thread.start

    def refuse(thread):
        if "bff-upstream" in thread.name:
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        alone = isinstance(made.mailbox, PolledMailbox)  # the thread that asks does it all itself
        for _ in range(5):
            assert isinstance(made.ask("/"), Reply if alone else Unreachable)
    for _ in range(5):
        assert isinstance(made.ask("/"), Reply)


# -- a kept connection that is closed just as it is used ------------------------------------------


def closing_after(requests, heads):
    """Serve so many requests on each connection; close it when the next one arrives."""

    def serve(wire):
        for _ in range(requests):
            head = wire.head()
            if not head:
                return
            heads.append(head)
            wire.reply(b'"fine"')
        wire.head()

    return serve


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_what_may_be_repeated_is_sent_on_a_fresh_connection(serving, asking, heads, method):
    server = serving(closing_after(1, heads))
    made = asking(s=server.url)
    for _ in range(4):
        made.start("/", method=method)
        made.next()
    results = [made.ask("/", method=method) for _ in range(4)]
    assert all(isinstance(each, Reply) for each in results)
    assert len(heads) == 8, "each was served once"


def test_what_may_have_been_done_is_not(serving, asking, heads):
    made = asking(s=serving(closing_after(1, heads)).url)
    assert isinstance(made.ask("/", method="POST"), Reply)
    failed = made.ask("/", method="POST")
    assert isinstance(failed, Unreachable)
    assert failed.before == "reset"


def test_a_fresh_connection_that_is_closed_is_a_failure(serving, asking, heads):
    server = serving(closing_after(0, heads))
    failed = asking(s=server.url).ask("/")
    assert isinstance(failed, Unreachable)
    assert failed.before == "reset"
    assert len(server.connections) == 1


@pytest.mark.parametrize(
    ("sent", "before"), [(b"", "reset"), (b"HTTP/1.1 200 OK\r\nContent-Le", ""), (None, "connect")]
)
def test_an_error_knows_how_far_it_came(serving, asking, sent, before):
    def serve(wire):
        wire.head()
        wire.send(sent)

    url = "http://127.0.0.1:1" if sent is None else serving(serve).url
    failed = asking(s=url).ask("/")
    assert isinstance(failed, Unreachable)
    assert failed.before == before


def test_a_connection_is_used_no_longer_than_declared(echo, asking, heads):
    made = asking(s=echo.url, renew=0.2)
    before, began = len(echo.connections), monotonic()
    while monotonic() - began < 0.7:
        made.ask("/")
    assert 3 <= len(echo.connections) - before <= 5
    assert len(heads) > 10
