"""What every store does, over a real one of each kind."""

import multiprocessing
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier

import pytest

from bff.store.open import open_store
from bff.store.redis import RedisStore
from bff.store.sqlite import SqliteStore
from tests.store import counting

ROOT = Path(__file__).parents[2]
THREADS = 8
LATER = 100.0


@pytest.fixture
def at_once():
    """What a function gives for each of some threads that begin together."""

    def run(function, count=THREADS):
        barrier = Barrier(count)

        def one(number):
            barrier.wait(10)
            return function(number)

        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(one, range(count)))

    return run


@pytest.mark.parametrize("value", [b"value", b"", b"\0\x01\0\xff", b"\r\n$5\r\n", b"x" * 300_000])
def test_what_is_put_is_there_as_it_was(store, clock, value):
    version = store.put("key", value, clock() + LATER)
    entry = store.get("key")
    assert (entry.value, entry.version, entry.expires) == (value, version, clock() + LATER)
    assert type(entry.value) is bytes


@pytest.mark.parametrize("key", ["session:ab", "", "with space\n", "ü☃", "a'b\"c;--", "*?[a]{b}"])
def test_any_text_is_a_key(store, clock, key):
    assert store.put(key, b"1", clock() + LATER)
    assert store.put(f"{key}2", b"2", clock() + LATER)
    assert store.get(key).value == b"1"


def test_of_what_nobody_has_put_there_is_nothing(store):
    assert store.get("key") is None
    assert store.delete("key") is False
    assert store.delete("key", "0123456789abcdef") is False
    assert store.members("group") == []
    store.discard("group", "member")


def test_another_process_sees_it_too(store, store_url, opened, clock):
    version = store.put("key", b"value", clock() + LATER)
    assert opened(store_url, clock).get("key").version == version


def test_a_new_entry_replaces_none(store, clock):
    store.put("key", b"first", clock() + LATER)
    assert store.put("key", b"second", clock() + LATER) == ""
    assert store.get("key").value == b"first"


def test_a_write_replaces_the_version_that_was_read_and_no_other(store, clock):
    first = store.put("key", b"1", clock() + LATER)
    second = store.put("key", b"2", clock() + 2 * LATER, first)
    assert store.put("key", b"3", clock() + LATER, first) == ""
    entry = store.get("key")
    assert (entry.value, entry.version, entry.expires) == (b"2", second, clock() + 2 * LATER)


def test_every_write_makes_a_version_of_its_own(store, clock):
    versions = [store.put("key", b"same", clock() + LATER)]
    for _ in range(20):
        versions.append(store.put("key", b"same", clock() + LATER, versions[-1]))
    store.delete("key")
    versions.append(store.put("key", b"same", clock() + LATER))
    assert len(set(versions)) == 22
    assert all(versions)


def test_what_was_removed_stays_so_whoever_had_read_it(store, clock):
    version = store.put("key", b"1", clock() + LATER)
    assert store.delete("key") is True
    assert store.put("key", b"2", clock() + LATER, version) == ""
    assert store.get("key") is None


@pytest.mark.parametrize("version", ["", "0123456789abcdef", "x", "ü"])
def test_a_version_that_never_was_replaces_and_removes_nothing(store, clock, version):
    assert store.put("key", b"1", clock() + LATER, version) == ""
    assert store.get("key") is None
    store.put("key", b"1", clock() + LATER)
    assert store.put("key", b"2", clock() + LATER, version) == ""
    assert store.delete("key", version) is False
    assert store.get("key").value == b"1"


def test_an_old_version_removes_nothing_and_the_last_one_does(store, clock):
    first = store.put("key", b"1", clock() + LATER)
    second = store.put("key", b"2", clock() + LATER, first)
    assert store.delete("key", first) is False
    assert store.delete("key", second) is True
    assert store.delete("key", second) is False


def test_an_entry_that_has_expired_is_as_good_as_gone(store, clock, until):
    version = store.put("key", b"1", clock() + 0.05)
    until(lambda: store.get("key") is None)
    assert store.put("key", b"2", clock() + LATER, version) == ""
    assert store.delete("key", version) is False
    assert store.delete("key") is False
    assert store.put("key", b"3", clock() + LATER)
    assert store.get("key").value == b"3"


def test_a_write_moves_the_end_of_an_entry_either_way(store, clock, until):
    version = store.put("key", b"1", clock() + 0.5)
    version = store.put("key", b"2", clock() + LATER, version)
    store.put("witness", b"", clock() + 0.5)
    until(lambda: store.get("witness") is None)
    assert store.get("key").value == b"2"
    store.put("key", b"3", clock() + 0.05, version)
    until(lambda: store.get("key") is None)


def test_what_has_expired_before_it_is_put_does_not_stay(store, clock, until):
    store.put("key", b"1", clock() - 1)
    until(lambda: store.get("key") is None)


def test_a_group_has_its_members_and_no_others(store, clock):
    for member in ("a", "b\0ü", "a"):
        store.add("group", member, clock() + LATER)
    store.add("other", "c", clock() + LATER)
    assert sorted(store.members("group")) == ["a", "b\0ü"]
    store.discard("group", "a")
    store.discard("group", "never")
    assert store.members("group") == ["b\0ü"]
    assert store.members("other") == ["c"]


def test_a_member_leaves_when_it_expires(store, clock):
    store.add("group", "short", clock() + 5)
    store.add("group", "long", clock() + 50)
    clock.advance(4)
    store.add("group", "short", clock() + 5)
    clock.advance(4)
    assert sorted(store.members("group")) == ["long", "short"]
    clock.advance(1)
    assert store.members("group") == ["long"]
    store.add("group", "short", clock() + 5)
    assert sorted(store.members("group")) == ["long", "short"]


def test_a_group_and_an_entry_of_one_name_are_two(store, clock):
    store.add("name", "member", clock() + LATER)
    assert store.put("name", b"value", clock() + LATER)
    assert store.put("group:name", b"value", clock() + LATER)
    assert store.delete("name")
    assert store.members("name") == ["member"]


def test_of_many_who_create_one_entry_one_wins(store, clock, at_once):
    for key in map(str, range(10)):
        won = at_once(lambda number, key=key: store.put(key, b"%d" % number, clock() + LATER))
        winner = next(number for number, version in enumerate(won) if version)
        assert sum(map(bool, won)) == 1
        assert store.get(key).value == b"%d" % winner
        assert store.get(key).version == won[winner]


def test_of_many_who_replace_one_version_one_wins(store, clock, at_once):
    for _ in range(10):
        store.delete("key")
        version = store.put("key", b"", clock() + LATER)
        won = at_once(
            lambda number, version=version: store.put(
                "key", b"%d" % number, clock() + LATER, version
            )
        )
        winner = next(number for number, written in enumerate(won) if written)
        assert sum(map(bool, won)) == 1
        assert store.get("key").value == b"%d" % winner


def test_of_many_who_remove_one_entry_one_has_removed_it(store, clock, at_once):
    for _ in range(10):
        version = store.put("key", b"", clock() + LATER)
        versions = [version, None] * THREADS
        removed = at_once(lambda number, versions=versions: store.delete("key", versions[number]))
        assert sum(removed) == 1


def test_threads_that_count_lose_nothing(store_url, opened, at_once):
    store = opened(store_url)
    at_once(lambda _: counting.add(store, 20))
    assert int(store.get(counting.KEY).value) == THREADS * 20


def test_processes_that_count_lose_nothing(store_url, opened):
    command = [sys.executable, "-m", "tests.store.counting", store_url, "100"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(command, cwd=ROOT, **pipes)  # noqa: S603  (a command of our own)
            )
            for _ in range(3)
        ]
        assert [process.stdout.readline() for process in processes] == [b"ready\n"] * 3
        for process in processes:
            process.stdin.write(b"go\n")
            process.stdin.flush()
        assert [process.wait(30) for process in processes] == [0, 0, 0]
    assert int(opened(store_url).get(counting.KEY).value) == 300


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_store_that_was_used_before_a_fork_can_be_used_after_it(store_url, opened):
    store = opened(store_url)
    counting.add(store, 1)
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=counting.add, args=(store, 20)) for _ in range(2)]
    for child in children:
        child.start()
    counting.add(store, 20)
    for child in children:
        child.join(30)
    assert [child.exitcode for child in children] == [0, 0]
    assert int(store.get(counting.KEY).value) == 61


def test_a_store_that_works_is_ready(store):
    assert store.unready() == ""


def test_a_store_is_chosen_by_its_address(tmp_path, clock):
    default = tmp_path / "default.db"
    for url, path in (("", default), ("sqlite:", default), (f"sqlite:{tmp_path}/a", "a")):
        store = open_store(url, default, clock)
        assert isinstance(store, SqliteStore)
        store.put("key", b"", clock() + LATER)
        assert (tmp_path / path).exists()
        store.close()
    assert isinstance(open_store("redis://127.0.0.1:1", default, clock), RedisStore)


@pytest.mark.parametrize("url", ["postgres://user:secret@h/d", "secret", "redis:", "redis://"])
def test_what_is_no_address_is_refused_and_not_repeated(tmp_path, clock, url):
    with pytest.raises(ValueError, match="address") as caught:
        open_store(url, tmp_path / "default.db", clock)
    assert "secret" not in str(caught.value)
