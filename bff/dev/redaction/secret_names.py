"""Decides by name whether a header, parameter, field or member holds a secret.

Names are compared by their words: `clientSecret`, `client_secret`, `Client-Secret` and
`user[client.secret]` are equal.
"""

import re
from functools import lru_cache
from typing import Final


def word_set(words: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(words.split())


_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
# Parts of a word: `csrfmiddlewaretoken`, `JSESSIONID`, `newpassword2`.
_STEMS: Final = re.compile(
    r"token(?!i[sz])|secret(?!ar)|passw|passphrase|passcode|passkey|apikey|accesskey|authkey"
    r"|privatekey|credential|cookie|jwt|sessionid|sessid|signature|assertion|authorization|pwd"
    r"|samlre(?:sponse|quest)|mnemonic|kennwort|passwort|contrase|motdepasse|wachtwoord|senha"
)
_WORDS: Final = word_set(
    "auth sid otp totp pin pass pw psw sig hmac cvv cvc csc csrf xsrf bearer verifier sas jws jwe"
    " pat dsn kennwort passwort"
)
_KEYS: Final = word_set(  # `…_key` of these is a secret; a primary or partition key is not
    "api access private secret session signing encryption master account subscription function"
    " functions shared storage host admin app client consumer license licence service server auth"
    " security deploy webhook root ssh pgp gpg aes hmac rsa write integration ingest developer"
    " partner merchant instrumentation routing team org user project machine agent sas"
)
_CODES: Final = word_set(
    "auth authorization authentication verification verify security recovery backup access device"
    " reset otp pin mfa 2fa fa confirmation activation invite invitation login sms login magic"
    " passcode unlock pairing one time"
)
_IDS: Final = frozenset({"session", "sess"})
# Last words of metadata about a secret: `token_type`, `password_changed_at`.
_ABOUT: Final = word_set(
    "type types expires expire expiry expiration exp in at on date time ttl count total length size"
    " limit max min required requires enabled disabled policy url uri endpoint href name names"
    " status version algorithm algorithms alg method methods scheme schemes supported changed"
    " updated created valid invalid verified age present scope scopes usage used strength"
    " description title label placeholder role roles kind"
)
_BARE_KEY: Final = frozenset(  # headers and parameters that end with `key` and are not secret
    {"idempotency", "cache", "surrogate", "websocket", "partition", "sort", "primary", "public"}
    | {"foreign", "routing", "dedup", "deduplication", "message", "object", "i18n", "locale"}
)
_PUBLIC: Final = word_set(  # random and public by nature
    "id ids uuid guid ulid etag hash hashes sha md5 sha1 sha256 sha384 sha512 crc"
    " checksum checksums digest integrity cursor cursors after before nonce trace span revision"
    " commit rev tree fingerprint thumbprint request correlation version build avatar gravatar"
    " image thumbnail photo etags match since csp blurhash polyline geohash serial"
)
_SHOWN: Final = word_set("context value hex base64 b64 url uri src header")
_HINT: Final = re.compile(
    rf"{_STEMS.pattern}|key|code|session|pass|\b(?:{'|'.join(sorted(_WORDS))})\b", re.IGNORECASE
)


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case: `X-Functions-Key` is `x`, `functions`, `key`."""
    return tuple(word.lower() for word in _WORD.findall(name))


@lru_cache(maxsize=4096)
def is_secret(name: str, within: str = "") -> bool:
    """True if a value of this name is a secret.

    Args:
        within: the name of its parent, so that `{"api": {"key": …}}` is an API key.
    """
    words = words_of(name)
    if not words or words[-1] in _ABOUT:
        return False
    if any(_STEMS.search(word) or word in _WORDS for word in words):
        return True
    if _STEMS.search("".join(words)):
        return True
    return _is_pair((*words_of(within)[-1:], *words)[-2:])


def hints_secret(text: str) -> bool:
    """A fast pre-check: False only if a text has no name of a secret."""
    return bool(_HINT.search(text))


def is_parameter(name: str) -> bool:
    """True if a query or form parameter, or a header, of this name is a secret.

    There a `key` grants access, and a `code` is exchanged for a token (RFC 6749, section 4.1.2).
    """
    words = words_of(name)
    if is_secret(name) or words in {("code",), ("appid",), ("ticket",)}:
        return True
    return bool(words) and words[-1] == "key" and not _BARE_KEY.intersection(words)


def is_number(name: str) -> bool:
    """True if a number of this name is a secret: a PIN is, `tokens: 7` is a count."""
    words = words_of(name)
    counts = words and words[-1] in {"tokens", "cookies", "secrets", "credentials", "signatures"}
    return not counts and words[:1] not in {("max",), ("min",), ("total",), ("num",), ("number",)}


def is_about(name: str) -> bool:
    """True if a member of a secret object is metadata, such as its type or expiry."""
    words = words_of(name)
    return bool(words) and words[-1] in _ABOUT


def is_public(name: str) -> bool:
    """True if a value of this name is random and public: an ETag, a cursor, an id."""
    words = words_of(name)
    if not words or is_secret(name):
        return False
    shown = len(words) > 1 and (words[-1].isdecimal() or words[-1] in _SHOWN)
    last = words[-2] if shown else words[-1]
    whole = "".join(words[-2:])  # `ETag` has two words
    return (
        last in _PUBLIC or whole in _PUBLIC or (last.endswith("id") and len(last) > len("sid") + 1)
    )


def is_code(name: str) -> bool:
    """True if its name is just `code`: a secret only if it looks like one."""
    return words_of(name) == ("code",)


def _is_pair(pair: tuple[str, ...]) -> bool:
    if len(pair) < 2:  # noqa: PLR2004 - two words
        return False
    first, last = pair[0].rstrip("s"), pair[1]
    if last == "key":
        return pair[0] in _KEYS or first in _KEYS
    if last in {"code", "codes"}:
        return first in _CODES or pair[0] in _CODES
    return last == "id" and first in _IDS
