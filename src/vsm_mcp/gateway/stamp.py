"""What the gateway gives out and takes back later: readable by anybody, forgeable by nobody (HMAC-SHA256)."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from typing import Final

_TAG_BYTES: Final = 16
_MAX_LENGTH: Final = 256 * 1024


class Stamp:
    """Closes and opens bytes with one ``key`` (default: one of this process)."""

    def __init__(self, key: bytes = b"") -> None:
        self._key = key or secrets.token_bytes(32)

    def close(self, body: bytes, holder: bytes = b"") -> str:
        """Return ``body`` as text of ``[A-Za-z0-9_-]``; the same each time.

        ``holder`` is not in it, and without knowing it nobody can open the text.
        """
        return base64.urlsafe_b64encode(self._tag(body, holder) + body).decode().rstrip("=")

    def open(self, text: str, holder: bytes = b"") -> bytes | None:
        """Return what was closed for ``holder``, or ``None`` when that was not by us."""
        if len(text) > _MAX_LENGTH:
            return None
        try:
            whole = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            return None
        tag, body = whole[:_TAG_BYTES], whole[_TAG_BYTES:]
        return body if hmac.compare_digest(tag, self._tag(body, holder)) else None

    def _tag(self, body: bytes, holder: bytes) -> bytes:
        message = b"%d:%b%b" % (len(holder), holder, body)
        return hmac.digest(self._key, message, "sha256")[:_TAG_BYTES]
