"""What only the store in a file does."""

import multiprocessing
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from time import monotonic

import pytest

from bff.errors import StoreAway
from bff.store.sqlite import SqliteStore
from tests.auth.away import uses
from tests.small_disk import fill

LATER = 100.0
HOLDS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
sys.stdout.write("held\\n")
sys.stdout.flush()
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "made" / "store.db"


@pytest.fixture
def store(path, clock):
    store = SqliteStore(path, clock)
    yield store
    store.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_but_its_owner_may_read_it(store, path, clock):
    before = os.umask(0o022)
    try:
        store.put("key", b"1", clock() + LATER)
    finally:
        os.umask(before)
    assert mode(path.parent) == 0o700
    assert {mode(each) for each in path.parent.iterdir()} == {0o600}
    assert len(list(path.parent.iterdir())) == 4  # the file, its log, its index, its marks


def test_nothing_is_made_before_it_is_used(store, path):
    assert store
    assert not path.parent.exists()


def test_it_is_still_there_after_a_restart(store, path, clock):
    version = store.put("key", b"1", clock() + LATER)
    store.close()
    again = SqliteStore(path, clock)
    assert again.get("key").version == version
    again.close()


def test_many_may_make_the_file_at_once(path, clock):
    stores = [SqliteStore(path, clock) for _ in range(8)]
    barrier = Barrier(8)

    def create(number):
        barrier.wait(10)
        return stores[number].put(str(number), b"", clock() + LATER)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(create, range(8)))
    assert all(stores[0].get(str(number)) for number in range(8))
    for store in stores:
        store.close()


def test_what_has_expired_is_taken_away_by_later_writes(store, path, clock):
    for number in range(100):
        store.put(str(number), b"x", clock() + 1)
        store.add("group", str(number), clock() + 1)
    clock.advance(2)
    for _ in range(40):
        store.add("other", "member", clock() + LATER)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM entries").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM members").fetchone() == (1,)
    connection.close()


def test_the_file_stops_growing(store, path, clock):
    sizes = []
    for _ in range(3):
        for number in range(200):
            store.put(f"{number} {clock()}", b"x" * 2000, clock() + 50)
            clock.advance(1)
        store.close()  # the last to close empties the log into the file
        sizes.append(path.stat().st_size)
    assert sizes[2] <= sizes[1] <= sizes[0] * 1.1


def test_while_another_process_writes_nobody_waits_for_long_and_reading_goes_on(store, path, clock):
    version = store.put("key", b"1", clock() + LATER)
    command = [sys.executable, "-c", HOLDS, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as holder:  # noqa: S603  (a command of our own)
        assert holder.stdout.readline() == b"held\n"
        began = monotonic()
        with pytest.raises(StoreAway, match="locked"):
            store.put("key", b"2", clock() + LATER, version)
        assert monotonic() - began < 3
        assert store.get("key").value == b"1"
        holder.communicate(b"done\n", timeout=10)
    assert store.put("key", b"2", clock() + LATER, version)
    assert store.unready() == ""


def damage_all(path):
    path.write_bytes(b"this is no database" * 500)


def damage_pages(path):
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [damage_all, damage_pages])
def test_a_damaged_file_is_no_file_without_sessions(store, path, clock, damage):
    store.put("key", b"1", clock() + LATER)
    store.close()
    damage(path)
    for use in (
        lambda: store.get("key"),
        lambda: store.put("key", b"2", clock() + LATER),
        lambda: store.delete("key"),
        lambda: store.members("group"),
    ):
        with pytest.raises(StoreAway, match="damaged"):
            use()
    assert "damaged" in store.unready()
    path.unlink()
    assert "restart" in store.unready()
    again = SqliteStore(path, clock)
    assert again.put("key", b"2", clock() + LATER), "as the message says: stop, remove, start"
    again.close()


def test_a_place_where_no_file_can_be_is_said(tmp_path, clock):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "store.db", tmp_path):
        store = SqliteStore(path, clock)
        with pytest.raises(StoreAway):
            store.get("key")
        assert str(path) in store.unready()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_connection_is_left_alone_by_the_processes_that_inherit_it(store, clock):
    store.put("key", b"1", clock() + LATER)
    (inherited,) = store._idle

    def use():
        with store._connection() as connection:
            assert connection is not inherited
            assert inherited.total_changes == 1, "it was not closed either"

    child = multiprocessing.get_context("fork").Process(target=use)
    child.start()
    child.join(10)
    assert child.exitcode == 0
    assert list(store._idle) == [inherited]


def test_an_error_of_the_caller_is_no_error_of_the_store(store, clock):
    store.put("key", b"1", clock() + LATER)

    def half():
        with store._connection() as connection:
            connection.execute("BEGIN")
            connection.execute("DELETE FROM entries")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert store.get("key").value == b"1", "what had been begun is undone"
    assert store.put("other", b"2", clock() + LATER)


@pytest.mark.parametrize("name", ["get", "miss"])
def test_reading_takes_no_time_worth_speaking_of(store, clock, name):
    store.put("get", b"x" * 2000, clock() + LATER)
    rounds = []
    for _ in range(20):
        began = monotonic()
        for _ in range(50):
            store.get(name)
        rounds.append((monotonic() - began) / 50)
    assert min(rounds) < 100e-6  # 5 µs were measured; others use the machine too


def test_an_entry_that_is_in_use_stays_remembered_whatever_else_is_read(path, clock, monkeypatch):
    monkeypatch.setattr("bff.store.sqlite._MAX_CACHED", 3)
    monkeypatch.setattr("bff.store.sqlite.monotonic", lambda: 0.0)
    store, opened = SqliteStore(path, clock), []
    for key in ("used", *"abcdef"):
        store.put(key, b"1", clock() + LATER)
    connection = store._connection
    monkeypatch.setattr(store, "_connection", lambda: opened.append(1) or connection())
    for key in "abcdef":
        store.get(key)
        store.get("used")
    store.close()
    assert len(opened) == len("abcdef") + 1  # each of them once, and the one in use once


# A file that is deleted or replaced while it is in use


def deleted(path):
    path.unlink()


def deleted_with_its_folder(path):
    shutil.rmtree(path.parent)


def moved(path):
    path.rename(path.with_name("elsewhere.db"))


def replaced(path):
    """By a copy of it, such as a backup: a sign-out since then would be undone."""
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    copy.rename(path)


def deleted_and_made_anew(path):
    path.unlink()
    shutil.copy(__file__, path)


def is_away(store):
    try:
        store.get("key")
    except StoreAway:
        return True
    return False


AMISS = [deleted, deleted_with_its_folder, moved, replaced, deleted_and_made_anew]


@pytest.mark.parametrize("amiss", AMISS)
def test_a_file_that_is_not_the_one_it_was_is_away_for_good(store, path, clock, amiss, until):
    store.put("key", b"1", clock() + LATER)
    store.add("group", "member", clock() + LATER)
    assert store.get("key"), "it is remembered, too"
    amiss(path)
    until(lambda: is_away(store))
    for use in uses(store, clock):
        with pytest.raises(
            StoreAway, match=r"while in use: restart bff; all users have to sign in again"
        ):
            use()
    assert str(path) in store.unready()
    assert not path.parent.exists() or not list(path.parent.glob("new-*")), "none is made anew"


@pytest.mark.parametrize("amiss", AMISS)
def test_a_process_that_starts_later_does_not_begin_with_another_file(path, clock, amiss):
    """gunicorn's master remembers the file: a worker takes the place of one that has ended."""
    first = SqliteStore(path, clock)
    first.remember()
    first.put("key", b"1", clock() + LATER)
    amiss(path)
    later = SqliteStore(path, clock)
    for use in uses(later, clock):
        with pytest.raises(StoreAway, match="restart bff"):
            use()
    first.close()


def test_a_file_that_is_put_back_is_used_again(store, path, clock):
    store.put("key", b"1", clock() + LATER)
    moved(path)
    assert store.unready()
    path.with_name("elsewhere.db").rename(path)
    assert store.unready() == ""
    assert store.get("key").value == b"1"


def test_a_file_that_others_make_at_the_same_time_is_the_same_for_all(path, clock):
    stores = [SqliteStore(path, clock) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda each: each.put(str(id(each)), b"", clock() + LATER), stores))
    assert [each.unready() for each in stores] == [""] * 4
    for each in stores:
        each.close()


def test_the_log_of_a_file_that_was_removed_is_not_read_into_a_new_one(path, clock):
    """Killed, removed, started: SQLite would take the old log for the new file's."""
    old = SqliteStore(path, clock)
    old.put("key", b"1", clock() + LATER)
    log = path.with_name(f"{path.name}-wal").read_bytes()
    assert log
    old.close()
    path.unlink()
    path.with_name(f"{path.name}-wal").write_bytes(log)
    new = SqliteStore(path, clock)
    assert new.get("key") is None
    assert new.put("other", b"2", clock() + LATER)
    assert new.unready() == ""
    new.close()


@pytest.mark.parametrize("amiss", [deleted, replaced, moved])
def test_marks_that_were_deleted_are_made_anew_by_all(store, path, clock, amiss, until):
    """What one process writes, the other sees all the same."""
    other = SqliteStore(path, clock)
    version = store.put("key", b"1", clock() + LATER)
    assert other.get("key").value == b"1"
    amiss(path.with_name(f"{path.name}-marks"))
    assert store.put("key", b"2", clock() + LATER, version)
    until(lambda: other.get("key").value == b"2")
    assert store.delete("key")
    assert other.get("key") is None
    other.close()


def test_marks_that_were_replaced_before_anything_was_written_vouch_for_nothing(store, path, clock):
    """A mark that was never changed is the same in every file."""
    other = SqliteStore(path, clock)
    version = store.put("key", b"1", clock() + LATER)
    marks = path.with_name(f"{path.name}-marks")
    fresh = marks.read_bytes()
    assert other.get("key").value == b"1"
    assert store.put("key", b"2", clock() + LATER, version)
    marks.unlink()
    marks.write_bytes(fresh)
    other._check_at = 0.0
    assert other.get("key").value == b"2"
    other.close()


@pytest.mark.large
def test_a_full_disk_is_not_ready(small_disk, clock):
    folder = small_disk(256)
    store = SqliteStore(folder / "store.db", clock)
    assert store.unready() == ""
    fill(folder)
    with pytest.raises(StoreAway, match="full"):
        store.put("large", bytes(100_000), clock() + LATER)
    assert "full" in store.unready()
    (folder / "filler").unlink()
    assert store.unready() == ""


@pytest.mark.large
def test_a_disk_that_is_read_only_is_not_ready(tmp_path, read_only, clock):
    folder = tmp_path / "state"
    folder.mkdir()
    store = SqliteStore(folder / "store.db", clock)
    assert store.put("key", b"1", clock() + LATER)
    shown = read_only(folder)
    assert str(shown) in SqliteStore(shown / "store.db", clock).unready()
    assert store.unready() == ""
