"""Long work shows how far it is, on a terminal, and once it takes long."""

import io
import sys

from bff.cli.progress import bar
from bff.dev.recordings.archive import Archive
from bff.dev.recordings.replay_cursor import replay_cursors
from bff.dev.recordings.waterfall import together
from bff.dev.rules import RedactionRules
from tests.dev.sample_exchanges import exchanged


class Terminal(io.StringIO):
    def isatty(self):
        return True


def on(monkeypatch, stream):
    """Have stderr be a stream, in the test itself: pytest puts its own there before each."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    return stream


def ticks(each):
    """A clock on which each look takes so many seconds."""
    now = iter(range(1000))
    return lambda: next(now) * each


def test_long_work_shows_a_bar_that_is_gone_at_its_end(monkeypatch):
    terminal = on(monkeypatch, Terminal())
    assert list(bar(range(30), "reading orders.har", 30, ticks(0.2))) == list(range(30))
    shown = terminal.getvalue()
    assert "reading orders.har" in shown
    assert "100%" not in shown.splitlines()[0]
    assert shown.endswith("\x1b[2K"), "the last line is cleared"


def test_short_work_shows_none(monkeypatch):
    terminal = on(monkeypatch, Terminal())
    assert list(bar(range(30), "reading", 30, ticks(0.001))) == list(range(30))
    assert terminal.getvalue() == ""


def test_where_nobody_looks_there_is_none(monkeypatch):
    nowhere = on(monkeypatch, io.StringIO())
    assert list(bar(range(30), "reading", 30, ticks(1))) == list(range(30))
    assert nowhere.getvalue() == ""


def test_whoever_gives_up_in_the_middle_leaves_no_bar(monkeypatch):
    terminal = on(monkeypatch, Terminal())
    work = bar(range(30), "reading", 30, ticks(1))
    assert [next(work) for _ in range(5)] == [0, 1, 2, 3, 4]
    work.close()
    assert terminal.getvalue().endswith("\x1b[2K")


def test_all_that_takes_long_is_watched(tmp_path):
    seen = []

    def watch(things, what, total):
        things = list(things)
        assert len(things) == total
        seen.append((what, total))
        return things

    made = [exchanged("orders", f"/{n}", b"1", after=n, visit=str(n)) for n in range(3)]
    Archive(tmp_path, b"a key", "all").save(made, RedactionRules(), watch)
    replay_cursors(tmp_path, watch=watch)
    together(tmp_path, watch)
    assert seen == [
        ("looking for secrets", 3),
        ("taking out secrets", 3),
        ("looking for what is left of them", 3),
        ("reading orders.har", 3),
        ("reading orders.har", 3),
        ("putting together", 3),
    ]
