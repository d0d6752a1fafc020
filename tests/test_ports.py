"""Ports of tests: each is given out once, whoever asks."""

import socket
import subprocess
import sys

from tests import ports

ANOTHER = """
import sys
from tests import ports
ports._FIRST, ports._LAST = map(int, sys.argv[1:])
try:
    print(ports.free_port())
except AssertionError as error:
    print(error)
"""


def asked_elsewhere(first: int, last: int) -> str:
    """What another process is given of these ports."""
    command = [sys.executable, "-c", ANOTHER, str(first), str(last)]
    return subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_port_is_given_out_once_and_to_no_other_process():
    port = ports.free_port()
    assert asked_elsewhere(port, port) == f"no port is free from {port} to {port}"


def test_a_port_that_is_listened_on_is_not_given_out():
    port = ports.free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert not ports._reserve(port)


def test_a_port_is_free_again_when_the_process_has_ended():
    port = ports._LAST + 1  # nobody else is given this one
    assert asked_elsewhere(port, port) == str(port)
    assert asked_elsewhere(port, port) == str(port)
