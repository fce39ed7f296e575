"""Keys of access: their text, and what is kept of them.

A key is ``vsm_ID_SECRETSUM``: eight characters that name it, 43 that hold 256 random bits, and six of a checksum, so
that a mistyped key is told apart from one that was revoked. Only a SHA-256 hash of the text is kept. A slow hash, as
for passwords, would add nothing: it makes guessing expensive where there is something to guess, and nobody guesses 256
random bits; it would only make every first request of a client expensive for us.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from typing import Final

import msgspec

from vsm_mcp.model.principal import Grant, Principal

PREFIX: Final = "vsm_"
ENTROPY: Final = 37
"""Random bytes in a key: five of its id, 32 of its secret."""

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_BYTES: Final = 5
_SECRET_DIGITS: Final = 43  # 62^43 is just above 2^256
_SUM_DIGITS: Final = 6
_SHAPE: Final = re.compile(rf"vsm_([a-z2-7]{{8}})_[0-9A-Za-z]{{{_SECRET_DIGITS}}}([0-9A-Za-z]{{{_SUM_DIGITS}}})")


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a key: ``digest`` is the SHA-256 of its text; ``created`` in seconds since the epoch."""

    id: str
    name: str
    digest: bytes
    grant: Grant = Grant()
    created: float = 0.0

    @property
    def principal(self) -> Principal:
        """Return who presents this key."""
        return Principal(name=f"key:{self.name}", grant=self.grant)


def mint(entropy: bytes) -> str:
    """Return the text of a new key from :data:`ENTROPY` random bytes."""
    if len(entropy) != ENTROPY:
        raise ValueError(f"a key takes {ENTROPY} random bytes")
    ident = base64.b32encode(entropy[:_ID_BYTES]).decode().lower()
    body = f"{PREFIX}{ident}_{_base62(int.from_bytes(entropy[_ID_BYTES:], 'big'), _SECRET_DIGITS)}"
    return body + _checksum(body)


def id_of(text: str) -> str:
    """Return the id in the text of a key, or ``""`` for what was never a key (cut off, mistyped)."""
    found = _SHAPE.fullmatch(text)
    return found[1] if found and found[2] == _checksum(text[:-_SUM_DIGITS]) else ""


def digest_of(text: str) -> bytes:
    """Return what is kept of a key's text."""
    return hashlib.sha256(text.encode()).digest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _SUM_DIGITS)


def _base62(number: int, width: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _DIGITS[rest] + digits
    return digits.rjust(width, "0")
