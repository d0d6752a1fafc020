"""Permission to send one request, from its admission until its outcome is recorded."""

from dataclasses import replace
from types import TracebackType
from typing import Any, Protocol, Self

from bff.errors import BffError, Cancelled, UpstreamError
from bff.model.exchange import Deadline, Reply, Request, Why
from bff.model.trace import new_span
from bff.observe.events import Attempted
from bff.upstream.exchange import Completion, Exchange, Sink, poller_of
from bff.upstream.hedge import Latencies


class PermitIssuer(Protocol):
    """Issues permits, and records the outcome of each."""

    def settle(self, permit: "Permit", result: Reply | BffError) -> None:
        """Record the outcome of a permit; only the first call has an effect."""


class Permit:
    """Permission to send one request to one address, and the sink for its completion.

    As the sink it records the outcome as soon as the request ends, also while the conductor is
    busy, and then forwards the completion.
    """

    __slots__ = (
        "_issuer",
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

    def __init__(
        self, issuer: PermitIssuer, address: int, url: str, began: float, era: int
    ) -> None:
        self._issuer = issuer
        self.address, self.url, self.began, self.era = address, url, began, era
        self.over = False
        self.latencies: Latencies | None = None  # receives the latency of the request
        self._mailbox: Sink | None = None
        self._request: Request | None = None
        self._why: Why = "first"
        self._resends, self._span = 0, ""

    @property
    def poller(self) -> Any:
        """The poller of the mailbox that it forwards to; see `poller_of`."""
        return None if self._mailbox is None else poller_of(self._mailbox)

    def record_request(self, request: Request, why: Why = "first", resends: int = 0) -> Request:
        """Record the request that is sent; returns it with the headers of its trace.

        Args:
            resends: the number of times it was sent before.
        """
        self._request, self._why, self._resends = request, why, resends
        trace = request.origin.trace if request.origin else None
        if trace is None:
            return request
        self._span = new_span()
        return replace(request, trace=trace.headers(self._span))

    def forward_to(self, mailbox: Sink) -> "Permit":
        """Forward completions to `mailbox`."""
        self._mailbox = mailbox
        return self

    def start(
        self, exchange: Exchange, request: Request, deadline: Deadline, attempt: int, mailbox: Sink
    ) -> Any:
        """Send a request by an exchange, and forward its completion to `mailbox`.

        If the exchange raises, the slot is released.

        Returns:
            The handle of the exchange.
        """
        try:
            return exchange.start(request, deadline, attempt, self.forward_to(mailbox))
        except BaseException:
            self.settle(Cancelled("the request was not sent"))
            raise

    def release_shared(self) -> None:
        """Release the slot: an equal request is in flight, whose completion this one receives."""
        self._request = None
        self.settle(Cancelled("an equal request is in flight"))

    def settle(self, result: Reply | BffError) -> None:
        """Record the outcome, or `Cancelled`."""
        self._issuer.settle(self, result)

    def put(self, completion: Completion) -> None:
        """Record the outcome, and forward the completion."""
        try:
            self._issuer.settle(self, completion.result)
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
        """Release the slot, unless an outcome is recorded already."""
        self.settle(error if isinstance(error, UpstreamError) else Cancelled("cancelled"))

    def attempted(self, result: Reply | BffError, now: float) -> Attempted | None:
        """The event for observers; None if no request was sent."""
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
