"""Keys and authorities that signatures are compared with: those that ship, a file's, a registry's own.

The form is that of npm's keys endpoint (npm documentation, "Registry signatures"). What ships (``data/trust.json``) are
the public keys of npm and the certificates of Sigstore's public instance, as npm itself ships them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vsm_mcp.model.moments import moment

_SIGNATURES: Final = "npm:signatures"
_MOST: Final = 50


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A public key (``key``: base64 of its DER form) and until when it signed (ISO 8601; ``None``: it still does)."""

    keyid: str
    key: str
    expires: str | None = None
    usage: str = _SIGNATURES

    def signed(self, message: bytes, signature: str) -> bool:
        """Return whether ``signature`` (base64) is this key's for ``message``: ECDSA with SHA-256."""
        try:
            public = serialization.load_der_public_key(base64.b64decode(self.key, validate=True))
            given = base64.b64decode(signature, validate=True)
        except (ValueError, UnsupportedAlgorithm, binascii.Error):
            return False
        return verified(public, message, given)

    def valid_at(self, published: str | None) -> bool | None:
        """Return whether it signed when a version was published; ``None`` where that cannot be told."""
        end = moment(self.expires)
        if self.expires is None or end is None:
            return True if self.expires is None else None
        when = moment(published)
        return None if when is None else when < end


def verified(public: Any, message: bytes, signature: bytes) -> bool:
    """Return whether a signature is good: ECDSA with SHA-256, the one algorithm of npm and Sigstore here."""
    if not isinstance(public, ec.EllipticCurvePublicKey):
        return False
    try:
        public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def read_keys(document: Any) -> tuple[Key, ...]:
    """Return the keys of an answer of the keys endpoint; what is none is left out."""
    rows = document.get("keys") if isinstance(document, Mapping) else None
    found: list[Key] = []
    for row in (rows if isinstance(rows, list) else [])[:_MOST]:
        try:
            found.append(msgspec.convert(row, Key))
        except msgspec.ValidationError:
            continue
    return tuple(found)


def keys_of(paths: Iterable[str]) -> tuple[Key, ...]:
    """Return the keys of files. Raises ``ValueError`` naming a file that holds none."""
    found: list[Key] = []
    for path in paths:
        try:
            keys = read_keys(msgspec.json.decode(Path(path).expanduser().read_bytes()))
        except (OSError, msgspec.DecodeError) as error:
            raise ValueError(f"{path} cannot be read") from error
        if not keys:
            raise ValueError(f"{path} holds no keys")
        found += keys
    return tuple(found)


@cache
def pinned() -> tuple[Key, ...]:
    """Return npm's keys that ship."""
    return tuple(msgspec.convert(row, Key) for row in _trust()["npm"])


@cache
def authorities() -> tuple[x509.Certificate, ...]:
    """Return the certificates of Sigstore's authorities that ship."""
    return tuple(x509.load_der_x509_certificate(base64.b64decode(raw)) for raw in _trust()["authorities"])


@cache
def _trust() -> Mapping[str, Any]:
    read: Mapping[str, Any] = msgspec.json.decode(files("vsm_mcp.vetting").joinpath("data/trust.json").read_bytes())
    return read
