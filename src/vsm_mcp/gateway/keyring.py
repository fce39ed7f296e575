"""The keys that open the endpoint, in memory; swapped whole when one is created or revoked."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping

from vsm_mcp.gateway.challenge import Rejected
from vsm_mcp.model.key import Key, digest_of, id_of
from vsm_mcp.model.principal import Principal


class Keyring:
    """Tells whose a key is. ``keys`` is another object after every change."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self.keys: Mapping[str, Key] = {}
        self.replace(keys)

    def replace(self, keys: Iterable[Key]) -> None:
        """Know exactly these keys from now on."""
        self.keys = {key.id: key for key in keys}

    def usable(self, now: float) -> bool:
        """Say whether there is a key that has not expired (``now``: seconds since the epoch)."""
        return any(not key.grant.expires or key.grant.expires > now for key in self.keys.values())

    def principal(self, text: str, now: float) -> Principal:
        """Return who presents a key. Raises :class:`Rejected`, never with any part of the key.

        The hashes are compared in constant time; the id, by which a key is looked up, is no secret.
        """
        ident = id_of(text)
        if not ident:
            raise Rejected("this is not a whole key: a character is missing or wrong")
        key = self.keys.get(ident)
        if key is None or not hmac.compare_digest(key.digest, digest_of(text)):
            raise Rejected("this key is not known here: it was revoked, or belongs to another gateway")
        if key.grant.expires and key.grant.expires <= now:
            raise Rejected("this key has expired", genuine=True)
        return key.principal
