"""Cache administration on the management listener: statistics, entries, invalidation."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from flask import Response

from bff.cache.cache import Cache
from bff.cache.key import EVERYTHING, key_of, kind_of, tag_of
from bff.model.json_text import decode_json
from bff.model.untrusted import whole_number

PREFIX: Final = "/cache"
_MAX_BODY: Final = 64 * 1024  # bytes
_KEYS: Final = frozenset({"tags", "views", "services", "all"})


class CacheAdmin:
    """The endpoints below `/cache`.

    Args:
        cache: the cache of this process; None if no caching is configured.
    """

    def __init__(self, cache: Cache | None) -> None:
        self._cache = cache

    def respond(self, environ: Mapping[str, Any]) -> Response:
        """Respond to a request, given its WSGI environ."""
        path = environ.get("PATH_INFO", "").removeprefix(PREFIX)
        method = environ.get("REQUEST_METHOD", "")
        wanted = {"": "GET", "/entries": "GET", "/purge": "POST"}.get(path)
        if wanted is None:
            return _json_response(404, {"error": "not found"})
        if method != wanted:
            return _json_response(405, {"error": f"method not allowed: use {wanted}"}, Allow=wanted)
        if self._cache is None:
            return _json_response(409, {"error": "no caching is configured"})
        if path == "/purge":
            return self._purge(self._cache, environ)
        if path == "/entries":
            return _json_response(200, {"entries": self._cache.entries()})
        return _json_response(200, self._cache.stats())

    def _purge(self, cache: Cache, environ: Mapping[str, Any]) -> Response:
        # CSRF: a web page can send a form here without a preflight, but not JSON
        if environ.get("CONTENT_TYPE", "").split(";")[0].strip() != "application/json":
            return _json_response(415, {"error": "the body must be application/json"})
        if environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() != "identity":
            coded = {"error": "the body must not be compressed"}
            return _json_response(415, coded, **{"Accept-Encoding": "identity"})
        length = whole_number(environ.get("CONTENT_LENGTH", ""))
        if length is None or length > _MAX_BODY:
            return _json_response(
                413, {"error": f"Content-Length is required, and at most {_MAX_BODY}"}
            )
        try:
            tags = _tags(decode_json(environ["wsgi.input"].read(length), halves=False))
        except ValueError as error:
            return _json_response(400, {"error": str(error)})
        everywhere = cache.invalidate(tags)
        content = {"invalidated": len(tags), "everywhere": everywhere}
        return _json_response(200 if everywhere else 202, content)


def _tags(body: Any) -> list[str]:
    """The tags to invalidate, as the cache stores them.

    Raises:
        ValueError: the body is invalid, or names none.
    """
    if not isinstance(body, dict) or body.keys() - _KEYS:
        raise ValueError(f"the body must be an object with the keys {', '.join(sorted(_KEYS))}")
    tags = [tag_of(text) for text in _strings(body, "tags")]
    tags += [kind_of("view", name) for name in _strings(body, "views")]
    tags += [kind_of("service", name) for name in _strings(body, "services")]
    tags += [key_of(EVERYTHING)] if body.get("all") is True else []
    if not tags:
        raise ValueError("the body names nothing to invalidate")
    return tags


def _strings(body: Mapping[str, Any], name: str) -> Iterable[str]:
    found = body.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, str) and each for each in found):
        raise ValueError(f"`{name}` must be a list of non-empty strings")
    return found


def _json_response(status: int, content: Mapping[str, Any], **headers: str) -> Response:
    response = Response(orjson.dumps(content), status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers.extend(headers)
    return response
