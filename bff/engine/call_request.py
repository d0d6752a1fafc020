"""One request of a call, from its first attempt until there is a value or an error.

`conduct.Run` decides about calls, a `CallRequest` about the attempts of one request.
"""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from bff.engine.attempts import Join
from bff.engine.outcomes import RunningCall
from bff.engine.retry_allowance import RetryAllowance
from bff.engine.run_context import (
    CallListener,
    RunContext,
    credentials_for,
    keep_credentials,
    read,
    value_or_error,
)
from bff.engine.shared_fetch import FetchResult
from bff.engine.transient import is_bad
from bff.errors import BffError, Cancelled, TimedOut, TooMany, UpstreamError
from bff.model.exchange import Deadline, Headers, Reply, Tried, Why
from bff.plan.links import redirected
from bff.upstream.hedge import Latencies, hedge_after
from bff.upstream.permit import Permit
from bff.upstream.retry import wait_before

_MAX_HOPS: Final = 3
_UNAUTHORIZED: Final = 401
_PLACE, _HEDGE, _WAIT, _JOINED = "place", "hedge", "wait", "joined"


class CallRequest:
    """One request of a call, and what has been tried for it.

    Args:
        join: how it is sent where others may want the same; None where nobody may have it.
    """

    __slots__ = (
        *(
            "_attempts",
            "_call",
            "_clock",
            "_compiled",
            "_context",
            "_extra",
            "_failed_urls",
            "_guard",
        ),
        *("_hops", "_index", "_join", "_joined_again", "_last", "_listener", "_out", "_over"),
        *("_renewed", "_request", "_retries", "_sent_with", "_why"),
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
        known = context.credentials.get(self._compiled.service.name, ())
        self._sent_with: Headers = () if isinstance(known, BffError) else known
        self._renewed = self._joined_again = self._over = False
        self._last: Reply | BffError | None = None  # what it came to when it was last sent
        self._hops = self._retries = 0
        self._extra = RetryAllowance(self._guard, context.budget)
        self._why: Tried = ("first", 0)  # it is sent, and how often it was before
        self._failed_urls: list[str] = []  # where it has failed
        self._out: dict[Permit | str, int] = {}  # attempts, and timers by their names

    def begin(self) -> None:
        """Send the request, unless it is plain that no answer will come in time."""
        if not self._compiled.service.hopeless:
            p95 = self._latencies.p95()
            if p95 is not None and p95 > self._left():
                self._end(TimedOut("it takes longer than is left"))
                return
        self._send()

    def _send_again(self, why: Why) -> None:
        self._why = (why, self._why[1] + 1)
        self._send()

    def _send(self) -> None:
        """Have a place at an address, at once or in line, and send the request there."""
        if self._attempts.over:
            self.lost()
            return
        if not self._left():
            self._end(TimedOut("its time was over before it could be sent"))
            return
        if self._join and not self._hops:
            self._out[_JOINED] = self._join(
                self._request, self._why, self._failed_urls, self, self._on_shared_result
            )
            return
        try:
            permit = self._guard.admit(self._failed_urls)
        except UpstreamError as error:
            self._end(error)
            return
        if permit:
            self._send_with(permit)
            return
        until, wait, attempts = (
            self._call.ends.at,
            self._compiled.service.wait,
            self._attempts,
        )
        if wait is not None:
            until = min(until, self._clock.now() + wait)
        self._out[_PLACE] = attempts.queue(
            self._guard, self._failed_urls, until, self, self._placed
        )

    def _placed(self, got: Permit | BffError) -> None:
        del self._out[_PLACE]
        if isinstance(got, BffError):
            self._end(got)
        elif self._left():
            self._send_with(got)
        else:
            got.settle(Cancelled("it came too late"))
            self._end(TimedOut("its time was over before it could be sent"))

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
        request = permit.sends(request, *why)
        send, safe = self._attempts.send, self._compiled.call.safe
        then = partial(self._receive, permit)
        self._out[permit] = send(request, ends, permit, self, then, safe=safe)

    def _hedge(self, _due: None) -> None:
        """Send the request a second time, beside the first, where there is room for it."""
        del self._out[_HEDGE]
        if not self._left() or not self._extra.take():
            return
        elsewhere = [each.url for each in self._out if isinstance(each, Permit)]
        with suppress(UpstreamError):
            permit = self._guard.admit([*self._failed_urls, *elsewhere])
            if permit:
                self._attempt(permit, ("hedge", self._why[1] + 1))

    def _receive(self, permit: Permit, result: Any) -> None:
        del self._out[permit]
        self._on_result(permit.url, result, spends=True)

    def _on_shared_result(self, landed: Any) -> None:
        """What was sent for several has ended, or this one's own time is over.

        A request that only joined one that failed joins or starts one more, once.
        """
        del self._out[_JOINED]
        if not isinstance(landed, FetchResult):
            self._on_result("", landed, spends=False)
        elif is_bad(landed.result) and not (landed.led or self._joined_again) and self._left():
            self._joined_again = True
            self._send()
        else:
            self._on_result(landed.url, landed.result, spends=landed.led)

    def _on_result(self, url: str, result: Any, *, spends: bool) -> None:
        self._last = result
        if self._attempts.over:
            self.lost()
            return
        try:
            if isinstance(result, Reply):
                self._context.budget.receive(len(result.body))
            if is_bad(result):
                if any(isinstance(each, Permit) for each in self._out):
                    return  # the other one may still be well
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
        """Whether the request will be sent again, after a while."""
        retry = self._compiled.retry
        if retry is None:
            return False
        tried = self._retries + 1
        wait = wait_before(retry, tried, result, self._left(), self._context.runtime.guards.dice)
        self._extra.give_back()  # what the try before had of the budget
        # who joins what another sends costs the service nothing
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
        """Whether the request waits for new credentials, which it does once.

        Its method does not matter: a 401 was not processed (RFC 9110, section 15.5.2).
        """
        unauthorized = reply.status == _UNAUTHORIZED and self._sent_with
        if not unauthorized or self._renewed or not self._left():
            return False
        self._renewed = True
        service = self._compiled.service.name
        known = self._context.credentials.get(service, ())
        if known != self._sent_with:  # another request has had the same answer before
            self._renew(known)
            return True
        effect = credentials_for(self._compiled.service, self._context.principal, self._sent_with)
        self._attempts.obtain(effect, self._call.ends, self, self._renew)
        return True

    def _renew(self, credentials: Headers | BffError) -> None:
        """Send the request once more with what it is to be sent with from now on."""
        if isinstance(credentials, TimedOut):  # it is this call's time that was over, no other's
            self._end(credentials)
            return
        service = self._compiled.service.name
        if keep_credentials(self._context, self._listener, service, credentials):
            self.lost()
            return
        known = self._context.credentials[service]
        try:
            if isinstance(known, BffError):
                raise known
            if known == self._sent_with and self._last:  # there are no others: the 401 is the reply
                self._end(value_or_error(self._context, self._compiled, self._last))
                return
            self._context.budget.send(1)
        except BffError as error:
            self._end(error)
            return
        kept = [each for each in self._request.headers if each not in self._sent_with]
        self._request = replace(self._request, headers=(*kept, *known))
        self._sent_with = known
        self._send_again("renewal")

    def _redirects(self, reply: Reply) -> bool:
        """Whether a reply sends the request elsewhere, where that may be followed."""
        if not self._left():
            raise TimedOut("redirected when its time was over")
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
        """What followed an attempt raised what no code expects: that is what it comes to."""
        if self._over:
            raise error  # it is of what follows the end
        self._end(self._context.caught(error, self._call))

    def lost(self) -> None:
        """The answer is over, and the request is sent no more; a write's last end is its end."""
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
