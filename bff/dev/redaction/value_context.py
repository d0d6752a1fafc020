"""The context of a value, by which it is decided whether it is a secret."""

import re
from dataclasses import dataclass
from typing import Final

from bff.dev.redaction.pseudonyms import PSEUDONYM
from bff.dev.redaction.secret_names import (
    is_about,
    is_code,
    is_number,
    is_secret,
    word_set,
    words_of,
)

At = tuple[str | int, ...]  # names of members, and indexes of lists
_NAME_KEYS: Final = word_set(
    "name key field param parameter header attribute property label n k id code type kind"
    " fieldname keyname paramname headername variable varname"
)
_VALUE_KEYS: Final = word_set(
    "value values val v content text data string raw plain current old new default body stringvalue"
    " secretstring input answer payload"
)
_WORDS: Final = word_set(  # values in the place of a secret that are none
    "true false null none yes no on off bearer basic digest negotiate dpop oauth oauth2 include"
    " omit same-origin required optional string number integer boolean object array text"
    " password hidden * mac n/a undefined present missing missing-token set unset active inactive"
)
_CODE_TEXT: Final = re.compile(
    r"(?=.*\d)\S{6,}|\d{4,}|(?=.*[a-z])(?=.*[A-Z])(?![A-Z][a-z]+(?:[A-Z][a-z]+)*$)[A-Za-z]{8,}"
    r"|\S{24,}"
)
_CODE_NUMBER: Final = 6  # minimum digits of a code; shorter ones are statuses or errors
_TEACHING: Final = frozenset(
    {"errors", "error", "messages", "labels", "properties", "translations", "fields", "violations"}
)


@dataclass(frozen=True, slots=True)
class ValueContext:
    """The context of a value.

    Args:
        name: its name.
        within: the name of its parent.
        secret: whether the parent is a secret as a whole.
        at: the path to it.
    """

    name: str = ""
    within: str = ""
    secret: bool = False
    at: At = ()

    @property
    def is_container(self) -> bool:
        """True if everything in it is secret."""
        return self.secret or is_secret(self.name, self.within)

    def holds_secret(self, text: str) -> bool:
        """True if a text in this context is a secret."""
        if text.lower() in _WORDS or not text:
            return False
        if is_code(self.name) and not self.secret:
            return bool(_CODE_TEXT.fullmatch(text) or PSEUDONYM.fullmatch(text))
        if self.within in _TEACHING and " " in text:
            return False  # an error message about a password
        if self.secret and is_about(self.name) and not is_value_key(self.name):
            return False
        return self.is_container

    def holds_number(self, number: str) -> bool:
        """True if a number in this context is a secret."""
        if is_code(self.name) and not self.secret:
            return len(number) >= _CODE_NUMBER
        if self.secret and not is_secret(self.name, self.within):
            return is_value_key(self.name)
        return is_secret(self.name, self.within) and is_number(self.name)


def is_name_key(name: str) -> bool:
    """True if a member of this name holds the name of its sibling, the value."""
    return "".join(words_of(name)) in _NAME_KEYS


def is_value_key(name: str) -> bool:
    """True if a member of this name is the value that its sibling names."""
    words = words_of(name)
    return not words or "".join(words) in _VALUE_KEYS or words[-1] == "value"
