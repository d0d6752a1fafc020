"""The pages of one list: fetches one page, or page after page up to a limit.

Each page is a request of the call like any other: retried, cached, shared with others. All pages
together have the call's time-out.
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
_MORE: Final = object()  # there is a page to be asked for


def begin_call(
    policy: CachePolicy | None,
    context: RunContext,
    listener: CallListener,
    call: RunningCall,
    scope: Scope,
    cursors: Cursors | None,
) -> None:
    """Pursue the requests of a call, all at once, or page after page."""

    def begin(to: CallListener, index: int) -> None:
        begin_request(policy, context, to, call, index, scope)

    paging = call.node.compiled.paging
    if paging:
        PageFetcher(begin, context, listener, call, paging, cursors).begin()
        return
    for index in range(len(call.fan.units)):
        begin(listener, index)


class PageFetcher:
    """The pages of one call, and those that are still to be asked for."""

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
        self._came = 0
        self._due: int | None = None  # the page that is to be asked for
        self._asking = False

    def begin(self) -> None:
        """Ask for the first page, or for the one that the client's cursor leads to."""
        unit = self._call.fan.units[0]
        try:
            unit.request = turned_to(self._paging, self._service, unit.request, self._position)
        except BffError as error:
            self._end(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            self._end(self._context.caught(error, self._call))
        else:
            self._ask(0)

    def ended(self, _call: RunningCall, index: int, result: Any) -> None:
        """A page has come, or will not."""
        try:
            done = self._turned(index, result)
        except BffError as error:
            done = self._what_came(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            done = self._what_came(self._context.caught(error, self._call))
        if done is _MORE:
            self._ask(index + 1)
        else:
            self._end(done)

    def unauthorized(self, error: BffError) -> None:
        """The client has to sign in again."""
        self._listener.unauthorized(error)

    def _ask(self, index: int) -> None:
        """Request a page; cached ones end at once, and must not recurse."""
        self._due = index
        if self._asking:
            return
        self._asking = True
        while self._due is not None:
            due, self._due = self._due, None
            self._begin(self, due)
        self._asking = False

    def _turned(self, index: int, result: Any) -> Any:
        """What the pages come to; or that there is one more, whose request is made.

        Raises:
            BffError: there will be no more.
        """
        if isinstance(result, BffError):
            raise result
        after = self._took(index, result)
        if after is None or self._paging.pages.param:
            return self._value(after)
        self._context.budget.send(1)
        last = self._call.fan.units[index].request
        request = turned_to(self._paging, self._service, last, after)
        self._position = after
        self._call.fan.units.append(Unit(request))
        self._call.results.append(None)
        return _MORE

    def _took(self, index: int, result: Any) -> Position | None:
        """Take a page in; where the next one is that is to be asked for.

        Raises:
            BadReply: the pages go round in a circle, or there is no telling.
            TooMany: there are more than may be gathered.
        """
        page = Page(result.value) if isinstance(result, StatusValue) else result
        self._items += page.items
        self._came += 1
        if isinstance(result, StatusValue):
            return None  # what stands for a status says nothing of a page after it
        request = self._call.fan.units[index].request
        after = following(self._paging, self._service, request, self._position, page)
        if after is None:
            return None
        if after in self._seen:
            raise BadReply("the pages go round in a circle")
        self._seen.add(after)
        pages = self._paging.pages
        if pages.gather and self._came >= pages.gather:
            if pages.truncate:
                return None
            raise TooMany(f"more than the {pages.gather} pages that the call gathers")
        return after

    def _value(self, after: Position | None) -> Any:
        param = self._paging.pages.param
        if not param:
            return self._items
        if after is None:
            return {"items": self._items, "next": None}
        if self._cursors is None:
            raise Unfillable("cursors cannot be sealed here")
        return {"items": self._items, "next": self._cursors.seal(param, after)}

    def _what_came(self, error: BffError) -> Any:
        """What counts where a page failed: nothing, or the pages before it."""
        pages = self._paging.pages
        if not pages.partial or not 0 < self._came < pages.gather:
            return error  # after the last page that may be read, it is no page that failed
        return IncompleteList(self._items, error, of=self._came + 1)

    def _end(self, result: Any) -> None:
        self._due = None
        self._listener.ended(self._call, 0, result)
