"""Pages: an answer's final body with its headers, as bytes: made once, kept or not, and sent."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Request, Response
from werkzeug.datastructures import Headers as ResponseHeaders

from bff.cache.entry import Entry
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
    is_partial,
    is_public,
    is_stale,
    may_last,
    parts_of,
    vary_of,
)
from bff.web.views.coding import coding_for, compress, etag_in, etag_of, is_known, is_worth_it

_NO_CONTENT: Final = frozenset({204, 205})
_WITHOUT_LENGTH: Final = frozenset({204, 304})  # RFC 9110, section 8.6
_OK: Final = 200
_NOT_MODIFIED: Final = 304
# what a page knows of itself, and tells nobody
_UNTIL, _SHARED, _PARTIAL = "bff-until", "bff-shared", "bff-partial"
_INSIDE: Final = frozenset({_UNTIL, _SHARED, _PARTIAL})


@dataclass(frozen=True, slots=True)
class Sent:
    """What a page is sent with besides itself.

    Args:
        address: where it is kept, and its compressed variants beside it; None if it is not kept.
        now: seconds since 1970.
    """

    address: str | None
    now: float


class _Bare(Response):
    """A response whose headers are those of its page, and no others."""

    default_mimetype = None

    def get_wsgi_headers(self, environ: Any) -> ResponseHeaders:
        """Its headers as they are; werkzeug would make, check and copy each of them again."""
        del environ
        if self.status_code in _WITHOUT_LENGTH:
            self.headers.remove("Content-Length")
        return self.headers


class Pages:
    """Makes and sends the pages of one view of one frontend.

    Args:
        vary: the request headers by which who asks is known.
    """

    def __init__(
        self,
        plan: Plan,
        frontend: Frontend,
        access: Access,
        vary: Sequence[str],
        caching: Caching | None,
    ) -> None:
        self._plan, self._who = plan, tuple(vary)
        self._cache = caching.cache if caching else None
        rule = plan.view.cache
        self._public = is_public(plan, access)
        self._is_get = plan.view.method == "GET"
        self._stale = rule.stale if rule else 0.0
        calls = [kept.rule for kept in plan.keeping.calls.values()]
        self._revocable = any(each.tags for each in ([rule] if rule else []) + calls)
        self._lifecycle: Headers = tuple(lifecycle_headers(plan.view).items())
        self._label = f"{plan.view.name} at {frontend.name}"
        self._lasts = may_last(plan)

    def page(self, answer: Answer, locale: str | None, now: float) -> Entry:
        """The page of an answer; how long it is kept is for the caller to say.

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
        if partial:
            headers.append((_PARTIAL, "1"))
        elif self._is_get and answer.status == _OK:
            headers.append(("ETag", etag_of(body)))
        parts = parts_of(self._plan, answer, now)
        until = now + (parts.lifetime if self._lasts else 0.0)
        headers.append((_UNTIL, str(until if parts.storable else -math.inf)))
        headers.append((_SHARED, "1" if parts.shareable else ""))
        return Entry(answer.status, tuple(headers), body, now, 0.0, label=self._label)

    def may_be_kept(self, page: Entry, answer: Answer, *, shared: bool) -> bool:
        """Whether a page is whole, good and fresh, and its parts allow it."""
        whole = page.header("ETag") is not None and not is_stale(answer.outcomes)
        storable = page.header(_UNTIL) != str(-math.inf)
        return whole and storable and (not shared or page.header(_SHARED) == "1")

    def response(self, page: Entry, request: Request, sent: Sent) -> Response:
        """A page as it is sent: perhaps only that the client has it, perhaps compressed."""
        etag = page.header("ETag")
        coded = sent.address is not None and is_worth_it(page.body)
        coding = coding_for(request.headers.get("Accept-Encoding", "")) if coded else ""
        headers = [each for each in page.headers if each[0] not in _INSIDE and each[0] != "ETag"]
        headers.append(("Cache-Control", self._control(page, sent)))
        locale = page.header("Content-Language") is not None
        vary = vary_of(self._plan, self._who, locale=locale, coded=coded)
        headers += [("Vary", vary)] if vary else []
        if etag:
            headers.append(("ETag", etag_in(etag, coding)))
            known = request.headers.get("If-None-Match")
            if known is not None and is_known(etag, known):
                kept = [each for each in headers if each[0] != "Content-Type"]
                return _Bare(status=_NOT_MODIFIED, headers=kept)
        body = page.body
        if coding and sent.address is not None:
            body = self._variant(page, sent.address, coding)
            headers.append(("Content-Encoding", coding))
        return _Bare(body, page.status, headers)

    def _variant(self, page: Entry, address: str, coding: str) -> bytes:
        """A page in a coding, kept beside it; of an address that no longer counts nobody asks."""
        beside = f"{address}/{coding}"
        kept = self._cache.recall(beside) if self._cache else None
        if kept is not None and kept.stored == page.stored:
            return kept.body
        body = compress(page.body, coding)
        if self._cache:
            label = f"{page.label}, {coding}"
            entry = Entry(page.status, (), body, page.stored, page.fresh, page.stale, label=label)
            self._cache.keep(beside, entry)
        return body

    def _control(self, page: Entry, sent: Sent) -> str:
        if page.header(_PARTIAL):
            return "no-store"
        until = float(page.header(_UNTIL) or 0.0)
        if until == -math.inf:
            return "no-store"
        if page.fresh:
            until = min(until, page.stored + page.fresh)
        lifetime = max(0.0, until - sent.now)
        if not self._lasts:
            return "private, no-cache"
        return cache_control(
            public=self._public and page.header(_SHARED) == "1",
            lifetime=lifetime,
            stale=self._stale,
            revocable=self._revocable,
        )
