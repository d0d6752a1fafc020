"""What somebody who means ill, or bad luck, can do to sessions and tokens: nothing."""

from dataclasses import asdict

import orjson
import pytest

from bff.auth.oidc.login import SignedIn, Tokens
from bff.auth.renewal import RenewalCoordinator
from bff.auth.session.refresh import Refresher
from bff.auth.session.sessions import Sessions
from bff.errors import BffError, GrantEnded, LoginRequired, SignInFailed
from bff.model.access import SessionRules
from bff.store.seal import Seal
from bff.store.sqlite import SqliteStore
from tests.auth.scripted_provider import ABSENT, ISSUER, ScriptedProvider, at_once, rsa, signed


@pytest.fixture
def op(clock):
    with ScriptedProvider(clock) as provider:
        yield provider


@pytest.fixture
def store(tmp_path, clock):
    store = SqliteStore(tmp_path / "sessions.db", clock)
    yield store
    store.close()


@pytest.fixture
def sessions(store, clock):
    return Sessions(store, Seal(["s" * 32]), SessionRules(), clock)


def person(clock, sid="", **tokens):
    given = {
        "access": "access-0",
        "expires": clock() + 300,
        "refresh": "refresh-0",
        "subject": "ada",
    }
    return SignedIn(ISSUER, "ada", sid, "", None, {}, Tokens(**{**given, **tokens}))


def signed_in(sessions, clock, **tokens):
    return sessions.load(sessions.create(person(clock, **tokens), "main", "client", {})).key


# -- keys that change ------------------------------------------------------------------------------


def refresher_of(sessions, provider):
    renewals = RenewalCoordinator(sessions.store, sessions.now, at_once, pause=lambda _: None)
    return Refresher(sessions, {"main": provider}, lambda _: None, renewals)


def shown_a_token_of_no_key(provider):
    """Anybody may send one to the back channel, as often as they like."""
    token = signed({"alg": "RS256", "kid": "made-up"}, {"iss": ISSUER}, rsa("somebody-elses"))
    with pytest.raises(SignInFailed):
        provider.logout_token(token)


def test_nobody_can_have_sessions_ended_when_the_provider_changes_its_key(op, sessions, clock):
    provider = op.provider()
    refresher = refresher_of(sessions, provider)
    key = signed_in(sessions, clock)
    provider.prepare()
    shown_a_token_of_no_key(provider)
    op.rotate()
    clock.advance(20)
    op.grant = {"refresh_token": "refresh-1", "id_token": op.id_token(nonce=ABSENT)}
    try:
        refresher.access_token(key, ["access-0"])
    except (LoginRequired, GrantEnded) as error:
        pytest.fail(f"the session has ended: {error}")
    except BffError:
        pass  # later, then
    assert sessions.tokens(key)


def test_nobody_can_keep_people_from_signing_in_when_the_provider_changes_its_key(op):
    provider = op.provider()
    provider.prepare()
    shown_a_token_of_no_key(provider)
    op.rotate()
    assert op.sign_in(provider).subject == "ada"


# -- sign-outs that come in between ----------------------------------------------------------------


def test_a_session_that_is_ended_while_it_is_made_is_not_there_afterwards(store, clock):
    class Between:
        """The provider's word that the person has signed out comes just before the last write."""

        def __getattr__(self, name):
            return getattr(store, name)

        def put(self, key, *rest):
            if key.startswith("session:") and not ended:
                ended.extend(Sessions(store, *parts).end_all(ISSUER, "ada", "sid-1"))
            return store.put(key, *rest)

    parts = Seal(["s" * 32]), SessionRules(), clock
    ended = []
    made = Sessions(Between(), *parts).create(person(clock, "sid-1"), "main", "client", {})
    assert len(ended) == 1
    assert Sessions(store, *parts).load(made) is None


# -- refreshes -------------------------------------------------------------------------------------


def test_a_lock_that_lapsed_before_the_provider_is_asked_is_no_licence_to_ask(op, sessions, clock):
    """Keys that are slow to come take longer than the lock lasts."""
    key = signed_in(sessions, clock)
    clock.advance(100)
    asked = []
    one, other = (refresher_of(sessions, op.provider()) for _ in range(2))

    def keys(_):
        asked.append(1)
        if len(asked) == 1:
            clock.advance(6)
            other.access_token(key, ["access-0"])
        return 200, {"keys": op.keys}

    op.replies["/jwks"] = keys
    op.replies["/token"] = lambda _: (
        200,
        {
            "access_token": f"access-{op.times('/token')}",
            "token_type": "Bearer",
            "expires_in": 300,
            "refresh_token": f"refresh-{op.times('/token')}",
        },
    )
    assert one.access_token(key, ["access-0"]) == "access-1"
    used = [each.form["refresh_token"] for each in op.asked if each.path == "/token"]
    assert used == ["refresh-0"]


def test_without_a_refresh_token_a_service_that_says_401_does_not_end_a_session(
    op, sessions, clock
):
    refresher = refresher_of(sessions, op.provider())
    key = signed_in(sessions, clock, refresh="")
    clock.advance(100)
    assert refresher.access_token(key, ["access-0"]) == "access-0"
    assert sessions.tokens(key), "its token lasts on, for every other service"


# -- claims ----------------------------------------------------------------------------------------


def nested(claims, depth):
    """The payload of a token with a claim that is nested deeply."""
    return orjson.dumps(claims)[:-1] + b',"deep":' + b"[" * depth + b"]" * depth + b"}"


def test_a_session_can_keep_every_claim_that_a_sign_in_lets_through(op, sessions, clock):
    now = int(clock())
    claims = {"iss": ISSUER, "sub": "ada", "aud": "the-client", "exp": now + 300, "iat": now}
    payload = nested({**claims, "nonce": "nonce-of-login"}, 300)
    token = signed({"alg": "RS256", "kid": "one"}, payload, op.key)
    op.replies["/token"] = 200, {"access_token": "a", "token_type": "Bearer", "id_token": token}
    try:
        found = op.sign_in(op.provider(claims=("deep",)))
        made = sessions.create(found, "main", "client", {})
    except SignInFailed:
        return
    assert sessions.load(made), "and is no 500"


# -- records of another version --------------------------------------------------------------------


def test_a_record_of_another_version_of_the_program_is_no_error(sessions, clock, store):
    """While machines are upgraded one by one, or rolled back, each reads what others wrote."""
    made = sessions.create(person(clock), "main", "client", {})
    session = sessions.load(made)
    content = {**asdict(session), "added_later": 1}
    content.pop("version")
    name = f"session:{session.key}"
    sealed = Seal(["s" * 32]).seal(orjson.dumps(content), name)
    assert store.put(name, sealed, clock() + 600, session.version)
    sessions.load(made)
