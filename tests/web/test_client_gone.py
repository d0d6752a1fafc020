"""Whether a client is still there, by the socket that gunicorn hands on."""

import socket

import pytest

from bff.web.client_gone import gone_of


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_who_waits_is_there(pair):
    gone = gone_of({"gunicorn.socket": pair[0]})
    assert not gone()
    assert not gone()


def test_who_has_closed_is_gone(pair):
    gone = gone_of({"gunicorn.socket": pair[0]})
    pair[1].close()
    assert gone()


def test_the_next_request_on_the_connection_is_left_where_it_is(pair):
    gone = gone_of({"gunicorn.socket": pair[0]})
    pair[1].sendall(b"GET /next")
    assert not gone()
    assert pair[0].recv(100) == b"GET /next"


def test_a_socket_that_is_closed_here_has_nobody(pair):
    gone = gone_of({"gunicorn.socket": pair[0]})
    pair[0].close()
    assert gone()


@pytest.mark.parametrize("environ", [{}, {"gunicorn.socket": None}, {"gunicorn.socket": "other"}])
def test_other_servers_do_not_say(environ):
    assert gone_of(environ) is None
