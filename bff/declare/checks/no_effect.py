"""Warnings for keys that have no effect, because of other keys or the method."""

from collections.abc import Iterator

from bff.model.config import Config
from bff.model.problem import Problem
from bff.model.service import Service
from bff.model.source import Place
from bff.model.view import Call, View

_ONE_ADDRESS = ("balance", "eject")
_REPEATABLE = frozenset({"PUT", "DELETE"})  # RFC 9110, section 9.2.2


def keys_without_effect(config: Config, views: tuple[View, ...]) -> Iterator[Problem]:
    """Keys of services and calls that have no effect."""
    for service in config.services.values():
        yield from _of_service(service)
    for view in views:
        for call in view.calls:
            yield from _of_call(view, call)


def _of_service(service: Service) -> Iterator[Problem]:
    place = service.place
    if not service.others:
        for key in _ONE_ADDRESS:
            if key in place.keys:
                message = f"`{key}` is for several addresses, and `{service.name}` has one"
                yield _no_effect(place.of(key), message, "remove it, or give `url` a list")
    times = {
        "limit": service.wait,
        "retry": service.retry.each if service.retry else None,
        "hedge": service.hedge.after if service.hedge else None,
        "breaker": service.breaker.slow if service.breaker else None,
    }
    for key, seconds in times.items():
        if seconds is not None and seconds >= service.timeout and key in place.keys:
            message = f"a duration of `{key}` is {seconds:g}s, and a request times out after"
            hint = "a shorter duration, or a longer `timeout`"
            yield _no_effect(place.of(key), f"{message} {service.timeout:g}s", hint)


def _of_call(view: View, call: Call) -> Iterator[Problem]:
    place = call.place
    if call.timeout and call.timeout > view.timeout and "timeout" in place.keys:
        message = f"`{call.name}` may take {call.timeout:g}s, and the view {view.timeout:g}s"
        yield _no_effect(place.of("timeout"), message, "a shorter `timeout`")
    if call.retry and call.retry.retries and not (call.safe or call.method in _REPEATABLE):
        message = f"a {call.method} is not retried, so `retry` of `{call.name}` has no effect"
        yield _no_effect(place.of("retry"), message, "`safe: true` where it changes nothing")
    if call.hedge and not call.hedge.never and not call.safe:
        message = f"a {call.method} is not hedged, so `hedge` of `{call.name}` has no effect"
        yield _no_effect(place.of("hedge"), message, "`safe: true` where it changes nothing")
    if call.passes and call.rung != "required":
        message = f"`{call.name}` is {call.rung}, so `pass` has no effect"
        yield _no_effect(place.of("pass"), message, "remove `pass`, or make the call required")
    for status in sorted(call.passes & (call.statuses.keys() | call.keeps)):
        message = f"`status` replaces {status} by a value, so it is not passed on"
        yield _no_effect(place.of("pass"), message, "remove it from `pass` or from `status`")


def _no_effect(place: Place, message: str, hint: str) -> Problem:
    return Problem("no-effect", place, message, hint, warning=True)
