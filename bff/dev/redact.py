"""Takes secrets out of exchanges before they are written, and puts stable pseudonyms there.

The same secret has the same pseudonym wherever it stands, in one recording and in the next: so what
is joined by it can still be joined, and a new recording differs only where something changed.
"""

import hmac
import re
from collections.abc import Callable, Container
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

import orjson

from bff.dev.exchanged import Exchanged
from bff.dev.rules import Redaction, changed_at
from bff.model.exchange import Headers

PREFIX: Final = "redacted-"
_NAME: Final = re.compile(
    r"token|secret|passw|api[-_]?key|authorization|credential|cookie|session[-_]?id|jwt"
    r"|signature|private[-_]?key|assertion|^(auth|sid|otp|pin)$",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"passw|passcode|^(otp|pin)$", re.IGNORECASE)  # may be one in JSON
_SCHEME: Final = re.compile(r"(Bearer|Basic|DPoP|Digest|Negotiate|Token) +(.+)", re.IGNORECASE)
_FORM: Final = "application/x-www-form-urlencoded"
_LONG: Final = 8  # characters of a secret that stands in no text by chance


def is_secret(name: str, declared: Container[str] = ()) -> bool:
    """Whether what has this name is a secret, as a rule or because it is declared to be."""
    return bool(_NAME.search(name)) or name in declared


class Redactor:
    """Learns secrets from exchanges, then takes all of them out of each.

    Args:
        key: of the pseudonyms; whoever has it can tell whether a guess was right.
    """

    def __init__(self, rules: Redaction, key: bytes) -> None:
        self._rules, self._key = rules, key
        self._known: dict[str, str] = {}
        self._ordered: list[str] = []
        self._sorted = 0  # how many were known when they were ordered

    def learn(self, exchanged: Exchanged) -> None:
        """Find what is secret where secrets stand: by name, by path, by pattern."""
        self._redact(exchanged, self._learned)

    def redacted(self, exchanged: Exchanged) -> Exchanged:
        """The exchange without any secret that was learnt, of itself or of another."""
        plain = self._redact(exchanged, self._learned)
        if len(self._known) != self._sorted:
            self._sorted = len(self._known)
            long = (each for each in self._known if len(each) >= _LONG)
            self._ordered = sorted(long, key=len, reverse=True)
        return self._redact(plain, self._replaced)

    def _redact(self, exchanged: Exchanged, text: Callable[[str], str]) -> Exchanged:
        request, reply = exchanged.request, exchanged.reply
        learns = text == self._learned
        origin = request.origin
        if origin:
            origin = replace(origin, target=self._target(origin.target, text))
        request = replace(
            request,
            target=self._target(request.target, text),
            headers=self._headers(request.headers, text, learns=learns),
            body=self._body(request.body, request.headers, text, learns=learns),
            origin=origin,
        )
        reply = replace(
            reply,
            headers=self._headers(reply.headers, text, learns=learns),
            body=self._body(reply.body, reply.headers, text, learns=learns),
        )
        return replace(exchanged, request=request, reply=reply)

    # -- where secrets stand ---------------------------------------------------------------------

    def _headers(self, headers: Headers, text: Callable[[str], str], *, learns: bool) -> Headers:
        found = []
        for name, value in headers:
            secret = is_secret(name) or name.lower() in self._rules.headers
            found.append((name, self._header(name, value) if secret and learns else text(value)))
        return tuple(found)

    def _header(self, name: str, value: str) -> str:
        if name.lower() == "cookie":
            return "; ".join(self._cookie(each) for each in value.split("; "))
        if name.lower() == "set-cookie":
            first, semicolon, rest = value.partition(";")
            return self._cookie(first) + semicolon + rest
        return self._secret(value)

    def _cookie(self, pair: str) -> str:
        name, _, value = pair.partition("=")
        return f"{name}={self._secret(value)}"

    def _target(self, target: str, text: Callable[[str], str]) -> str:
        path, mark, query = target.partition("?")
        segments = [_again(each, text(unquote(each))) for each in path.split("/")]
        pairs = [self._pair(pair, text) for pair in query.split("&")] if query else []
        return "/".join(segments) + mark + "&".join(pairs)

    def _pair(self, pair: str, text: Callable[[str], str]) -> str:
        name, equals, value = pair.partition("=")
        plain = unquote(value.replace("+", " "))
        secret = is_secret(unquote(name), self._rules.query)
        return name + equals + _again(value, self._secret(plain) if secret else text(plain), plain)

    def _body(
        self, body: bytes, headers: Headers, text: Callable[[str], str], *, learns: bool
    ) -> bytes:
        kind = next((value for name, value in headers if name.lower() == "content-type"), "")
        try:
            plain = body.decode()
        except UnicodeDecodeError:
            return body  # an image, an archive: nothing in it can be told from anything else
        if kind.startswith(_FORM):
            pairs = parse_qsl(plain, keep_blank_values=True)
            changed = [(k, self._secret(v) if is_secret(k) else text(v)) for k, v in pairs]
            return body if changed == pairs else urlencode(changed).encode()
        try:
            tree = orjson.loads(body)
        except orjson.JSONDecodeError:
            return text(plain).encode()
        made = self._tree(tree, text)
        for path in self._rules.paths if learns else ():
            made = changed_at(made, path, self._value)
        return body if made == tree else orjson.dumps(made)

    def _tree(self, tree: Any, text: Callable[[str], str], name: str = "") -> Any:
        if isinstance(tree, dict):
            return {text(key): self._tree(each, text, key) for key, each in tree.items()}
        if isinstance(tree, list):
            return [self._tree(each, text, name) for each in tree]
        if not isinstance(tree, str):
            return self._value(tree) if _NUMBER.search(name) and text == self._learned else tree
        return self._secret(tree) if is_secret(name) else text(tree)

    def _value(self, value: Any) -> Any:
        """What stands for whatever is at a declared path; its type stays."""
        if isinstance(value, dict):
            return {key: self._value(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._value(each) for each in value]
        if isinstance(value, str):
            return self._secret(value, declared=True)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return int(self._digest(repr(value)), 16) % 10 ** len(str(abs(int(value))))
        return value

    # -- secrets and what stands for them --------------------------------------------------------

    def _secret(self, value: str, *, declared: bool = False) -> str:
        """What stands for a secret; elsewhere, too, where nothing else is likely to be the same."""
        if not value or PREFIX in value:
            return value
        scheme = None if declared else _SCHEME.fullmatch(value)
        if scheme:  # credentials as in a header (RFC 9110, section 11.4), wherever they stand
            return f"{scheme[1]} {self._secret(scheme[2])}"
        end = "@example.invalid" if re.fullmatch(r"[^@\s]+@[^@\s]+", value) else ""
        stands = f"{PREFIX}{self._digest(value)}{end}"
        if declared or len(value) >= _LONG:
            self._known[value] = stands
        return stands

    def _digest(self, value: str) -> str:
        return hmac.new(self._key, value.encode(), sha256).hexdigest()[:10]

    def _learned(self, text: str) -> str:
        for pattern in self._rules.patterns:
            text = pattern.sub(lambda found: self._secret(found[0], declared=True), text)
        return text

    def _replaced(self, text: str) -> str:
        if text in self._known:
            return self._known[text]
        for value in self._ordered:
            if value in text:
                text = text.replace(value, self._known[value])
        return text


def _again(written: str, made: str, plain: str | None = None) -> str:
    """A piece of a target as it was written, or what has taken its place, encoded."""
    return written if made == (unquote(written) if plain is None else plain) else quote(made, "")
