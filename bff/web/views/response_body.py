"""The responses of views: makes representations of answers, and responses of those."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from flask import Request, Response
from werkzeug.datastructures import Headers as ResponseHeaders

from bff.cache.entry import CacheEntry
from bff.engine.answer import Answer
from bff.engine.runtime import Caching
from bff.model.access import Access
from bff.model.exchange import Headers
from bff.model.frontend import Frontend
from bff.model.json_text import encode_json
from bff.plan.plan import Plan
from bff.web.headers import calls_header, lifecycle_headers, respondable
from bff.web.views.cache_headers import (
    cache_control,
    cacheability_of,
    clients_may_store,
    is_partial,
    is_public,
    is_stale,
    vary_of,
)
from bff.web.views.coding import (
    coded_etag,
    coding_for,
    compress,
    etag_matches,
    etag_of,
    is_worth_compressing,
)
from bff.web.views.representation import Representation

_NO_CONTENT: Final = frozenset({204, 205})
_WITHOUT_LENGTH: Final = frozenset({204, 304})  # RFC 9110, section 8.6
_OK: Final = 200
_NOT_MODIFIED: Final = 304


@dataclass(frozen=True, slots=True)
class CacheSlot:
    """Where a representation is stored, with its compressed variants beside it."""

    address: str
    entry: CacheEntry


class _PlainResponse(Response):
    """A response with exactly the given headers."""

    default_mimetype = None

    def get_wsgi_headers(self, environ: Any) -> ResponseHeaders:
        """Return the headers unchanged; Werkzeug would copy and check each of them."""
        del environ
        if self.status_code in _WITHOUT_LENGTH:
            self.headers.remove("Content-Length")
        return self.headers


class ViewResponses:
    """Makes the representations and responses of one view at one frontend.

    Args:
        vary: the request headers that identify the user.
    """

    def __init__(
        self,
        plan: Plan,
        frontend: Frontend,
        access: Access,
        vary: Sequence[str],
        caching: Caching | None,
    ) -> None:
        self._plan = plan
        self._cache = caching.cache if caching else None
        rule = plan.view.cache
        self._public = is_public(plan, access)
        self._is_get = plan.view.method == "GET"
        self._stale = rule.stale if rule else 0.0
        calls = [policy.rule for policy in plan.caching.calls.values()]
        self._revocable = any(policy.tags for policy in ([rule] if rule else []) + calls)
        self._lifecycle: Headers = tuple(lifecycle_headers(plan.view).items())
        self.label = f"{plan.view.name} at {frontend.name}"
        self._lasts = clients_may_store(plan)
        self._vary = {
            (localized, coded): vary_of(plan, vary, locale=localized, coded=coded)
            for localized in (False, True)
            for coded in (False, True)
        }

    def represent(self, answer: Answer, locale: str | None, now: float) -> Representation:
        """Make the representation of an answer.

        Args:
            now: seconds since 1970 when the answer was begun.

        Raises:
            Unwritable: the answer cannot be written as JSON.
        """
        empty = answer.status in _NO_CONTENT
        body = b"" if empty else encode_json(answer.value, sort=True)
        headers = [] if empty else [("Content-Type", "application/json")]
        headers += respondable(answer.respond)
        headers.append(("BFF-Calls", calls_header(answer.outcomes)))
        headers += self._lifecycle
        headers += [("Content-Language", locale)] if locale else []
        partial = is_partial(answer.outcomes)
        whole = self._is_get and answer.status == _OK and not partial
        allowed = cacheability_of(self._plan, answer, now)
        return Representation(
            answer.status,
            tuple(headers),
            body,
            etag=etag_of(body) if whole else None,
            until=now + (allowed.lifetime if self._lasts else 0.0),
            storable=allowed.storable,
            shareable=allowed.shareable,
            partial=partial,
        )

    def respond(
        self,
        made: Representation,
        request: Request,
        locale: str | None,
        slot: CacheSlot | None,
        now: float,
    ) -> Response:
        """Make the response to one request: perhaps a 304, perhaps compressed.

        Args:
            locale: the language of the answer; None where it has none.
            slot: where the representation is stored; None if it is not: then it is not compressed.
            now: seconds since 1970.
        """
        coded = slot is not None and is_worth_compressing(made.body)
        coding = coding_for(request.headers.get("Accept-Encoding", "")) if coded else ""
        headers = [*made.headers, ("Cache-Control", self._control(made, now))]
        vary = self._vary[bool(locale), coded]
        if vary:
            headers.append(("Vary", vary))
        if made.etag:
            headers.append(("ETag", coded_etag(made.etag, coding)))
            known = request.headers.get("If-None-Match")
            if known is not None and etag_matches(made.etag, known):
                without_body = [header for header in headers if header[0] != "Content-Type"]
                return _PlainResponse(status=_NOT_MODIFIED, headers=without_body)
        body = made.body
        if coding and slot is not None:
            body = self._variant(made, slot, coding)
            headers.append(("Content-Encoding", coding))
        return _PlainResponse(body, made.status, headers)

    def _variant(self, made: Representation, slot: CacheSlot, coding: str) -> bytes:
        """The compressed body, which is stored in memory under an address beside the entry's.

        Its attributes are the validator of the body that it was compressed from.
        """
        beside = f"{slot.address}/{coding}"
        found = self._cache.get_at(beside) if self._cache else None
        if found is not None and found.attributes == made.etag:
            return found.body
        body = compress(made.body, coding)
        if self._cache:
            label = f"{slot.entry.label}, {coding}"
            etag = made.etag or ""
            entry = replace(slot.entry, headers=(), body=body, label=label, attributes=etag)
            self._cache.put_local(beside, entry)
        return body

    def _control(self, made: Representation, now: float) -> str:
        """Its Cache-Control (RFC 9111, section 5.2.2)."""
        if made.partial or not made.storable:
            return "no-store"
        if not self._lasts:
            return "private, no-cache"
        return cache_control(
            public=self._public and made.shareable,
            lifetime=max(0.0, made.until - now),
            stale=self._stale,
            revocable=self._revocable,
        )


def may_be_stored(made: Representation, answer: Answer, *, shared: bool) -> bool:
    """Whether a representation is complete and fresh, and its parts may be stored.

    Args:
        shared: whether it would be answered to other users.
    """
    whole = made.etag is not None and not is_stale(answer.outcomes)
    return whole and made.storable and (not shared or made.shareable)
