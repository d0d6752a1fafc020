"""The keys under which the store has a session, and the groups that it belongs to.

session:HASH      Session: who, since when, last use     written every twentieth of `idle`
tokens:HASH       StoredTokens                           written by each refresh
person:, sid:     groups of hashes: all sessions of a user, and of a provider's session
made-for:HASH     group of entries that end with the session, such as exchanged tokens
"""

from collections.abc import Iterable
from hashlib import sha256

import orjson

from bff.auth.session.session_record import Session


def data_key(key: str) -> str:
    """The entry of the session's data."""
    return f"session:{key}"


def tokens_key(key: str) -> str:
    """The entry of its tokens."""
    return f"tokens:{key}"


def signed_out_key(key: str) -> str:
    """The entry that records a sign-out, for refreshes in progress."""
    return f"signed-out:{key}"


def successor_key(key: str) -> str:
    """The entry with the key of the session that replaced it."""
    return f"successor:{key}"


def made_for_key(key: str) -> str:
    """The group of the entries that end with the session."""
    return f"made-for:{key}"


def person_key(issuer: str, subject: str) -> str:
    """The group of a user's sessions."""
    return f"person:{_hash(issuer, subject)}"


def sid_key(issuer: str, sid: str) -> str:
    """The group of the sessions of one provider session."""
    return f"sid:{_hash(issuer, sid)}"


def _hash(*parts: str) -> str:
    return sha256(orjson.dumps(parts)).hexdigest()


def groups_of(session: Session) -> Iterable[str]:
    """The groups that a session belongs to."""
    yield person_key(session.issuer, session.subject)
    if session.sid:
        yield sid_key(session.issuer, session.sid)
