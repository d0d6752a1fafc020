"""Whatever a transport raises ends its attempt with one error of ours, and harms no other."""

import inspect
import socket
import ssl

import httpcore
import httpx
import pytest

from bff.errors import BadReply, BffError, TimedOut, Unreachable, UpstreamError


def exceptions_of(module):
    found = [
        each
        for _, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, Exception) and each.__module__.partition(".")[0] == module.__name__
    ]
    return sorted(set(found), key=lambda each: each.__name__)


def raised(kind):
    """An instance, however its class wants to be made."""
    if issubclass(kind, httpx.HTTPStatusError):
        request = httpx.Request("GET", "http://h")
        return kind("SECRET", request=request, response=httpx.Response(500, request=request))
    if kind in {
        httpx.StreamConsumed,
        httpx.ResponseNotRead,
        httpx.RequestNotRead,
        httpx.StreamClosed,
    }:
        return kind()
    return kind("SECRET")


class Raising(httpx.BaseTransport):
    """Raises once, then answers."""

    def __init__(self, error):
        self._errors = [error]

    def handle_request(self, request):
        if self._errors:
            raise self._errors.pop()
        return httpx.Response(200, json={}, request=request)


class RaisingBody(httpx.BaseTransport):
    """Answers with a body that breaks, once."""

    def __init__(self, error):
        self._errors = [error]

    def handle_request(self, request):
        errors = self._errors

        class Broken(httpx.SyncByteStream):
            def __iter__(self):
                yield b"{"
                if errors:
                    raise errors.pop()
                yield b"}"

        return httpx.Response(200, stream=Broken(), request=request)


class RaisingPool(httpcore.ConnectionPool):
    """httpcore's pool, which raises once."""

    def __init__(self, error):
        super().__init__()
        self._errors = [error]

    def handle_request(self, request):
        del request
        if self._errors:
            raise self._errors.pop()
        return httpcore.Response(200)


def over_httpcore(error):
    transport = httpx.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)
    transport._pool = RaisingPool(error)
    return transport


OTHERS = [
    *(
        OSError("SECRET"),
        ConnectionResetError("SECRET"),
        TimeoutError("SECRET"),
        ValueError("SECRET"),
    ),
    *(RuntimeError("SECRET"), RecursionError("SECRET"), MemoryError("SECRET"), KeyError("SECRET")),
    *(
        ssl.SSLError("SECRET"),
        socket.gaierror(-2, "SECRET"),
        UnicodeError("SECRET"),
        StopIteration(),
    ),
    *(AssertionError(), AttributeError(), EOFError(), BufferError(), TypeError("SECRET")),
]


def comes_to(asking_over, transport):
    """The one completion of a request over `transport`; the next request must succeed."""
    made = asking_over(lambda _: transport, s="http://h", size=1)
    made.start("/")
    completion = made.next(2)
    assert completion.attempt == 1
    made.start("/again")
    assert made.next(2).result.status == 200, "the place was given back"
    assert made.mailbox.get(0) is None, "one completion each"
    return completion.result


def expected(kind):
    if issubclass(kind, httpx.TimeoutException | httpcore.TimeoutException | TimeoutError):
        return TimedOut
    never_sent = (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.InvalidURL)
    never_sent += (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol)
    bad = (httpx.RemoteProtocolError, httpx.DecodingError, httpcore.RemoteProtocolError)
    return BadReply if issubclass(kind, never_sent + bad) else UpstreamError


@pytest.mark.parametrize("make", [Raising, RaisingBody])
@pytest.mark.parametrize("kind", exceptions_of(httpx), ids=lambda kind: kind.__name__)
def test_every_exception_of_httpx_is_one_of_ours(asking_over, make, kind):
    result = comes_to(asking_over, make(raised(kind)))
    assert isinstance(result, expected(kind)), result


@pytest.mark.parametrize("kind", exceptions_of(httpcore), ids=lambda kind: kind.__name__)
def test_every_exception_of_httpcore_is_one_of_ours(asking_over, kind):
    result = comes_to(asking_over, over_httpcore(kind("SECRET")))
    assert isinstance(result, expected(kind)), result


@pytest.mark.parametrize("make", [Raising, RaisingBody])
@pytest.mark.parametrize("error", OTHERS, ids=repr)
def test_whatever_is_raised_becomes_a_completion(asking_over, make, error):
    assert isinstance(comes_to(asking_over, make(error)), UpstreamError)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, BaseException])
def test_even_what_is_no_exception_becomes_a_completion(asking_over, kind):
    # extensions raise such things (a panic in Rust is a BaseException), and a lost completion
    # costs the service a place for as long as the process lives
    assert isinstance(comes_to(asking_over, Raising(kind())), BffError)


def test_nobody_listening_is_unreachable(asking):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        assert isinstance(asking(s=url).ask("/"), Unreachable)


@pytest.mark.parametrize("bytes_sent", [b"", b"HTTP/1.1 200 OK\r\nX-A"])
def test_a_connection_that_breaks_before_the_reply_is_whole(serving, asking, bytes_sent):
    server = serving(lambda wire: wire.head() and wire.send(bytes_sent))
    assert isinstance(asking(s=server.url).ask("/"), UpstreamError)


def test_a_certificate_that_nobody_vouches_for_is_unreachable(serving, asking):
    server = serving(lambda wire: wire.sock.recv(100) and wire.send(b"HTTP/1.1 200 OK\r\n\r\n"))
    result = asking(s=server.url.replace("http:", "https:")).ask("/")
    assert isinstance(result, Unreachable)
