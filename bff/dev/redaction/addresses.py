"""Rewrites the parts of URLs: user information, path parameters, query and fragment."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, unquote, unquote_plus

URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s\"'<>\\^`{|}]+")
FORM: Final = re.compile(
    r"[^\s&={}<>\"']{1,200}=[^\s&{}<>\"']*(?:&[^\s&={}<>\"']{1,200}(?:=[^\s&{}<>\"']*)?)*&?"
)

Named = Callable[[str, str], str]  # (name, value) -> new value


class UrlRewriter:
    """Rewrites URLs part by part; unchanged parts stay as they are written.

    Args:
        named: rewrites the value of a parameter.
        text: rewrites a segment of a path.
        user: rewrites a password or token before the host.
    """

    def __init__(
        self, named: Named, text: Callable[[str], str], user: Callable[[str], str]
    ) -> None:
        self._named, self._text, self._user = named, text, user

    def url(self, url: str) -> str:
        """Rewrite an absolute URL (RFC 3986)."""
        scheme, _, rest = url.partition("://")
        cut = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
        authority, target = rest[:cut], rest[cut:]
        user, at, host = authority.rpartition("@")
        if at:
            name, colon, password = user.partition(":")
            secret = password if colon and password else name
            made = _again(secret, self._user(unquote(secret)), unquote(secret))
            authority = f"{name}:{made}@{host}" if colon and password else f"{made}@{host}"
        return f"{scheme}://{authority}{self.target(target)}"

    def target(self, target: str) -> str:
        """Rewrite a path with its query and fragment (RFC 9112, section 3.2)."""
        target, hash_mark, fragment = target.partition("#")
        path, mark, query = target.partition("?")
        if "=" in fragment:
            start, inner, pairs = fragment.rpartition("?")
            fragment = start + inner + self.pairs(pairs)
        elif fragment:
            fragment = _again(fragment, self._text(unquote(fragment)), unquote(fragment))
        return self.path(path) + mark + self.pairs(query) + hash_mark + fragment

    def path(self, path: str) -> str:
        """Rewrite a path with its parameters, such as `;jsessionid=…`."""
        return "/".join(map(self._segment, path.split("/")))

    def pairs(self, query: str) -> str:
        """Rewrite a query or a form (application/x-www-form-urlencoded)."""
        return "&".join(map(self._pair, query.split("&"))) if query else ""

    def _segment(self, segment: str) -> str:
        first, *parameters = segment.split(";")
        made = [_again(first, self._text(unquote(first)), unquote(first))]
        return ";".join(made + [self._pair(each) if "=" in each else each for each in parameters])

    def _pair(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        plain = unquote_plus(value)
        if not equals:
            plain = unquote_plus(name)
            return _again(name, self._text(plain), plain)
        key = unquote_plus(name)
        made_key = _again(name, self._text(key), key)
        return made_key + equals + _again(value, self._named(key, plain), plain)


def _again(written: str, made: str, plain: str) -> str:
    """The text as it was written if unchanged, otherwise the new text, percent-encoded."""
    return written if made == plain else quote(made, "", errors="replace")
