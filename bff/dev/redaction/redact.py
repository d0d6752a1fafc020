"""Replaces secrets in exchanges by stable pseudonyms before they are written.

A secret has the same pseudonym in every place and every recording: values that refer to each other
still do, and a new recording differs only where data has changed.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from bff.dev.recorded_exchange import RecordedExchange
from bff.dev.redaction.pseudonyms import PREFIX, Pseudonyms
from bff.dev.redaction.read_body import Unreadable, rewrite_body
from bff.dev.redaction.rewrite import Rewriter, ValueVisitor
from bff.dev.redaction.secret_names import is_parameter
from bff.dev.rules import RedactionRules
from bff.model.exchange import Headers

__all__ = ["PREFIX", "Redactor"]

_ADDRESSES: Final = frozenset({"location", "content-location", "referer", "refresh", "origin"})
_CREDENTIALS: Final = re.compile(r"([A-Za-z][\w.+-]*)[ ]+(\S.*)", re.DOTALL)
_COOKIES: Final = re.compile(r";[ \t]*")


class Redactor:
    """Learns secrets from exchanges, then removes all of them from each.

    Args:
        key: the HMAC key of the pseudonyms; it allows to verify a guessed secret.
        secrets: secret values of the configuration.
        names: headers with credentials, in lower case.
    """

    def __init__(
        self,
        rules: RedactionRules,
        key: bytes,
        secrets: Iterable[str] = (),
        names: Iterable[str] = (),
    ) -> None:
        self._names = rules.headers | frozenset(names)
        harmless = rules.allow.patterns
        known = (each for each in secrets if not any(one.fullmatch(each) for one in harmless))
        self.pseudonyms = Pseudonyms(key, known)
        self._learner = Rewriter(_Collector(self.pseudonyms, rules), rules)
        self._replacer = Rewriter(_Replacer(self.pseudonyms, rules), rules)

    def learn(self, exchanged: RecordedExchange) -> None:
        """Collect the secrets of an exchange: by name, by path, by pattern."""
        self._redact(exchanged, self._learner)

    def redacted(self, exchanged: RecordedExchange) -> RecordedExchange:
        """The exchange with all learned secrets replaced, also those of other exchanges.

        An unreadable body stays as it is: `bff.dev.redaction.scan` reports it.
        """
        self.pseudonyms.focus(_texts(exchanged))
        return self._redact(exchanged, self._replacer)

    def text(self, text: str) -> str:
        """A text with all learned secrets replaced."""
        self.pseudonyms.focus(None)
        return self._replacer.text(text)

    def target(self, target: str) -> str:
        """A path and query with all learned secrets replaced."""
        self.pseudonyms.focus(None)
        return self._replacer.addresses.target(target)

    def _redact(self, exchanged: RecordedExchange, rewriter: Rewriter) -> RecordedExchange:
        request, reply = exchanged.request, exchanged.reply
        origin, target = request.origin, rewriter.addresses.target
        if origin:
            origin = replace(origin, target=target(origin.target))
        headers, body = self._message(request.headers, request.body, rewriter)
        request = replace(
            request, target=target(request.target), headers=headers, body=body, origin=origin
        )
        headers, body = self._message(reply.headers, reply.body, rewriter)
        reply = replace(reply, headers=headers, body=body)
        base = rewriter.addresses.url(exchanged.base)
        return replace(exchanged, request=request, reply=reply, base=base)

    def _message(self, headers: Headers, body: bytes, rewriter: Rewriter) -> tuple[Headers, bytes]:
        kind = next((value for name, value in headers if name.lower() == "content-type"), "")
        made = [(name, self._header(name.lower(), value, rewriter)) for name, value in headers]
        try:
            body, again = rewrite_body(body, kind, rewriter)
        except Unreadable:
            return tuple(made), body
        if again != kind:
            made = [(name, again if name.lower() == "content-type" else v) for name, v in made]
        return tuple(made), body

    def _header(self, name: str, value: str, rewriter: Rewriter) -> str:
        if name == "cookie":
            return "; ".join(_cookie(each, rewriter) for each in _COOKIES.split(value))
        if name == "set-cookie":
            first, semicolon, rest = value.partition(";")
            return _cookie(first, rewriter) + semicolon + rest
        if name in self._names or name in {"authorization", "proxy-authorization"}:
            return _whole(value, rewriter)
        if name in _ADDRESSES and "://" not in value:
            return rewriter.addresses.target(value)
        if is_parameter(name):
            return rewriter.parameter(name, value)
        return rewriter.text(value)


def _whole(value: str, rewriter: Rewriter) -> str:
    """Rewrite credentials (RFC 9110, section 11.4); the authentication scheme stays."""
    found = _CREDENTIALS.fullmatch(value)
    made = rewriter.secret(value)
    if found and made.startswith(PREFIX):
        return f"{found[1]} {rewriter.secret(found[2])}"
    return made


def _cookie(pair: str, rewriter: Rewriter) -> str:
    name, _, value = pair.partition("=")
    bare = value.strip().strip('"')
    made = rewriter.secret(bare)
    if unquote(bare) != bare:
        rewriter.secret(unquote(bare))  # as it may occur elsewhere
    return f"{name}={made}"


def _texts(exchanged: RecordedExchange) -> list[str]:
    """All texts of an exchange, unchanged."""
    request, reply = exchanged.request, exchanged.reply
    origin = request.origin.target if request.origin else ""
    headers = [value for _, value in (*request.headers, *reply.headers)]
    bodies = [each.decode(errors="replace") for each in (request.body, reply.body)]
    return [exchanged.base, request.target, origin, *headers, *bodies]


class _Collector(ValueVisitor):
    """Collects secrets."""

    def __init__(self, pseudonyms: Pseudonyms, rules: RedactionRules) -> None:
        self._pseudonyms, self._rules = pseudonyms, rules

    def secret(self, text: str) -> str:
        """A value that is secret by its name."""
        return self._pseudonyms.of(text)

    def declared(self, text: str) -> str:
        """A value that rules.toml declares secret."""
        return self._pseudonyms.of(text, declared=True)

    def word(self, text: str) -> str:
        """A word that is replaced here only."""
        return self._pseudonyms.stands_for(text)

    def number(self, number: str) -> str:
        """A number that is a secret."""
        return self._pseudonyms.of_number(number)

    def plain(self, text: str) -> str:
        """Any other text: the patterns of rules.toml are applied."""
        for pattern in self._rules.patterns:
            text = pattern.sub(lambda found: self.declared(found[0]), text)
        return text

    def key(self, name: str) -> str:
        """The name of a member."""
        return self.plain(name)


class _Replacer(_Collector):
    """Replaces the collected secrets."""

    def plain_number(self, number: str) -> str:
        """Any other number: replaced if it is a known secret."""
        return self._pseudonyms.number(number)

    def plain(self, text: str) -> str:
        """Any other text: known secrets within it are replaced."""
        return self._pseudonyms.replaced(super().plain(text))

    def key(self, name: str) -> str:
        """The name of a member, which may be a secret, as in a map of tokens."""
        return self._pseudonyms.replaced_within(_Collector.plain(self, name))
