"""Authenticated encryption of the records in the store, with rotation of the secret.

    | version (1) | key id (4) | nonce (12) | AES-256-GCM ciphertext and tag |

The cipher is AES-256-GCM (NIST SP 800-38D); version and key id, followed by the context, are its
associated data. Each context (such as the key of the store's entry) has an encryption key of its
own, derived by HMAC-SHA-256: no number of records comes near the limit of 2^32 random nonces for
one key (section 8.3), and a record that is copied to another entry cannot be opened there.
"""

import hmac
from collections.abc import Sequence
from functools import lru_cache
from os import urandom
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bff.errors import BffError

_VERSION: Final = b"\x01"
_KEY, _ID, _NONCE, _TAG = 32, 4, 12, 16
_HEADER: Final = len(_VERSION) + _ID
_LEAST: Final = _HEADER + _NONCE + _TAG
_CIPHERS: Final = 1024  # derived keys that are cached


class BadSeal(BffError):
    """The record cannot be decrypted in this context; the message has nothing of its content."""

    def __init__(self) -> None:
        super().__init__("the record cannot be decrypted with the declared secrets")


class Seal:
    """Encrypts with the first secret and decrypts with all, so that secrets can be rotated.

    Args:
        secrets: as declared; a key is derived from each by HKDF (RFC 5869).

    Raises:
        ValueError: there is no secret, or an empty one.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets or not all(secrets):
            raise ValueError("at least one secret is required, and none may be empty")
        self._masters = [_master(secret) for secret in secrets]

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypt for one context.

        Args:
            context: where the record belongs, such as the key it is stored under. It is
                authenticated, and not part of the result.
        """
        key_id, master = self._masters[0]
        header, nonce = _VERSION + key_id, urandom(_NONCE)
        sealed = _cipher(master, context).encrypt(nonce, plain, header + context.encode())
        return header + nonce + sealed

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt what was sealed for this context.

        Raises:
            BadSeal: it was sealed for another context or with an unknown secret, or was modified.
        """
        header, rest = sealed[:_HEADER], sealed[_HEADER:]
        if len(sealed) < _LEAST or not header.startswith(_VERSION):
            raise BadSeal
        for key_id, master in self._masters:
            if header == _VERSION + key_id:
                cipher, about = _cipher(master, context), header + context.encode()
                try:
                    return cipher.decrypt(rest[:_NONCE], rest[_NONCE:], about)
                except InvalidTag:
                    continue
        raise BadSeal


def _master(secret: str) -> tuple[bytes, bytes]:
    """The id of a secret's key, which reveals nothing about it, and the key."""
    derive = HKDF(SHA256(), length=_ID + _KEY, salt=None, info=b"bff: sealed records, version 1")
    made = derive.derive(secret.encode())
    return made[:_ID], made[_ID:]


@lru_cache(maxsize=_CIPHERS)
def _cipher(master: bytes, context: str) -> AESGCM:
    return AESGCM(hmac.digest(master, context.encode(), "sha256"))
