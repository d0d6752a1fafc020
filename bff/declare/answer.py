"""What a view answers besides its shape: the status, a location, headers, or no body."""

import re
from dataclasses import dataclass
from typing import Any, Final

from bff.declare.load import Node
from bff.declare.read import Key, Reader, integer, source, table, text, wrong
from bff.declare.readers import NAME
from bff.model.source import Place, Source
from bff.model.view import JSON

NO_BODY: Final = "none"
_WITHOUT_BODY: Final = frozenset({201, 202, 204, 205})
_EMPTY: Final = ""  # the media type of an answer without a body


_MEDIA_TYPE: Final = text(  # RFC 9110, section 8.3.1, without parameters
    r"[a-z]+/[a-z0-9][a-z0-9.+-]*", "a media type", "without parameters, such as `text/csv`"
)
# What a browser would run, or show as a page of this site.
_ACTIVE: Final = re.compile(
    r"text/(html|xml|xsl)|application/(xml|xhtml\+xml|x-shockwave-flash)|image/svg\+xml"
    r"|.*(javascript|ecmascript)|multipart/.*|message/.*"
)
_OF_JSON: Final = ("shape_with", "shapes", "sparse", "refresh", "omit_null")
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})  # RFC 9110, section 15.4
_CREATED: Final = frozenset({201, 202})


@dataclass(frozen=True, slots=True)
class StatusAndLocation:
    """A status with a location."""

    status: int
    location: Source


def _with_location(place: Place, values: dict[str, Any]) -> StatusAndLocation:
    if values["status"] not in _REDIRECTS | _CREATED:
        message = f"the status {values['status']} has no location"
        hint = "303 after a form, 302, 307, 301 or 308; 201 or 202 for what was created"
        raise wrong("wrong-value", place.of("status"), message, hint)
    return StatusAndLocation(**values)


WITH_LOCATION: Final = table(
    _with_location,
    {
        "status": Key(integer(200, 399), "A redirect, or 201 or 202.", required=True),
        "location": Key(source("a template"), "The address that it leads to.", required=True),
    },
    "an answer with a location",
)


def _answer_type(node: Node) -> str:
    found: str = _MEDIA_TYPE.read(node)
    if found == JSON:
        raise wrong("wrong-value", node.place, "an answer is JSON by default", "remove it")
    if _ACTIVE.fullmatch(found):
        message = f"a browser would run or show `{found}` as a page of this site"
        raise wrong("wrong-value", node.place, message, "a relay, for the pages of a service")
    return found


ANSWER_TYPE: Final = Reader(_answer_type, _MEDIA_TYPE.schema)


def _answer(node: Node) -> int | str | StatusAndLocation:
    if isinstance(node.value, dict):
        found: StatusAndLocation = WITH_LOCATION.read(node)
        return found
    reader = integer(200, 299) if isinstance(node.value, int) else NAME
    status: int | str = reader.read(node)
    return status


ANSWER: Final = Reader(_answer, {"anyOf": [{"type": ["integer", "string"]}, WITH_LOCATION.schema]})


def answer_fields(place: Place, values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a view that its answer is made of.

    Args:
        values: of the view's keys.

    Raises:
        ConfigError: the keys contradict each other.
    """
    shape, answer = values.get("shape"), values["answer"]
    found = {"answer": answer, "shape": shape, "respond": tuple(values["respond"].items())}
    if isinstance(answer, StatusAndLocation):
        found |= {"answer": answer.status, "location": answer.location}
        if values.get("cache"):
            message = "an answer with a location is never cached"
            raise wrong("key-conflict", place.of("cache"), message, "remove `cache`")
        if answer.status in _REDIRECTS:
            _refuse_with(place, values, ("shape", *_OF_JSON), "no body: it is a redirect")
            _refuse_type(place, values)
            return found | {"answer_type": _EMPTY}
    if values["answer_type"] != JSON:
        _refuse_with(place, values, _OF_JSON, f"the type {values['answer_type']}")
        found["answer_type"] = values["answer_type"]
    if isinstance(shape, Source) and shape.text == NO_BODY:
        _check_no_body(place, values)
        found |= {"shape": None, "answer_type": _EMPTY}
    return found


def _check_no_body(place: Place, values: dict[str, Any]) -> None:
    call = values.get("calls", {}).get(NO_BODY)
    if call:
        message = f"`shape: {NO_BODY}` is an answer without a body, and a call has this name"
        raise wrong("taken-name", call.place, message, "give the call another name")
    answer = values["answer"]
    status = answer.status if isinstance(answer, StatusAndLocation) else answer
    if isinstance(status, int) and status not in _WITHOUT_BODY:
        message = f"the status {status} promises a body, and `shape: none` has none"
        hint = "`answer: 201`, 202 or 204"
        raise wrong("key-conflict", place.of("answer", "shape"), message, hint)
    _refuse_with(place, values, _OF_JSON, "no body")
    _refuse_type(place, values)


def _refuse_type(place: Place, values: dict[str, Any]) -> None:
    if values["answer_type"] != JSON:
        message = "an answer without a body has no `answer_type`"
        raise wrong("key-conflict", place.of("answer_type"), message, "remove `answer_type`")


def _refuse_with(place: Place, values: dict[str, Any], names: tuple[str, ...], what: str) -> None:
    """Refuse keys that change a JSON answer, where there is none."""
    for name in names:
        if values.get(name):
            message = f"`{name}` is for answers in JSON, and this one has {what}"
            raise wrong("key-conflict", place.of(name), message, f"remove `{name}`")
