"""The `state` of sign-ins in progress: encrypted, bound to one browser, accepted once.

    state   = seal(request, start time, seed, hash(key))    sent to the provider and back
    cookie  = key                                           in the browser that started it
    nonce, code_verifier = HMAC(key, purpose + seed)        stored nowhere

The state alone is useless without the cookie, which prevents login CSRF (RFC 6749, section 10.12).
The store has nothing of a sign-in before its callback, so abandoned ones cost nothing; and a
browser may have several in progress, with a `return_to` of any length. A callback records its
state as used, so that a state is accepted once.
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

LASTS: Final = 600.0  # seconds that a user has at the provider
_CONTEXT: Final = "login state"
_KEY: Final = 32  # bytes
_SEED: Final = 16  # bytes, as has the hash of a key


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """A sign-in in progress, as decrypted from its `state`.

    Args:
        at: when it was started, in whole seconds since 1970.
        key_hash: of the key in the browser's cookie.
    """

    request: LoginRequest
    at: int
    seed: str = field(repr=False)
    key_hash: str = field(repr=False)

    def is_of(self, key: str) -> bool:
        """Whether the browser with this key started it."""
        return hmac.compare_digest(self.key_hash, _hash(key))

    def login(self, state: str, key: str, redirect_uri: str) -> Login:
        """The values that the provider's response is checked against."""
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
    """Issues states, opens returned ones, and accepts each once.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, store: Store, seal: Seal, now: Callable[[], float]) -> None:
        self._store, self._seal, self._now = store, seal, now

    def begin(self, request: LoginRequest, redirect_uri: str) -> tuple[Login, str]:
        """A new sign-in, and the key for the browser's cookie."""
        key = token_urlsafe(_KEY)
        pending = PendingLogin(request, int(self._now()), token_urlsafe(_SEED), _hash(key))
        content = [astuple(request), pending.at, pending.seed, pending.key_hash]
        sealed = self._seal.seal(orjson.dumps(content), _CONTEXT)
        return pending.login(_text(sealed), key, redirect_uri), key

    def read(self, state: str) -> PendingLogin | None:
        """The sign-in of a state that this deployment issued, of any age; otherwise None."""
        try:
            sealed = urlsafe_b64decode(state + "=" * (-len(state) % 4))
            request, at, seed, key_hash = orjson.loads(self._seal.open(sealed, _CONTEXT))
            return PendingLogin(LoginRequest(*request), at, seed, key_hash)
        except (BadSeal, ValueError, TypeError):
            return None  # TypeError: another version of this program wrote it

    def is_late(self, pending: PendingLogin) -> bool:
        """Whether a sign-in has taken longer than 10 minutes."""
        return not 0 <= self._now() - pending.at <= LASTS

    def use(self, state: str) -> str:
        """Record a state as used, whatever the result of the sign-in is.

        Returns:
            The version of the record, for `succeeded`; empty if the state was used before.

        Raises:
            StoreAway: it cannot be recorded.
        """
        return self._store.put(_used(state), b"", self._now() + LASTS)

    def succeeded(self, state: str, version: str, session: str, expires: float) -> None:
        """Record the session that a sign-in created, for a browser that reloads the callback.

        Args:
            session: its key.
            expires: seconds since 1970.

        Raises:
            StoreAway: it cannot be recorded.
        """
        self._store.put(_used(state), session.encode(), expires, version)

    def session_of(self, state: str) -> str | None:
        """The key of the session that a sign-in created; empty if it failed, None if unused.

        Raises:
            StoreAway: the store cannot be asked.
        """
        used = self._store.get(_used(state))
        return None if used is None else used.value.decode()


def _used(state: str) -> str:
    return f"used-state:{sha256(state.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _derived(key: str, purpose: str, seed: str) -> str:
    """256 bits derived from the browser's key and the state (RFC 7636, section 4.1)."""
    return _text(hmac.digest(key.encode(), f"{purpose}:{seed}".encode(), "sha256"))


def _hash(key: str) -> str:
    return _text(sha256(key.encode()).digest()[:_SEED])


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
