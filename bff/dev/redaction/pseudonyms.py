"""Stable pseudonyms, which replace secrets wherever they occur, in every recording."""

import hmac
import re
from base64 import b64decode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from bff.dev.redaction.secret_forms import forms_of, readings_of

PREFIX: Final = "redacted-"
PSEUDONYM: Final = re.compile(rf"{PREFIX}[0-9a-f]{{10}}(?:@example\.invalid)?")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]{2,30}) +(\S.*)", re.DOTALL)
_KNOWN_SCHEMES: Final = re.compile(
    r"(?i)bearer|basic|dpop|digest|negotiate|token|apikey|api-key|ntlm|hawk|oauth|signature|gnap"
    r"|aws4-hmac-sha256|sharedkey|sharedkeylite|hmac|mac|jwt|key|privatetoken|splunk|genie(?:key)?"
)
_PAIR: Final = re.compile(r"[\w-]+=\"?([^\",;\s]+)")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_MIXED: Final = re.compile(r"(?=.*[^A-Za-z\s])(?=.*[^\d\s])", re.DOTALL)
_LONG: Final = 8  # minimum characters of a secret that is searched in any text
_SHORT: Final = 4  # of one that is searched as a whole word
_WORDS_LONG: Final = 12  # of one with letters only
_PROSE_LONG: Final = 16  # of one with several words


_ESCAPED: Final = re.compile(r"\\u|&#|\ufffd")


@dataclass(frozen=True, slots=True)
class _Form:
    text: str
    stands: str
    bounded: bool  # whether it matches as a whole word only


class Pseudonyms:
    """Creates pseudonyms, and replaces the known secrets in other texts.

    Args:
        key: the HMAC key; it allows to verify a guessed secret.
        declared: secrets of the configuration, which are searched however short they are.
    """

    def __init__(self, key: bytes, declared: Iterable[str] = ()) -> None:
        self._key = key
        self._whole: dict[str, str] = {}  # pseudonyms of whole values
        self._inside: dict[str, _Form] = {}  # of those also searched within longer texts
        self._ordered: list[_Form] | None = None
        self._focus: list[_Form] | None = None
        for secret in declared:
            self._learn(secret, self.stands_for(secret), least=_SHORT)

    def of(self, secret: str, *, declared: bool = False) -> str:
        """The pseudonym of a secret.

        Args:
            declared: whether it is the whole value, without an authentication scheme before it.
        """
        if not secret or PSEUDONYM.fullmatch(secret):
            return secret
        scheme = None if declared else _SCHEME.fullmatch(secret)
        if scheme and _KNOWN_SCHEMES.fullmatch(scheme[1]):
            # Credentials as in a header (RFC 9110, section 11.4), in any place.
            self._learn_inner(scheme[2])
            return f"{scheme[1]} {self.of(scheme[2], declared=True)}"
        stands = self.stands_for(secret)
        self._learn(secret, stands, least=_LONG if declared else 0)
        return stands

    def of_number(self, number: str) -> str:
        """The pseudonym of a number, with as many digits."""
        whole = number.lstrip("-").partition(".")[0]
        stands = str(int(self._digest(number), 16) % 10 ** len(whole) or 1)
        if len(whole) >= _SHORT:
            self._learn(number, self.stands_for(number))
        return stands

    def number(self, number: str) -> str:
        """The number, or its pseudonym if it is a known secret."""
        known = len(number) >= _LONG - 2 and number in self._whole
        return self.of_number(number) if known else number

    def replaced(self, text: str) -> str:
        """A text with all known secrets replaced."""
        return self._whole[text] if text in self._whole else self.replaced_within(text)

    def replaced_within(self, text: str) -> str:
        """A text with those known secrets replaced that are too long to occur by chance."""
        for form in self._forms() if self._focus is None else self._focus:
            if form.text in text:
                text = _substituted(text, form)
        return text

    def focus(self, texts: Sequence[str] | None) -> None:
        """Search from now on only for secrets that occur in these texts; for all of them if None.

        One search in a large text replaces thousands of searches in small ones.
        """
        self._focus = None
        if texts is None or any(_ESCAPED.search(each) for each in texts):
            return  # it may be encoded in a way that only parsing decodes
        whole = "\n".join([*texts, *readings_of(texts)])
        there = {form.stands for form in self._forms() if form.text in whole}
        self._focus = [form for form in self._forms() if form.stands in there]

    def left(self, text: str) -> bool:
        """True if a text still contains a known secret."""
        forms = self._forms() if self._focus is None else self._focus
        return any(each.text in text and _substituted(text, each) != text for each in forms)

    def _forms(self) -> list[_Form]:
        if self._ordered is None:
            forms = self._inside.values()
            self._ordered = sorted(forms, key=lambda each: len(each.text), reverse=True)
        return self._ordered

    def _learn(self, secret: str, stands: str, least: int = 0) -> None:
        """Store a secret; it is searched within texts from `least` characters on, if declared."""
        if secret in self._whole or PSEUDONYM.search(secret):
            return
        if least or len(secret) >= _LONG - 2:
            self._whole[secret] = stands
        if not _is_telling(secret, least):
            return
        self._ordered = self._focus = None
        for form in forms_of(secret):
            bounded = len(form) < _LONG or form.isalpha() or form.isdecimal()
            if len(form) >= _SHORT:
                self._inside.setdefault(form, _Form(form, stands, bounded))

    def _learn_inner(self, credentials: str) -> None:
        """Store the secrets in credentials: the password of Basic (RFC 7617), or each parameter."""
        try:
            plain = b64decode(credentials, validate=True).decode()
        except ValueError:
            plain = ""
        _, colon, password = plain.partition(":")
        if colon and plain.isprintable():
            for each in filter(None, (plain, password)):
                self.of(each)
            return
        for value in _PAIR.findall(credentials) if '="' in credentials else ():
            if len(value) > 2 * _LONG:
                self.of(value)

    def stands_for(self, secret: str) -> str:
        """The pseudonym of a secret that is not searched elsewhere."""
        if PSEUDONYM.fullmatch(secret):
            return secret
        end = "@example.invalid" if _EMAIL.fullmatch(secret) else ""
        return f"{PREFIX}{self._digest(secret)}{end}"

    def _digest(self, value: str) -> str:
        coded = value.encode(errors="surrogatepass")
        return hmac.new(self._key, coded, sha256).hexdigest()[:10]


def _is_telling(secret: str, least: int) -> bool:
    """True if a secret is unlikely to occur by chance, unlike a password that is a word."""
    if secret.isdecimal():
        return len(secret) >= _LONG
    if secret.isalpha() and secret in {secret.lower(), secret.upper(), secret.title()}:
        return len(secret) >= _WORDS_LONG
    if least:
        return len(secret) >= least
    if _MIXED.match(secret) and not any(each.isspace() for each in secret):
        return len(secret) >= _LONG - 2
    return len(secret) >= (_PROSE_LONG if " " in secret else _WORDS_LONG)


def _substituted(text: str, form: _Form) -> str:
    if not form.bounded:
        return text.replace(form.text, form.stands)
    pattern = rf"(?<![^\W_]){re.escape(form.text)}(?![^\W_])"
    return re.sub(pattern, lambda _: form.stands, text)
