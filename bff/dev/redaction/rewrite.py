"""Traverses everything in an exchange, and passes each value to a `ValueVisitor`.

Values can be nested: a URL in JSON, JSON in a text, a form in base64. Only this module decides what
a value is and whether it is a secret; the visitor decides on the replacement.
"""

import re
from base64 import b64encode, urlsafe_b64encode
from typing import Any, Final
from urllib.parse import quote, unquote

from bff.dev.redaction.addresses import FORM, URL, UrlRewriter
from bff.dev.redaction.json_text import JsonNumber, JsonObject, read_json, write_json
from bff.dev.redaction.markup import has_marks, is_html, is_xml, rewrite_markup
from bff.dev.redaction.secret_forms import printable_base64
from bff.dev.redaction.secret_names import hints_secret, is_code, is_parameter, is_secret, words_of
from bff.dev.redaction.value_context import ValueContext, is_name_key, is_value_key
from bff.dev.rules import RedactionRules, is_at

_DEEPEST: Final = 12  # levels of nested values
_LEAST: Final = 6  # minimum characters of a text with a nested value
_CODED: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_NAMED: Final = re.compile(r"[\w.:@$\[\]-]{1,60}")
_SCHEME: Final = re.compile(
    r"(?i)\b(bearer|basic|dpop|token|apikey|negotiate)(\s+)(?=[^\s\"',;]*[\d+/=._~-])([\w+/=.~-]{6,})"
)
_ASSIGNED: Final = re.compile(
    r"""(?<![\w.-])(?P<name>[A-Za-z_][\w.-]{1,60})\]{0,2}\\?["']?"""
    r"""[ \t]{0,3}(?P<mark>=>|[:=])[ \t]{0,3}"""
)
_VALUE: Final = re.compile(
    r"""(?P<quote>\\?["'])?(?P<bare>(?(quote)(?:[^"'\\]|\\.)*|[^\s,;&"'<>(){}\[\]|]+))"""
)
_TAG: Final = re.compile(r"<[A-Za-z][\w-]*(?:\s[^<>]*)?/?>")
_RELATIVE: Final = re.compile(r"(?:\.{0,2}/)?[^\s?#<>{}\"']*[?#;][^\s<>{}\"']*=[^\s<>{}\"']*")
_ANGLED: Final = re.compile(r"<([^<>\s]+[?#][^<>\s]*)>")  # the target of a Link header (RFC 8288)


_NOWHERE: Final = ValueContext()


class NestingTooDeep(ValueError):
    """Values are nested too deeply."""


class ValueVisitor:
    """Receives each value and returns its replacement; by default the value itself."""

    def secret(self, text: str) -> str:
        """A value that is secret by its name."""
        return text

    def declared(self, text: str) -> str:
        """A value that rules.toml declares secret."""
        return text

    def word(self, text: str) -> str:
        """A word that may be a secret in this place only."""
        return text

    def number(self, number: str) -> str:
        """A number that is a secret."""
        return number

    def plain_number(self, number: str) -> str:
        """Any other number."""
        return number

    def plain(self, text: str) -> str:
        """Any other text."""
        return text

    def key(self, name: str) -> str:
        """The name of a member."""
        return name


class Rewriter:
    """Rewrites texts of every kind.

    Args:
        visitor: decides on replacements.
        rules: what rules.toml declares secret.
    """

    def __init__(self, visitor: ValueVisitor, rules: RedactionRules) -> None:
        self._visitor, self._rules = visitor, rules
        self._deep = 0
        self.addresses = UrlRewriter(self.parameter, self.text, visitor.secret)

    def secret(self, text: str) -> str:
        """Rewrite a secret."""
        return self._visitor.secret(text)

    def stands_for(self, text: str) -> str:
        """Rewrite a text as a whole."""
        return self._visitor.declared(text)

    def pair(self, name: str, value: str) -> str:
        """Rewrite the value of a form field."""
        if any(is_at((name,), path) for path in self._rules.paths):
            return self._visitor.declared(value)
        return self.parameter(name, value)

    def form(self, text: str) -> str:
        """Rewrite a form."""
        return UrlRewriter(self.pair, self.text, self._visitor.secret).pairs(text)

    def tree(self, tree: Any, context: ValueContext = _NOWHERE) -> Any:
        """Rewrite a JSON value."""
        if isinstance(tree, JsonObject):
            return self._members(tree, context)
        if isinstance(tree, list):
            return self._list(tree, context)
        if isinstance(tree, JsonNumber):
            return JsonNumber(self._number(tree, context))
        return self.leaf(tree, context) if isinstance(tree, str) else tree

    def leaf(self, text: str, context: ValueContext) -> str:
        """Rewrite a text in its context."""
        if context.at and self._is_declared(context):
            return self._visitor.declared(text)
        if context.holds_secret(text):
            return self._visitor.secret(text)
        return self.text(text)

    def text(self, text: str) -> str:
        """Rewrite a text and the values nested in it."""
        if len(text) < _LEAST:
            return self._visitor.plain(text)
        self._deep += 1
        try:
            if self._deep > _DEEPEST:
                raise NestingTooDeep("values are nested too deeply")
            inner = self._inner(text)
            return self._visitor.plain(self._loose(text) if inner is None else inner)
        finally:
            self._deep -= 1

    def json(self, text: str) -> str:
        """Rewrite a JSON document; unchanged if nothing is replaced. Raises ValueError."""
        tree = read_json(text)
        made = self.tree(tree)
        return text if made == tree else write_json(made)

    # -- members of objects and lists --------------------------------------------------------------

    def _members(self, members: JsonObject, context: ValueContext) -> JsonObject:
        named = _named(members)
        made = JsonObject()
        for name, each in members:
            called = named if named and is_value_key(name) else name
            inner = ValueContext(called, context.name, context.is_container, (*context.at, name))
            made.append((self._visitor.key(name), self.tree(each, inner)))
        return made

    def _list(self, items: list[Any], context: ValueContext) -> list[Any]:
        pair = len(items) == 2 and isinstance(items[0], str) and _is_name(items[0])  # noqa: PLR2004
        in_list = bool(context.at) and isinstance(context.at[-1], int)
        flat = "header" in words_of(context.name) or "headers" in words_of(context.name)
        made = []
        for number, each in enumerate(items):
            before = items[number - 1] if number else None
            is_value = number > 0 and ((pair and in_list) or (flat and isinstance(before, str)))
            name = before if is_value and isinstance(before, str) and _is_name(before) else ""
            at = (*context.at, number)
            inner = ValueContext(name or context.name, context.within, context.secret, at)
            made.append(self.tree(each, inner))
        return made

    def _number(self, number: str, context: ValueContext) -> str:
        if self._is_declared(context) or context.holds_number(number):
            return self._visitor.number(number)
        return self._visitor.plain_number(number)

    def _is_declared(self, context: ValueContext) -> bool:
        return any(is_at(context.at, path) for path in self._rules.paths)

    def parameter(self, name: str, value: str) -> str:
        """Rewrite the value of a query parameter or header."""
        secret = name in self._rules.query or (
            ValueContext("code" if is_code(name) else "secret").holds_secret(value)
            and is_parameter(name)
        )
        return self._visitor.secret(value) if secret else self.text(value)

    # -- values nested in texts --------------------------------------------------------------------

    def _inner(self, text: str) -> str | None:
        """Rewrite a text that is one nested value; None where it is none."""
        found = self._document(text)
        if found is None:
            found = self._address(text)
        if found is None and _CODED.fullmatch(text):
            found = self._decoded(text)
        return found

    def _document(self, text: str) -> str | None:
        bare = text.strip()
        first, last = bare[:1], bare[-1:]
        if (first, last) in {("{", "}"), ("[", "]"), ('"', '"')}:
            try:
                return self.json(text)
            except NestingTooDeep:
                raise
            except ValueError:
                return None
        whole = first == "<" and last == ">" and (is_html(bare) or is_xml(bare))
        if whole or (_TAG.search(text) and has_marks(text)):
            return rewrite_markup(text, self.leaf)
        return None

    def _address(self, text: str) -> str | None:
        if URL.fullmatch(text):
            return self.addresses.url(text)
        if _RELATIVE.fullmatch(text):
            return self.addresses.target(text)
        if "&" in text and FORM.fullmatch(text):
            return self.addresses.pairs(text)
        coded = "%" in text and not any(map(str.isspace, text))
        return self._unquoted(text) if coded else None

    def _unquoted(self, text: str) -> str | None:
        """Rewrite a percent-encoded text; None where nothing is replaced."""
        plain = unquote(text)
        made = plain if plain == text else self.text(plain)
        return None if made == plain else quote(made, "", errors="replace")

    def _decoded(self, text: str) -> str | None:
        """Rewrite base64 (RFC 4648) of a text; None where it is not, or nothing is replaced."""
        plain = printable_base64(text)
        if plain is None:
            return None
        made = self.text(plain)
        if made == plain:
            return None
        encode = urlsafe_b64encode if re.search("[-_]", text) else b64encode
        coded = encode(made.encode()).decode()
        return coded if text.endswith("=") else coded.rstrip("=")

    def _loose(self, text: str) -> str:
        """Rewrite values within a longer text: URLs, credentials, `password=…`."""
        if "://" in text:
            text = URL.sub(lambda found: self.addresses.url(found[0]), text)
        if "<" in text:
            text = _ANGLED.sub(lambda found: f"<{self.addresses.target(found[1])}>", text)
        text = _SCHEME.sub(self._with_scheme, text)
        assigns = ("=" in text or ":" in text) and hints_secret(text)
        return self._with_assigned(text) if assigns else text

    def _with_scheme(self, found: re.Match[str]) -> str:
        return found[1] + found[2] + self._visitor.secret(found[3])

    def _with_assigned(self, text: str) -> str:
        """Rewrite `password=…`, `"password": "…"` and similar assignments within a text."""
        made, position = [], 0
        for found in _ASSIGNED.finditer(text):
            value = _VALUE.match(text, found.end())
            if found.start() < position or not value or not is_secret(found["name"]):
                continue
            bare = value["bare"]
            if ValueContext("secret").holds_secret(bare):
                prose = not value["quote"] and found["mark"] == ":" and bare.isalpha()
                act = self._visitor.word if prose else self._visitor.secret
                made += [text[position : value.start("bare")], act(bare)]
                position = value.end()
        return "".join([*made, text[position:]])


def _named(members: JsonObject) -> str:
    """The secret name that a sibling gives: `{"name": "password", "value": …}`."""
    for name, each in members:
        if is_name_key(name) and isinstance(each, str) and _is_name(each):
            return each
    return ""


def _is_name(text: str) -> bool:
    return bool(_NAMED.fullmatch(text)) and is_secret(text)
