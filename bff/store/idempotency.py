"""What was answered to a key, so that a write that is sent again is not done again.

The Idempotency-Key header field (draft-ietf-httpapi-idempotency-key-header-07) over the store of
sessions. Whoever comes first has a lease: if it crashes, somebody else may take over once that is
over. Answers are sealed, like all that the store has of people.
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

LASTS: Final = 24 * 3600.0  # seconds that an answer is kept for
_MOST: Final = 512 * 1024  # bytes of an answer that is worth keeping
_TRIES: Final = 8


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it was given."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to do what a key is for.

    Args:
        name: what the store knows the key by; it is the same whenever that is tried again.
        version: the store's, of the entry that says so.
    """

    name: str
    print_: str
    version: str


class Once:
    """Keys of a deployment, and what was answered to them.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, store: Store, seal: Seal, now: Callable[[], float]) -> None:
        self._store, self._seal, self._now = store, seal, now

    def begin(self, whose: Sequence[str], print_: str, lease: float) -> Turn | KeptAnswer:
        """Have a turn, or what was answered to whoever had it.

        Args:
            whose: the key, and all that it is a key of: person, frontend, view.
            print_: tells what is wanted from anything else.
            lease: seconds after which whoever has the turn is taken to have crashed.

        Raises:
            RequestRefused: 422 the key was used for another request, 409 its request is under way.
            StoreAway: nobody can say.
        """
        name = f"once:{sha256(orjson.dumps(list(whose))).hexdigest()}"
        for _ in range(_TRIES):
            entry = self._store.get(name)
            replacing = entry.version if entry else None
            record = self._opened(name, entry)
            if record is not None:
                if record["print"] != print_:
                    raise RequestRefused(422, "the key was used for another request")
                if record["answer"]:
                    status, headers, body = record["answer"]
                    given = tuple((key, value) for key, value in headers)
                    return KeptAnswer(status, given, b64decode(body))
                if record["until"] > self._now():
                    raise RequestRefused(409, "a request with this key is under way")
            content = {"print": print_, "until": self._now() + lease, "answer": None}
            version = self._put(name, content, replacing)
            if version:
                return Turn(name, print_, version)
        raise RequestRefused(409, "requests with this key are under way")

    def end(self, turn: Turn, answer: KeptAnswer | None) -> None:
        """Keep the answer, or let whoever comes next try anew.

        A store that is away is no error here: what was done is done, and the lease ends by itself.
        """
        with suppress(StoreAway):
            if answer is None or len(answer.body) > _MOST:
                self._store.delete(turn.name, turn.version)
                return
            body = b64encode(answer.body).decode()
            content = {
                "print": turn.print_,
                "until": 0.0,
                "answer": [answer.status, answer.headers, body],
            }
            self._put(turn.name, content, turn.version)

    def _put(self, name: str, content: dict[str, Any], replacing: str | None) -> str:
        sealed = self._seal.seal(orjson.dumps(content), name)
        return self._store.put(name, sealed, self._now() + LASTS, replacing)

    def _opened(self, name: str, entry: Entry | None) -> dict[str, Any] | None:
        """A record; none where no secret of ours opens it any more."""
        if entry is None:
            return None
        try:
            record: dict[str, Any] = orjson.loads(self._seal.open(entry.value, name))
        except BadSeal:
            return None
        return record
