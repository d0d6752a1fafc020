import threading
from contextlib import suppress

import pytest

from bff.auth.oidc.login import SignedIn, Tokens
from bff.auth.session.sessions import Sessions, key_of
from bff.model.access import SessionRules
from bff.store.seal import Seal
from bff.store.sqlite import SqliteStore

ISSUER = "https://id.example"
SECRET = "s" * 32


class Wall:
    """A clock that stands still until it is told otherwise."""

    def __init__(self):
        self.at = 1_000_000.0

    def __call__(self):
        return self.at


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def store(tmp_path, wall):
    made = SqliteStore(tmp_path / "sessions.db", wall)
    yield made
    made.close()


@pytest.fixture
def sessions(store, wall):
    return Sessions(store, Seal([SECRET]), SessionRules(idle=600.0, lifetime=3600.0), wall)


def person(subject="ada", sid="sid-1", **tokens):
    given = {"access": f"access-of-{subject}", "expires": 1_000_300.0, "refresh": "refresh-1"}
    return SignedIn(
        issuer=ISSUER,
        subject=subject,
        sid=sid,
        acr="",
        auth_time=None,
        claims={"name": subject.title()},
        tokens=Tokens(**{**given, **tokens}),
    )


def sign_in(sessions, subject="ada", sid="sid-1", **about):
    return sessions.create(person(subject, sid), "shop", "client-1", about)


def test_a_session_is_found_by_its_id_and_says_who_signed_in(sessions):
    given = sign_in(sessions, agent="Firefox", visitor="v-1")
    session = sessions.load(given)
    principal = session.principal()
    assert (principal.issuer, principal.subject) == (ISSUER, "ada")
    assert principal.claims == {"name": "Ada"}
    assert principal.session == key_of(given)
    assert (session.agent, session.visitor, session.provider) == ("Firefox", "v-1", "shop")


def test_ids_are_256_random_bits_and_the_store_has_only_their_hash(sessions, tmp_path):
    given = sign_in(sessions)
    assert len(given) == 43
    assert given != sign_in(sessions)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert given.encode() not in kept
    assert key_of(given).encode() in kept


def test_nothing_of_a_person_is_legible_in_the_store(sessions, tmp_path):
    sign_in(sessions)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (b"access-of-ada", b"refresh-1", b"Ada", b"sid-1", ISSUER.encode()):
        assert secret not in kept


@pytest.mark.parametrize("given", ["", "x", "é" * 43, "\udcff", "a" * 100_000])
def test_an_id_that_was_never_given_is_nobody(sessions, given):
    assert sessions.load(given) is None


def test_a_session_is_over_when_it_was_idle_for_too_long(sessions, wall):
    given = sign_in(sessions)
    wall.at += 599
    assert sessions.load(given, slide=False)
    wall.at += 1
    assert sessions.load(given) is None


def test_use_puts_the_end_of_the_idle_time_off_but_not_beyond_the_lifetime(sessions, wall):
    given = sign_in(sessions)
    for _ in range(7):
        wall.at += 500
        assert sessions.load(given)
    wall.at += 99
    assert sessions.load(given)
    wall.at += 1
    assert sessions.load(given) is None


def test_a_look_that_does_not_slide_writes_nothing(sessions, wall):
    given = sign_in(sessions)
    before = sessions.load(given, slide=False).version
    wall.at += 300
    assert sessions.load(given, slide=False).version == before


def test_use_in_quick_succession_is_written_once(sessions, wall):
    given = sign_in(sessions)
    wall.at += 300
    version = sessions.load(given).version
    wall.at += 1
    assert sessions.load(given).version == version


def test_what_a_replaced_secret_sealed_is_opened_and_what_a_removed_one_sealed_is_nobody(
    sessions, store, wall
):
    given = sign_in(sessions)
    new = "n" * 32
    assert Sessions(store, Seal([new, SECRET]), sessions.rules, wall).load(given)
    assert Sessions(store, Seal([new]), sessions.rules, wall).load(given) is None


def test_one_who_slides_a_session_that_has_just_ended_does_not_bring_it_back(
    sessions, store, wall, monkeypatch
):
    given = sign_in(sessions)
    wall.at += 300
    put = store.put

    def ended_before_it_is_written(key, *rest):
        monkeypatch.setattr(store, "put", put)
        sessions.end(key_of(given))
        return put(key, *rest)

    monkeypatch.setattr(store, "put", ended_before_it_is_written)
    assert sessions.load(given) is None
    assert sessions.load(given) is None


def test_an_ended_session_takes_its_tokens_along_and_gives_them_back_for_revocation(sessions):
    given = sign_in(sessions)
    kept = sessions.end(key_of(given))
    assert kept.tokens.refresh == "refresh-1"
    assert sessions.load(given) is None
    assert sessions.tokens(key_of(given)) is None
    assert sessions.end(key_of(given)) is None


def test_tokens_refreshed_while_a_session_ends_are_gone_too_and_are_the_ones_to_revoke(
    sessions, monkeypatch
):
    key = key_of(sign_in(sessions))
    read = sessions.tokens
    fresh = Tokens(access="access-2", expires=1_000_900.0, refresh="refresh-2")

    def refreshed_after_it_was_read(wanted):
        kept = read(wanted)
        monkeypatch.setattr(sessions, "tokens", read)
        assert sessions.replace_tokens(key, kept, fresh)
        return kept

    monkeypatch.setattr(sessions, "tokens", refreshed_after_it_was_read)
    assert sessions.end(key).tokens.refresh == "refresh-2"
    assert sessions.tokens(key) is None


def test_fresh_tokens_never_replace_fresher_ones_nor_those_of_an_ended_session(sessions):
    key = key_of(sign_in(sessions))
    kept = sessions.tokens(key)
    second = Tokens(access="access-2", expires=1_000_900.0)
    third = Tokens(access="access-3", expires=1_000_900.0)
    assert sessions.replace_tokens(key, kept, second)
    assert not sessions.replace_tokens(key, kept, third)
    kept = sessions.tokens(key)
    assert kept.tokens.access == "access-2"
    sessions.end(key)
    assert not sessions.replace_tokens(key, kept, third)
    assert sessions.tokens(key) is None


def test_the_sessions_of_a_person_are_theirs_alone_and_the_last_used_comes_first(sessions, wall):
    first = sign_in(sessions, agent="phone")
    wall.at += 60
    second = sign_in(sessions, agent="laptop")
    sign_in(sessions, "grace", "sid-2")
    found = sessions.of_person(ISSUER, "ada")
    assert [each.key for each in found] == [key_of(second), key_of(first)]
    assert sessions.of_person("https://other.example", "ada") == []


def test_an_ended_session_is_listed_no_more(sessions):
    given = sign_in(sessions)
    sessions.end(key_of(given))
    assert sessions.of_person(ISSUER, "ada") == []
    assert sessions.store.members(f"sid:{ISSUER}") == []


def test_all_sessions_of_a_person_end_and_nobody_elses(sessions):
    ours = [sign_in(sessions), sign_in(sessions, sid="sid-3")]
    other = sign_in(sessions, "grace", "sid-2")
    assert set(sessions.end_all(ISSUER, "ada")) == {key_of(each) for each in ours}
    assert [sessions.load(each) for each in ours] == [None, None]
    assert sessions.load(other)


def test_of_one_sid_only_the_session_of_that_sid_ends(sessions):
    first, second = sign_in(sessions, sid="a"), sign_in(sessions, sid="b")
    assert sessions.end_all(ISSUER, "ada", "a") == [key_of(first)]
    assert sessions.load(first) is None
    assert sessions.load(second)


def test_a_sid_without_a_subject_is_enough_and_one_with_another_subject_ends_nothing(sessions):
    given = sign_in(sessions, sid="a")
    assert sessions.end_all(ISSUER, "grace", "a") == []
    assert sessions.load(given)
    assert sessions.end_all(ISSUER, "", "a") == [key_of(given)]


def test_a_public_id_opens_nothing_and_tells_sessions_apart(sessions):
    given, other = sign_in(sessions), sign_in(sessions)
    public = {sessions.load(each).public_id for each in (given, other)}
    assert len(public) == 2
    assert all(sessions.load(each) is None for each in public)


@pytest.mark.parametrize("rounds", [50, pytest.param(1000, marks=pytest.mark.large)])
def test_a_sign_out_during_requests_stays_a_sign_out(sessions, wall, rounds):
    """Many use, slide and refresh one session while it ends: nothing of it is left."""
    for _ in range(rounds):
        given = sign_in(sessions)
        key = key_of(given)
        wall.at += 100  # each use is worth a write
        gate = threading.Barrier(5)

        def use(given=given, key=key, gate=gate):
            gate.wait(5)
            sessions.load(given)
            kept = sessions.tokens(key)
            if kept:
                fresh = Tokens(access="later", expires=wall.at + 300, refresh="later")
                sessions.replace_tokens(key, kept, fresh)
            sessions.load(given)

        users = [threading.Thread(target=use) for _ in range(4)]
        for user in users:
            user.start()
        with suppress(threading.BrokenBarrierError):
            gate.wait(5)
        sessions.end(key)
        for user in users:
            user.join(10)
        assert not gate.broken
        assert sessions.load(given) is None
        assert sessions.tokens(key) is None
