"""What only the store in a file does."""

import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from time import monotonic

import pytest

from bff.auth.sqlite import SqliteStore
from bff.errors import StoreAway
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
    assert store.put("key", b"2", clock() + LATER), "a new file does, without a restart"


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
