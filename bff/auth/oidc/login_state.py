"""The `state` of sign-ins under way: encrypted, bound to one browser, and good for one callback.

What a sign-in needs when it comes back is encrypted in its `state`; the browser has a small cookie
with a random key of it (RFC 6749, section 10.12). Nonce and PKCE verifier are derived from that key
and a seed in the state. So many sign-ins may be under way in one browser, however long their
`return_to`, and the store has nothing of them before they come back.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

import orjson

from bff.auth.oidc.login import Login, LoginRequest
from bff.store.protocol import Store
from bff.store.seal import BadSeal, Seal

LASTS: Final = 600.0  # seconds that a person has at the provider
_CONTEXT: Final = "login state"
_KEY: Final = 32  # bytes
_SEED: Final = 16  # bytes; the hash of a key has as many


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in under way, as its `state` describes it.

    Args:
        at: when it began, in whole seconds since 1970.
        key_hash: of the key that the browser has.
    """

    request: LoginRequest
    at: int
    seed: str = field(repr=False)
    key_hash: str = field(repr=False)

    def is_of(self, key: str) -> bool:
        """Whether the browser that has this key began it."""
        return hmac.compare_digest(self.key_hash, _hash(key))

    def login(self, state: str, key: str, redirect_uri: str) -> Login:
        """What the provider's answer is checked against."""
        return Login(
            provider=self.request.provider,
            state=state,
            nonce=_derived(key, "nonce", self.seed),
            verifier=_derived(key, "verifier", self.seed),
            redirect_uri=redirect_uri,
            return_to=self.request.return_to,
            at=self.at,
            max_age=self.request.max_age,
            acr_values=self.request.acr_values,
        )


class LoginStates:
    """Issues states, reads those that come back, and lets each count once.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, store: Store, seal: Seal, now: Callable[[], float]) -> None:
        self._store, self._seal, self._now = store, seal, now

    def begin(self, request: LoginRequest, redirect_uri: str) -> tuple[Login, str]:
        """A sign-in with a state of its own, and the key for the browser to keep."""
        key = token_urlsafe(_KEY)
        pending = Pending(request, int(self._now()), token_urlsafe(_SEED), _hash(key))
        content = [astuple(request), pending.at, pending.seed, pending.key_hash]
        sealed = self._seal.seal(orjson.dumps(content), _CONTEXT)
        return pending.login(_text(sealed), key, redirect_uri), key

    def read(self, state: str) -> Pending | None:
        """The sign-in of a state that this deployment issued, however long ago; else None."""
        try:
            sealed = urlsafe_b64decode(state + "=" * (-len(state) % 4))
            request, at, seed, key_hash = orjson.loads(self._seal.open(sealed, _CONTEXT))
            return Pending(LoginRequest(*request), at, seed, key_hash)
        except (BadSeal, ValueError, TypeError):
            return None  # TypeError: another version wrote it

    def is_late(self, pending: Pending) -> bool:
        """Whether a sign-in has taken longer than people have."""
        return not 0 <= self._now() - pending.at <= LASTS

    def use(self, state: str) -> str:
        """Have a state count no more, whatever comes of it.

        Returns:
            The version of the mark, for `succeeded`; empty where it was used before.

        Raises:
            StoreAway: that cannot be written.
        """
        return self._store.put(_mark(state), b"", self._now() + LASTS)

    def succeeded(self, state: str, version: str, session: str, expires: float) -> None:
        """Note the session that came of a state, for a browser that comes back to its callback.

        Args:
            session: its key.
            expires: seconds since 1970.

        Raises:
            StoreAway: that cannot be written.
        """
        self._store.put(_mark(state), session.encode(), expires, version)

    def session_of(self, state: str) -> str | None:
        """The key of the session that came of a state; empty if none did, None if it is unused.

        Raises:
            StoreAway: the store cannot be asked.
        """
        mark = self._store.get(_mark(state))
        return None if mark is None else mark.value.decode()


def _mark(state: str) -> str:
    return f"used-state:{sha256(state.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _derived(key: str, purpose: str, seed: str) -> str:
    """256 bits that only the browser's key and the state together give (RFC 7636, section 4.1)."""
    return _text(hmac.digest(key.encode(), f"{purpose}:{seed}".encode(), "sha256"))


def _hash(key: str) -> str:
    return _text(sha256(key.encode()).digest()[:_SEED])


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
