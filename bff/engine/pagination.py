"""Pagination: fetches one page of a list, or page after page up to a limit.

Each page is a request of the call like any other: retried, cached, shared with others. The time-out
of the call is for all pages together.
"""

from collections.abc import Callable
from typing import Any, Final

from bff.engine.answer import Cursors
from bff.engine.cached_request import begin_request
from bff.engine.decode import StatusValue
from bff.engine.fanout import Unit
from bff.engine.outcomes import IncompleteList, RunningCall
from bff.engine.run_context import CallListener, RunContext
from bff.errors import BadReply, BffError, TooMany, Unfillable
from bff.plan.cache_rule import CachePolicy
from bff.plan.expression import Scope
from bff.plan.page_links import Page, Paging, Position, following, turned_to

Begin = Callable[[CallListener, int], None]
_MORE: Final = object()  # a sentinel: another page has to be requested


def begin_call(
    policy: CachePolicy | None,
    context: RunContext,
    listener: CallListener,
    call: RunningCall,
    scope: Scope,
    cursors: Cursors | None,
) -> None:
    """Begin the requests of a call: all at once, or page after page for a paginated list."""

    def begin(to: CallListener, index: int) -> None:
        begin_request(policy, context, to, call, index, scope)

    paging = call.node.compiled.paging
    if paging:
        PageFetcher(begin, context, listener, call, paging, cursors).begin()
        return
    for index in range(len(call.fan.units)):
        begin(listener, index)


class PageFetcher:
    """Fetches the pages of one call, one after the other."""

    def __init__(
        self,
        begin: Begin,
        context: RunContext,
        listener: CallListener,
        call: RunningCall,
        paging: Paging,
        cursors: Cursors | None,
    ) -> None:
        self._begin, self._context, self._listener = begin, context, listener
        self._call, self._paging, self._cursors = call, paging, cursors
        self._service = call.node.compiled.service
        self._position: Position | None = None
        if cursors and paging.pages.param:
            self._position = cursors.starts.get(paging.pages.param)
        self._seen = {self._position}
        self._items: list[Any] = []
        self._fetched = 0  # pages
        self._due: int | None = None  # the index of the page to request next
        self._requesting = False

    def begin(self) -> None:
        """Request the first page, or the page at the client's cursor."""
        unit = self._call.fan.units[0]
        try:
            unit.request = turned_to(self._paging, self._service, unit.request, self._position)
        except BffError as error:
            self._end(error)
        except Exception as error:  # noqa: BLE001 - reported, and ends the call
            self._end(self._context.caught(error, self._call))
        else:
            self._request_page(0)

    def ended(self, _call: RunningCall, index: int, result: Any) -> None:
        """The request of a page has ended with the page or an error."""
        try:
            value = self._next_page_or_value(index, result)
        except BffError as error:
            value = self._partial_or_error(error)
        except Exception as error:  # noqa: BLE001 - reported, and ends the call
            value = self._partial_or_error(self._context.caught(error, self._call))
        if value is _MORE:
            self._request_page(index + 1)
        else:
            self._end(value)

    def unauthorized(self, error: BffError) -> None:
        """The client has to sign in again."""
        self._listener.unauthorized(error)

    def _request_page(self, index: int) -> None:
        """Request a page. A loop, as a cached page ends during `begin` and would recurse."""
        self._due = index
        if self._requesting:
            return
        self._requesting = True
        while self._due is not None:
            due, self._due = self._due, None
            self._begin(self, due)
        self._requesting = False

    def _next_page_or_value(self, index: int, result: Any) -> Any:
        """The value of the list after its last page; else `_MORE`, with the next request made.

        Raises:
            BffError: the list ends with an error.
        """
        if isinstance(result, BffError):
            raise result
        after = self._add_page(index, result)
        if after is None or self._paging.pages.param:
            return self._value(after)
        self._context.budget.send(1)
        last = self._call.fan.units[index].request
        request = turned_to(self._paging, self._service, last, after)
        self._position = after
        self._call.fan.units.append(Unit(request))
        self._call.results.append(None)
        return _MORE

    def _add_page(self, index: int, result: Any) -> Position | None:
        """Add the items of a page. Returns the position of the next page; None after the last.

        Raises:
            BadReply: a page links to an earlier one, or the position of the next is malformed.
            TooMany: the list has more pages than the call gathers.
        """
        page = Page(result.value) if isinstance(result, StatusValue) else result
        self._items += page.items
        self._fetched += 1
        if isinstance(result, StatusValue):
            return None  # the value declared for a status has no next page
        request = self._call.fan.units[index].request
        after = following(self._paging, self._service, request, self._position, page)
        if after is None:
            return None
        if after in self._seen:
            raise BadReply("the pages link in a cycle")
        self._seen.add(after)
        pages = self._paging.pages
        if pages.gather and self._fetched >= pages.gather:
            if pages.truncate:
                return None
            raise TooMany(f"more than the {pages.gather} pages that the call gathers")
        return after

    def _value(self, after: Position | None) -> Any:
        """The list or, if the client pages through it, an object with its items and `next`."""
        param = self._paging.pages.param
        if not param:
            return self._items
        if after is None:
            return {"items": self._items, "next": None}
        if self._cursors is None:
            raise Unfillable("cursors cannot be sealed here")
        return {"items": self._items, "next": self._cursors.seal(param, after)}

    def _partial_or_error(self, error: BffError) -> Any:
        """The result after a failed page: the pages before it, if the call accepts that."""
        pages = self._paging.pages
        if not pages.partial or not 0 < self._fetched < pages.gather:
            return error  # with all pages gathered, the error is not one of a page
        return IncompleteList(self._items, error, of=self._fetched + 1)

    def _end(self, result: Any) -> None:
        self._due = None
        self._listener.ended(self._call, 0, result)
