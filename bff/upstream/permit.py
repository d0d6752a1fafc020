"""Leave to send a request, from when it is given until how the request ended is known."""

from dataclasses import replace
from types import TracebackType
from typing import Any, Protocol, Self

from bff.errors import BffError, Cancelled, UpstreamError
from bff.model.exchange import Deadline, Reply, Request, Why
from bff.model.trace import new_span
from bff.observe.events import Attempted
from bff.upstream.exchange import Completion, Exchange, Sink, reader_of
from bff.upstream.hedge import Latencies


class Giver(Protocol):
    """What gives permits, and hears how each ended."""

    def settle(self, permit: "Permit", result: Reply | BffError) -> None:
        """The request has ended, or was given up; only the first word counts."""


class Permit:
    """Leave to send one request to one address; also the mailbox that its completion goes through.

    So its end is counted when it ends, even while the conductor is busy with something else.
    """

    __slots__ = (
        "_giver",
        "_mailbox",
        "_request",
        "_resends",
        "_span",
        "_why",
        "address",
        "began",
        "era",
        "latencies",
        "over",
        "url",
    )

    def __init__(self, giver: Giver, address: int, url: str, began: float, era: int) -> None:
        self._giver = giver
        self.address, self.url, self.began, self.era = address, url, began, era
        self.over = False
        self.latencies: Latencies | None = None  # where how long it takes is to be remembered
        self._mailbox: Sink | None = None
        self._request: Request | None = None
        self._why: Why = "first"
        self._resends, self._span = 0, ""

    @property
    def poller(self) -> Any:
        """What reads for the mailbox behind it; see `reader_of`."""
        return None if self._mailbox is None else reader_of(self._mailbox)

    def sends(self, request: Request, why: Why = "first", resends: int = 0) -> Request:
        """Note what is sent with this permit; the request, with what a trace says to the service.

        Args:
            resends: how often it was sent before.
        """
        self._request, self._why, self._resends = request, why, resends
        trace = request.origin.trace if request.origin else None
        if trace is None:
            return request
        self._span = new_span()
        return replace(request, trace=trace.headers(self._span))

    def towards(self, mailbox: Sink) -> "Permit":
        """Have completions go on to `mailbox`."""
        self._mailbox = mailbox
        return self

    def start(
        self, exchange: Exchange, request: Request, deadline: Deadline, attempt: int, mailbox: Sink
    ) -> Any:
        """Have a request carried, with completions that go on to `mailbox`.

        Where that raises, the place is given back.

        Returns:
            The exchange's ticket.
        """
        try:
            return exchange.start(request, deadline, attempt, self.towards(mailbox))
        except BaseException:
            self.settle(Cancelled("it was never sent"))
            raise

    def shares(self) -> None:
        """Another's request brings the completion: none is sent with this one, and none counts."""
        self._request = None
        self.settle(Cancelled("it is sent for somebody else already"))

    def settle(self, result: Reply | BffError) -> None:
        """The request has ended, or was given up (`Cancelled`)."""
        self._giver.settle(self, result)

    def put(self, completion: Completion) -> None:
        """The request has ended; its completion goes on."""
        try:
            self._giver.settle(self, completion.result)
        finally:
            if self._mailbox:
                self._mailbox.put(completion)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the place back, unless how the request ended is known by now."""
        self.settle(error if isinstance(error, UpstreamError) else Cancelled("given up"))

    def attempted(self, result: Reply | BffError, now: float) -> Attempted | None:
        """What observers hear of its end; None where nothing was ever sent with it."""
        request = self._request
        if request is None:
            return None
        return Attempted(
            service=request.service,
            url=self.url,
            method=request.method,
            why=self._why,
            resends=self._resends,
            status=result.status if isinstance(result, Reply) else None,
            reason="" if isinstance(result, Reply) else result.reason,
            took=now - self.began,
            span=self._span,
            origin=request.origin,
        )
