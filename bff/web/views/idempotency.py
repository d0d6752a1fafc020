"""Idempotency-Key: a write that a client sends again is answered as it was, and not done again."""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from flask import Request, Response

from bff.errors import RequestRefused
from bff.model.json_text import encode_json
from bff.model.principal import Principal
from bff.model.view import View
from bff.store.idempotency import IdempotencyKeys, Lease, StoredResponse

# A string of RFC 9651, section 3.3.3, or the token in it, as many clients send it.
_KEY: Final = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,200})"|([\w.:+/=~-]{1,200})', re.ASCII)
_SLACK: Final = 5.0  # seconds besides what the view may take
_FIRST_SERVER_ERROR: Final = 500
_NEVER_STORED: Final = frozenset({401, 408, 425, 429, 499})  # what asking again may change
_NOT_STORED: Final = frozenset({"set-cookie", "server-timing", "content-length"})
_REPLAYED: Final = "Idempotency-Replayed"


class ViewIdempotency:
    """The keys of one view of one frontend."""

    def __init__(self, view: View, frontend: str, once: IdempotencyKeys) -> None:
        self._view, self._frontend, self._once = view, frontend, once

    def begin(
        self, request: Request, principal: Principal, scope: Mapping[str, Any]
    ) -> Lease | StoredResponse | None:
        """What a request's key entitles to; None without a key.

        Raises:
            RequestRefused: with 400 it is none, it is missing and required, or the client is
                not known; with 409 and 422 as `IdempotencyKeys.begin` says.
            StoreAway: the store of the keys is away.
        """
        given = request.headers.get("Idempotency-Key")
        if given is None:
            if self._view.idempotency == "required":
                raise RequestRefused(400, "the header Idempotency-Key is missing")
            return None
        found = _KEY.fullmatch(given.strip())
        if not found:
            raise RequestRefused(
                400, "the Idempotency-Key is not one string of 1 to 200 characters"
            )
        person = principal.identity if principal.signed_in else principal.visitor
        if not person:
            raise RequestRefused(
                400, "an Idempotency-Key needs a client that is known: sign in first"
            )
        whose = [person, self._frontend, self._view.name, found[1] or found[2]]
        wanted = [scope["params"], scope.get("body")]
        fingerprint_ = sha256(encode_json(wanted, sort=True)).hexdigest()
        return self._once.begin(whose, fingerprint_, self._view.timeout + _SLACK)

    def end(self, lease: Lease, response: Response | None) -> None:
        """Keep an answer, unless it says that something is not well and may be well later."""
        if response is None or not _is_stored(response.status_code):
            self._once.end(lease, None)
            return
        headers = tuple(
            (name, value) for name, value in response.headers if name.lower() not in _NOT_STORED
        )
        self._once.end(lease, StoredResponse(response.status_code, headers, response.get_data()))


def replayed(kept: StoredResponse) -> Response:
    """An answer that was given before."""
    response = Response(kept.body, kept.status)
    response.headers.clear()
    response.headers.extend(list(kept.headers))
    response.headers[_REPLAYED] = "true"
    return response


def _is_stored(status: int) -> bool:
    return status < _FIRST_SERVER_ERROR and status not in _NEVER_STORED
