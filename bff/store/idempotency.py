"""Idempotency keys: a write that a client repeats returns the stored response of the first.

The Idempotency-Key header field (draft-ietf-httpapi-idempotency-key-header-07), on the store of
sessions. One key goes through three states:

1. absent: the first request writes an entry with a lease, and carries out the write;
2. leased: further requests are refused with 409. After the lease has run out the holder is taken to
   have crashed, and the next request takes over;
3. completed: the entry holds the response, which repeated requests receive.

Responses are sealed, as all personal data in the store is.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import orjson

from bff.errors import RequestRefused, StoreAway
from bff.model.exchange import Headers
from bff.store.protocol import Entry, Store
from bff.store.seal import BadSeal, Seal

LASTS: Final = 24 * 3600.0  # seconds that a response is stored
_MAX_BODY: Final = 512 * 1024  # bytes; a response with more is not stored
_TRIES: Final = 8


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response as the first request received it."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to carry out the write of a key.

    Args:
        name: the key of the store's entry; the same for every repetition.
        fingerprint: of the request.
        version: the store's, of the entry that holds the lease.
    """

    name: str
    fingerprint: str
    version: str


class IdempotencyKeys:
    """The idempotency keys of a deployment and their responses.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, store: Store, seal: Seal, now: Callable[[], float]) -> None:
        self._store, self._seal, self._now = store, seal, now

    def begin(self, scope: Sequence[str], fingerprint: str, lease: float) -> Lease | StoredResponse:
        """Acquire the lease of a key, or return the stored response.

        Args:
            scope: the key and all that it is unique within: user, frontend, view.
            fingerprint: of the request, which tells it from another one with the same key.
            lease: seconds after which the holder is taken to have crashed.

        Raises:
            RequestRefused: with 422 if the key was used for another request, with 409 while one
                with this key is in progress.
            StoreAway: the store cannot be asked.
        """
        name = f"once:{sha256(orjson.dumps(list(scope))).hexdigest()}"
        for _ in range(_TRIES):
            entry = self._store.get(name)
            replacing = entry.version if entry else None
            record = self._opened(name, entry)
            if record is not None:
                if record["print"] != fingerprint:
                    raise RequestRefused(422, "the key was used for another request")
                if record["answer"]:
                    status, headers, body = record["answer"]
                    given = tuple((key, value) for key, value in headers)
                    return StoredResponse(status, given, b64decode(body))
                if record["until"] > self._now():
                    raise RequestRefused(409, "a request with this key is in progress")
            content = {"print": fingerprint, "until": self._now() + lease, "answer": None}
            version = self._put(name, content, replacing)
            if version:
                return Lease(name, fingerprint, version)
        raise RequestRefused(409, "requests with this key are in progress")

    def end(self, lease: Lease, response: StoredResponse | None) -> None:
        """Store the response; None, or one that is too large, releases the key for another try.

        A store that is away is no error here: the write is done, and the lease runs out.
        """
        with suppress(StoreAway):
            if response is None or len(response.body) > _MAX_BODY:
                self._store.delete(lease.name, lease.version)
                return
            body = b64encode(response.body).decode()
            content = {
                "print": lease.fingerprint,
                "until": 0.0,
                "answer": [response.status, response.headers, body],
            }
            self._put(lease.name, content, lease.version)

    def _put(self, name: str, content: dict[str, Any], replacing: str | None) -> str:
        sealed = self._seal.seal(orjson.dumps(content), name)
        return self._store.put(name, sealed, self._now() + LASTS, replacing)

    def _opened(self, name: str, entry: Entry | None) -> dict[str, Any] | None:
        """The content of an entry; None if it was sealed with a secret that is not declared."""
        if entry is None:
            return None
        try:
            record: dict[str, Any] = orjson.loads(self._seal.open(entry.value, name))
        except BadSeal:
            return None
        return record
