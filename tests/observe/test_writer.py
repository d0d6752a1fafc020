import io
import logging
import subprocess
import sys
import threading

from bff.observe.writer import Writer


def log_of(handler):
    logger = logging.Logger("test")  # noqa: LOG001 - one that nobody else has
    logger.addHandler(handler)
    return logger


class Slow(io.StringIO):
    """A stream that takes nothing until it is let."""

    def __init__(self):
        super().__init__()
        self.let = threading.Event()

    def write(self, text):
        self.let.wait(10)
        return super().write(text)


def test_lines_are_written_in_order_and_nobody_waits_for_the_stream():
    stream = Slow()
    writer = Writer(stream)
    log = log_of(writer)
    for number in range(1000):
        log.info("%s", number)
    assert stream.getvalue() == ""
    stream.let.set()
    writer.flush()
    assert stream.getvalue().split() == [str(number) for number in range(1000)]


def test_where_the_stream_takes_nothing_lines_are_dropped_and_counted():
    stream = Slow()
    writer = Writer(stream)
    log = log_of(writer)
    for number in range(12_000):
        log.info("%s", number)
    stream.let.set()
    writer.flush()
    log.info("after")
    writer.flush()
    lines = stream.getvalue().split()
    dropped = [each for each in lines if "dropped" in each]
    assert len(dropped) == 1
    assert lines[-1] == "after"
    assert 10_000 <= len(lines) < 12_000


def test_a_stream_that_is_gone_is_no_error():
    stream = io.StringIO()
    stream.close()
    writer = Writer(stream)
    log_of(writer).info("x")
    writer.flush()


def test_a_process_that_ends_writes_all_it_has_to_say_and_so_does_its_fork():
    script = """
import logging, os, sys
from bff.observe.writer import Writer
log = logging.getLogger("x")
log.addHandler(Writer(sys.stderr))
log.warning("before")
log.handlers[0].flush()
child = os.fork()
for number in range(100):
    log.warning("%s %s", "child" if child == 0 else "parent", number)
if child:
    os.waitpid(child, 0)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    lines = done.stderr.split("\n")
    assert lines.count("before") == 1
    for who in ("child", "parent"):
        own = [each for each in lines if each.startswith(who)]
        assert own == [f"{who} {number}" for number in range(100)]
