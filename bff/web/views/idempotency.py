"""Idempotency-Key: a retried write gets the stored answer, and is not executed again.

See draft-ietf-httpapi-idempotency-key-header.
"""

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

# A quoted string (RFC 9651, section 3.3.3), or a bare token, which many clients send.
_KEY: Final = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,200})"|([\w.:+/=~-]{1,200})', re.ASCII)
_SLACK: Final = 5.0  # seconds by which a view may be later than its time-out
_FIRST_SERVER_ERROR: Final = 500
_NEVER_STORED: Final = frozenset({401, 408, 425, 429, 499})  # a retry may get another answer
_HEADERS_NOT_STORED: Final = frozenset({"set-cookie", "server-timing", "content-length"})
_REPLAYED: Final = "Idempotency-Replayed"


class ViewIdempotency:
    """The idempotency keys of one view at one frontend."""

    def __init__(self, view: View, frontend: str, once: IdempotencyKeys) -> None:
        self._view, self._frontend, self._once = view, frontend, once

    def begin(
        self, request: Request, principal: Principal, scope: Mapping[str, Any]
    ) -> Lease | StoredResponse | None:
        """Begin a request with a key.

        Returns:
            A lease to execute the request, the stored answer of an earlier one, or None for a
            request without a key.

        Raises:
            RequestRefused: 400 for a malformed key, a required key that is missing, or an anonymous
                client; 409 and 422 as in `IdempotencyKeys.begin`.
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
        owner = principal.identity if principal.signed_in else principal.visitor
        if not owner:
            raise RequestRefused(
                400, "an Idempotency-Key needs an identified client: sign in first"
            )
        name = [owner, self._frontend, self._view.name, found[1] or found[2]]
        content = [scope["params"], scope.get("body")]
        fingerprint = sha256(encode_json(content, sort=True)).hexdigest()
        return self._once.begin(name, fingerprint, self._view.timeout + _SLACK)

    def end(self, lease: Lease, response: Response | None) -> None:
        """Store an answer, unless a retry may get another one: after a 5xx, a 401, a 429."""
        if response is None or not _is_stored(response.status_code):
            self._once.end(lease, None)
            return
        headers = tuple(
            (name, value)
            for name, value in response.headers
            if name.lower() not in _HEADERS_NOT_STORED
        )
        self._once.end(lease, StoredResponse(response.status_code, headers, response.get_data()))


def replayed(stored: StoredResponse) -> Response:
    """The response of a stored answer."""
    response = Response(stored.body, stored.status)
    response.headers.clear()
    response.headers.extend(list(stored.headers))
    response.headers[_REPLAYED] = "true"
    return response


def _is_stored(status: int) -> bool:
    return status < _FIRST_SERVER_ERROR and status not in _NEVER_STORED
