"""One request of a call, from its first attempt until there is a value or an error.

`conductor.Run` decides about calls, a `CallRequest` about the attempts of one request:

1. `_send`: it waits for a slot of the service, or joins a fetch that is shared.
2. `_retried`, `_hedge`: it is sent again after a failure, or beside a slow attempt.
3. `_renews`, `_redirects`: a 401 is answered with new credentials, a redirect is followed.
4. `_end`: what is still out is cancelled, and the listener is notified, once.
"""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from bff.engine.attempts import Join
from bff.engine.credential_renewal import CredentialRenewal
from bff.engine.outcomes import RunningCall
from bff.engine.retry_allowance import RetryAllowance
from bff.engine.run_context import CallListener, RunContext, read, value_or_error
from bff.engine.shared_fetch import FetchResult
from bff.engine.transient import is_bad
from bff.errors import BffError, Cancelled, TimedOut, TooMany, UpstreamError
from bff.model.exchange import Deadline, Headers, Reply, Tried, Why
from bff.plan.links import redirected
from bff.upstream.hedge import Latencies, hedge_after
from bff.upstream.permit import Permit
from bff.upstream.retry import wait_before

_MAX_HOPS: Final = 3
# The keys of `_out` for attempts other than requests.
_SLOT, _HEDGE, _WAIT, _JOINED = "slot", "hedge", "wait", "joined"


class CallRequest:
    """One request of a call, and the attempts that were made for it.

    Args:
        join: sends it as a fetch that others may share; None to send it alone.
    """

    __slots__ = (
        *("_attempts", "_call", "_clock", "_compiled", "_context", "_extra", "_failed_urls"),
        *("_guard", "_hops", "_index", "_join", "_joined_again", "_last", "_listener", "_out"),
        *("_over", "_renewal", "_request", "_retries", "_why"),
    )

    def __init__(
        self,
        context: RunContext,
        listener: CallListener,
        call: RunningCall,
        index: int,
        join: Join | None = None,
    ) -> None:
        self._context, self._listener, self._call, self._index = context, listener, call, index
        self._join = join
        self._compiled = call.node.compiled
        runtime = context.runtime
        self._clock, self._attempts = runtime.clock, context.attempts
        self._guard = runtime.guards[self._compiled.service.name]
        self._request = call.fan.units[index].request
        self._renewal = CredentialRenewal(context, self._compiled.service)
        self._joined_again = self._over = False
        self._last: Reply | BffError | None = None  # the result of the last attempt
        self._hops = self._retries = 0
        self._extra = RetryAllowance(self._guard, context.budget)
        self._why: Tried = ("first", 0)  # of the next attempt, and how many were before it
        self._failed_urls: list[str] = []  # addresses at which an attempt failed
        self._out: dict[Permit | str, int] = {}  # numbers of attempts under way

    def begin(self) -> None:
        """Send the request, unless its p95 latency exceeds the time that is left (`hopeless`)."""
        if not self._compiled.service.hopeless:
            p95 = self._latencies.p95()
            if p95 is not None and p95 > self._left():
                self._end(TimedOut("its p95 latency exceeds the time that is left"))
                return
        self._send()

    def _send_again(self, why: Why) -> None:
        self._why = (why, self._why[1] + 1)
        self._send()

    def _send(self) -> None:
        """Obtain a slot, at once or in the queue, and send the request."""
        if self._attempts.over:
            self.lost()
            return
        if not self._left():
            self._end(TimedOut("timed out before it could be sent"))
            return
        failed = self._failed_urls
        if self._join and not self._hops:
            joined = self._join(self._request, self._why, failed, self, self._on_shared_result)
            self._out[_JOINED] = joined
            return
        try:
            permit = self._guard.admit(failed)
        except UpstreamError as error:
            self._end(error)
            return
        if permit:
            self._send_with(permit)
            return
        until, wait = self._call.ends.at, self._compiled.service.wait
        if wait is not None:
            until = min(until, self._clock.now() + wait)
        self._out[_SLOT] = self._attempts.queue(self._guard, failed, until, self, self._on_slot)

    def _on_slot(self, got: Permit | BffError) -> None:
        del self._out[_SLOT]
        if isinstance(got, BffError):
            self._end(got)
        elif self._left():
            self._send_with(got)
        else:
            got.settle(Cancelled("the slot became free too late"))
            self._end(TimedOut("timed out before it could be sent"))

    def _send_with(self, permit: Permit) -> None:
        self._attempt(permit, self._why)
        hedge = self._compiled.hedge
        if hedge:
            after = hedge_after(hedge, None if hedge.after else self._latencies)
            if after is not None and after < self._left():
                at = self._clock.now() + after
                self._out[_HEDGE] = self._attempts.wake(at, self, self._hedge)

    def _attempt(self, permit: Permit, why: Tried) -> None:
        service, retry, hedge = self._compiled.service, self._compiled.retry, self._compiled.hedge
        request, ends = self._request, self._call.ends
        if retry and retry.each:
            ends = Deadline(min(ends.at, self._clock.now() + retry.each))
        if service.others:
            request = replace(request, url=permit.url)
        if service.deadline:
            left = str(int(ends.left(self._clock.now()) * 1000))
            request = replace(request, headers=(*request.headers, (service.deadline, left)))
        if not service.hopeless or (hedge and hedge.after is None):
            permit.latencies = self._latencies
        request = permit.record_request(request, *why)
        send, safe = self._attempts.send, self._compiled.call.safe
        on_result = partial(self._receive, permit)
        self._out[permit] = send(request, ends, permit, self, on_result, safe=safe)

    def _hedge(self, _due: None) -> None:
        """Send the request a second time, if the budgets and the concurrency limit allow it."""
        del self._out[_HEDGE]
        if not self._left() or not self._extra.take():
            return
        elsewhere = [permit.url for permit in self._out if isinstance(permit, Permit)]
        with suppress(UpstreamError):
            permit = self._guard.admit([*self._failed_urls, *elsewhere])
            if permit:
                self._attempt(permit, ("hedge", self._why[1] + 1))

    def _receive(self, permit: Permit, result: Any) -> None:
        del self._out[permit]
        self._on_result(permit.url, result, spends=True)

    def _on_shared_result(self, ended: Any) -> None:
        """A shared fetch has ended, or this request has timed out.

        If it failed, and another request had started it, this one joins or starts one more, once.
        """
        del self._out[_JOINED]
        if not isinstance(ended, FetchResult):
            self._on_result("", ended, spends=False)
        elif is_bad(ended.result) and not (ended.led or self._joined_again) and self._left():
            self._joined_again = True
            self._send()
        else:
            self._on_result(ended.url, ended.result, spends=ended.led)

    def _on_result(self, url: str, result: Any, *, spends: bool) -> None:
        """Wait for another attempt, retry, or end; `spends`: a retry counts against the budget."""
        self._last = result
        if self._attempts.over:
            self.lost()
            return
        try:
            if isinstance(result, Reply):
                self._context.budget.receive(len(result.body))
            if is_bad(result):
                if any(isinstance(attempt, Permit) for attempt in self._out):
                    return  # the other attempt may still succeed
                if self._retried(url, result, spends=spends):
                    return
            self._drop_others()
            if isinstance(result, Reply):
                if self._renews(result) or self._redirects(result):
                    return
                result = read(self._context, self._compiled, result)
        except BffError as error:
            result = error
        self._end(result)

    def _retried(self, url: str, result: Reply | BffError, *, spends: bool) -> bool:
        """Start the wait before a retry, if there will be one; returns whether there will."""
        retry = self._compiled.retry
        if retry is None:
            return False
        tried = self._retries + 1
        wait = wait_before(retry, tried, result, self._left(), self._context.runtime.guards.dice)
        self._extra.give_back()  # of the attempt before
        # a joined fetch costs the service nothing
        if wait is None or (spends and not self._extra.take()):
            return False
        self._retries += 1
        self._failed_urls.append(url)
        self._drop_others()
        at = self._clock.now() + wait
        self._out[_WAIT] = self._attempts.wake(at, self, self._retry)
        return True

    def _retry(self, _due: None) -> None:
        del self._out[_WAIT]
        self._send_again("retry")

    def _renews(self, reply: Reply) -> bool:
        """Begin to renew the credentials, once, after a 401; returns whether it does."""
        if not self._renewal.is_due(reply) or not self._left():
            return False
        self._renewal.begin(self._call.ends, self, self._renewed)
        return True

    def _renewed(self, credentials: Headers | BffError) -> None:
        """Send the request once more, with the credentials that were obtained."""
        try:
            if isinstance(
                credentials, TimedOut
            ):  # the call has timed out; the client need not sign in
                raise credentials
            if self._renewal.ends_answer(credentials, self._listener):
                self.lost()
                return
            request = self._renewal.apply(self._request)
            if request is None and self._last:  # no other credentials: the 401 is the reply
                self._end(value_or_error(self._context, self._compiled, self._last))
                return
            self._context.budget.send(1)
        except BffError as error:
            self._end(error)
            return
        self._request = request or self._request
        self._send_again("renewal")

    def _redirects(self, reply: Reply) -> bool:
        """Follow a redirect, if the service declares so; returns whether it does."""
        if not self._left():
            raise TimedOut("redirected after the deadline")
        request = redirected(self._request, reply, self._compiled.service)
        if request is None:
            return False
        self._context.budget.send(1)
        self._hops += 1
        if self._hops > _MAX_HOPS:
            raise TooMany("redirected too often")
        self._request = request
        self._send_again("redirect")
        return True

    def failed(self, error: Exception) -> None:
        """End with an unexpected exception in a step after an attempt."""
        if self._over:
            raise error  # raised by what follows the end of this request
        self._end(self._context.caught(error, self._call))

    def lost(self) -> None:
        """The run is over: end a write with its last result; a read needs no result."""
        self._extra.give_back()
        if self._compiled.call.safe or self._over:
            return
        last = self._last or Cancelled("the view was over before it was sent")
        self._end(value_or_error(self._context, self._compiled, last))

    def _end(self, result: Any) -> None:
        self._over = True
        self._drop_others()
        self._extra.give_back()
        self._listener.ended(self._call, self._index, result)

    def _drop_others(self) -> None:
        out, self._out = self._out, {}
        for number in out.values():
            self._attempts.cancel(number)

    def _left(self) -> float:
        return self._call.ends.left(self._clock.now())

    @property
    def _latencies(self) -> Latencies:
        return self._guard.latencies(self._compiled.endpoint)
