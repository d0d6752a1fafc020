"""Goes through all that an exchange can be made of, and has each value in it kept or replaced.

A value may be within others: a URL in JSON, JSON in a text, a form in base64. What is the value,
and whether it is a secret, is decided here alone; what takes its place is for an `Act` to say.
"""

import re
from base64 import b64encode, urlsafe_b64encode
from typing import Any, Final
from urllib.parse import quote, unquote

from bff.dev.redaction.addresses import FORM, URL, Addresses
from bff.dev.redaction.json_text import Members, Number, read_json, write_json
from bff.dev.redaction.markup import has_marks, is_html, is_xml, rewrite_markup
from bff.dev.redaction.secret_forms import printable_base64
from bff.dev.redaction.secret_names import hints_secret, is_code, is_parameter, is_secret, words_of
from bff.dev.redaction.spots import Spot, is_name_key, is_value_key
from bff.dev.rules import Redaction, is_at

_DEEPEST: Final = 12  # values within values
_LEAST: Final = 6  # characters of a text in which there can be another value
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
_ANGLED: Final = re.compile(r"<([^<>\s]+[?#][^<>\s]*)>")  # a target of Link (RFC 8288)


_NOWHERE: Final = Spot()


class TooDeep(ValueError):
    """Values stand within values more often than anybody looks."""


class Act:
    """What takes the place of what; here, nothing of anything."""

    def secret(self, text: str) -> str:
        """Of a secret that is called one."""
        return text

    def declared(self, text: str) -> str:
        """Of what rules.toml declares to be one."""
        return text

    def word(self, text: str) -> str:
        """Of a word that may be a secret where it stands, and is none elsewhere."""
        return text

    def number(self, number: str) -> str:
        """Of a number that is a secret."""
        return number

    def plain_number(self, number: str) -> str:
        """Of any other number."""
        return number

    def plain(self, text: str) -> str:
        """Of any other text."""
        return text

    def key(self, name: str) -> str:
        """Of the name of a member."""
        return name


class Rewriter:
    """Rewrites texts of every kind.

    Args:
        act: says what takes the place of what.
        rules: what is declared to be secret.
    """

    def __init__(self, act: Act, rules: Redaction) -> None:
        self._act, self._rules = act, rules
        self._deep = 0
        self.addresses = Addresses(self.parameter, self.text, act.secret)

    def secret(self, text: str) -> str:
        """What takes the place of a secret."""
        return self._act.secret(text)

    def stands_for(self, text: str) -> str:
        """What takes the place of a text as a whole."""
        return self._act.declared(text)

    def pair(self, name: str, value: str) -> str:
        """The value of a form's field."""
        if any(is_at((name,), path) for path in self._rules.paths):
            return self._act.declared(value)
        return self.parameter(name, value)

    def form(self, text: str) -> str:
        """A whole form."""
        return Addresses(self.pair, self.text, self._act.secret).pairs(text)

    def tree(self, tree: Any, spot: Spot = _NOWHERE) -> Any:
        """A JSON value."""
        if isinstance(tree, Members):
            return self._members(tree, spot)
        if isinstance(tree, list):
            return self._list(tree, spot)
        if isinstance(tree, Number):
            return Number(self._number(tree, spot))
        return self.leaf(tree, spot) if isinstance(tree, str) else tree

    def leaf(self, text: str, spot: Spot) -> str:
        """A text that stands somewhere."""
        if spot.at and self._is_declared(spot):
            return self._act.declared(text)
        if spot.holds_secret(text):
            return self._act.secret(text)
        return self.text(text)

    def text(self, text: str) -> str:
        """A text, and whatever is in it."""
        if len(text) < _LEAST:
            return self._act.plain(text)
        self._deep += 1
        try:
            if self._deep > _DEEPEST:
                raise TooDeep("values stand too deeply within values")
            inner = self._inner(text)
            return self._act.plain(self._loose(text) if inner is None else inner)
        finally:
            self._deep -= 1

    def json(self, text: str) -> str:
        """A JSON document; as it was written where nothing in it is replaced. Raises ValueError."""
        tree = read_json(text)
        made = self.tree(tree)
        return text if made == tree else write_json(made)

    # -- members of objects and lists ------------------------------------------------------------

    def _members(self, members: Members, spot: Spot) -> Members:
        named = _named(members)
        made = Members()
        for name, each in members:
            called = named if named and is_value_key(name) else name
            inner = Spot(called, spot.name, spot.is_container, (*spot.at, name))
            made.append((self._act.key(name), self.tree(each, inner)))
        return made

    def _list(self, items: list[Any], spot: Spot) -> list[Any]:
        pair = len(items) == 2 and isinstance(items[0], str) and _is_name(items[0])  # noqa: PLR2004
        in_list = bool(spot.at) and isinstance(spot.at[-1], int)
        flat = "header" in words_of(spot.name) or "headers" in words_of(spot.name)
        made = []
        for number, each in enumerate(items):
            before = items[number - 1] if number else None
            is_value = number > 0 and ((pair and in_list) or (flat and isinstance(before, str)))
            name = before if is_value and isinstance(before, str) and _is_name(before) else ""
            at = (*spot.at, number)
            inner = Spot(name or spot.name, spot.within, spot.secret, at)
            made.append(self.tree(each, inner))
        return made

    def _number(self, number: str, spot: Spot) -> str:
        if self._is_declared(spot) or spot.holds_number(number):
            return self._act.number(number)
        return self._act.plain_number(number)

    def _is_declared(self, spot: Spot) -> bool:
        return any(is_at(spot.at, path) for path in self._rules.paths)

    def parameter(self, name: str, value: str) -> str:
        """The value of a query's parameter, or of a header."""
        secret = name in self._rules.query or (
            Spot("code" if is_code(name) else "secret").holds_secret(value) and is_parameter(name)
        )
        return self._act.secret(value) if secret else self.text(value)

    # -- values within texts ---------------------------------------------------------------------

    def _inner(self, text: str) -> str | None:
        """A text that is one value of another kind; None where it is none."""
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
            except TooDeep:
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
        """Another text that is percent-encoded; None where nothing in it is replaced."""
        plain = unquote(text)
        made = plain if plain == text else self.text(plain)
        return None if made == plain else quote(made, "", errors="replace")

    def _decoded(self, text: str) -> str | None:
        """base64 (RFC 4648) of a text; None where it is none, or is no other text afterwards."""
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
        """Values in the midst of a text: addresses, credentials, `password=…`."""
        if "://" in text:
            text = URL.sub(lambda found: self.addresses.url(found[0]), text)
        if "<" in text:
            text = _ANGLED.sub(lambda found: f"<{self.addresses.target(found[1])}>", text)
        text = _SCHEME.sub(self._with_scheme, text)
        assigns = ("=" in text or ":" in text) and hints_secret(text)
        return self._with_assigned(text) if assigns else text

    def _with_scheme(self, found: re.Match[str]) -> str:
        return found[1] + found[2] + self._act.secret(found[3])

    def _with_assigned(self, text: str) -> str:
        """`password=…`, `"password": "…"` and the like, in the midst of a text."""
        made, position = [], 0
        for found in _ASSIGNED.finditer(text):
            value = _VALUE.match(text, found.end())
            if found.start() < position or not value or not is_secret(found["name"]):
                continue
            bare = value["bare"]
            if Spot("secret").holds_secret(bare):
                prose = not value["quote"] and found["mark"] == ":" and bare.isalpha()
                act = self._act.word if prose else self._act.secret
                made += [text[position : value.start("bare")], act(bare)]
                position = value.end()
        return "".join([*made, text[position:]])


def _named(members: Members) -> str:
    """The secret name that one member says another has: `{"name": "password", "value": …}`."""
    for name, each in members:
        if is_name_key(name) and isinstance(each, str) and _is_name(each):
            return each
    return ""


def _is_name(text: str) -> bool:
    return bool(_NAMED.fullmatch(text)) and is_secret(text)
