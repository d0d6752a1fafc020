"""What the store holds of people is sealed: read and changed by nobody without our secret.

A sealed record is a version (1 byte), the id of a key (4), a nonce (12), and what AES-256-GCM makes
(NIST SP 800-38D): the ciphertext and its tag. Each record has a key of its own, so that no number
of records comes near the bound on random nonces of one key.
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
_CIPHERS: Final = 1024  # that are at hand: who asks once asks again


class BadSeal(BffError):
    """No secret of ours opens this here; the message never says what it was."""

    def __init__(self) -> None:
        super().__init__("what was sealed cannot be opened with the secrets that there are")


class Seal:
    """Seals with the first secret and opens with all: that is how one is replaced.

    Args:
        secrets: as declared; a key is derived from each of them (HKDF, RFC 5869).

    Raises:
        ValueError: there is no secret, or an empty one.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets or not all(secrets):
            raise ValueError("sealing takes at least one secret, and none that is empty")
        self._masters = [_master(secret) for secret in secrets]

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypt, for one place only.

        Args:
            context: where it belongs, such as the key it is stored under; it is not kept inside.
        """
        key_id, master = self._masters[0]
        header, nonce = _VERSION + key_id, urandom(_NONCE)
        sealed = _cipher(master, context).encrypt(nonce, plain, header + context.encode())
        return header + nonce + sealed

    def open(self, sealed: bytes, context: str) -> bytes:
        """What was sealed for this context.

        Raises:
            BadSeal: it was not, or not with a secret that we have, or it has been changed.
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
    """The id of a secret's key, which tells nothing of it, and the key."""
    derive = HKDF(SHA256(), length=_ID + _KEY, salt=None, info=b"bff: sealed records, version 1")
    made = derive.derive(secret.encode())
    return made[:_ID], made[_ID:]


@lru_cache(maxsize=_CIPHERS)
def _cipher(master: bytes, context: str) -> AESGCM:
    return AESGCM(hmac.digest(master, context.encode(), "sha256"))
