"""What operators may do with the cache, on the management listener: see it, and invalidate."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from flask import Response

from bff.cache.cache import Cache
from bff.cache.key import EVERYTHING, key_of, kind_of, tag_of
from bff.model.json_text import decode_json
from bff.model.untrusted import whole_number

PREFIX: Final = "/cache"
_MOST: Final = 64 * 1024  # bytes of a request
_KEYS: Final = frozenset({"tags", "views", "services", "all"})


class CacheAdmin:
    """Answers below `/cache`.

    Args:
        cache: this process's; None where nothing is kept.
    """

    def __init__(self, cache: Cache | None) -> None:
        self._cache = cache

    def respond(self, environ: Mapping[str, Any]) -> Response:
        """Answer a request."""
        path = environ.get("PATH_INFO", "").removeprefix(PREFIX)
        method = environ.get("REQUEST_METHOD", "")
        wanted = {"": "GET", "/entries": "GET", "/purge": "POST"}.get(path)
        if wanted is None:
            return _told(404, {"error": "not here"})
        if method != wanted:
            return _told(405, {"error": f"this is for {wanted}"}, Allow=wanted)
        if self._cache is None:
            return _told(409, {"error": "nothing is declared to be kept"})
        if path == "/purge":
            return self._purge(self._cache, environ)
        if path == "/entries":
            return _told(200, {"entries": self._cache.entries()})
        return _told(200, self._cache.stats())

    def _purge(self, cache: Cache, environ: Mapping[str, Any]) -> Response:
        # a page of somebody's browser could send a form here, but JSON only if it was asked first
        if environ.get("CONTENT_TYPE", "").split(";")[0].strip() != "application/json":
            return _told(415, {"error": "the body must be application/json"})
        if environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() != "identity":
            coded = {"error": "the body must not be compressed"}
            return _told(415, coded, **{"Accept-Encoding": "identity"})
        length = whole_number(environ.get("CONTENT_LENGTH", ""))
        if length is None or length > _MOST:
            return _told(413, {"error": f"a body of at most {_MOST} bytes is needed"})
        try:
            tags = _tags(decode_json(environ["wsgi.input"].read(length), halves=False))
        except ValueError as error:
            return _told(400, {"error": str(error)})
        told = cache.invalidate(tags)
        return _told(200 if told else 202, {"invalidated": len(tags), "everywhere": told})


def _tags(body: Any) -> list[str]:
    """The keys that a body names.

    Raises:
        ValueError: it names none, or is nothing of the kind.
    """
    if not isinstance(body, dict) or body.keys() - _KEYS:
        raise ValueError(f"the body is an object of {', '.join(sorted(_KEYS))}")
    tags = [tag_of(text) for text in _texts(body, "tags")]
    tags += [kind_of("view", name) for name in _texts(body, "views")]
    tags += [kind_of("service", name) for name in _texts(body, "services")]
    tags += [key_of(EVERYTHING)] if body.get("all") is True else []
    if not tags:
        raise ValueError("nothing is named")
    return tags


def _texts(body: Mapping[str, Any], name: str) -> Iterable[str]:
    found = body.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, str) and each for each in found):
        raise ValueError(f"`{name}` is a list of texts")
    return found


def _told(status: int, content: Mapping[str, Any], **headers: str) -> Response:
    response = Response(orjson.dumps(content), status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers.extend(headers)
    return response
