"""What is kept of an authorization: tokens, our registration, and who issued them; by the server's URL.

By URL, not by acquisition: a person logs in before the server is added, and need not again when it is upgraded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

_NAME: Final = "oauth-"


class Kept(Protocol):
    """Where secrets are kept; :class:`vsm_mcp.store.secrets.Secrets` is one."""

    def of(self, acquisition: str, /) -> dict[str, str]:
        """Return the secrets under a name; empty where there are none."""
        ...

    def put(self, acquisition: str, values: Mapping[str, str], /) -> None:
        """Replace the secrets under a name; none given removes it."""
        ...


class _Token(msgspec.Struct, frozen=True):
    access_token: str = ""
    refresh_token: str | None = None


class Grant:
    """What is kept for the server at ``url``. Parts are JSON documents as OAuth has them.

    Parts: ``tokens`` (RFC 6749, section 5.1), ``client`` (RFC 7591), ``server`` (RFC 8414), ``resource`` (RFC 9728).
    Reading and writing raise what :class:`Kept` raises.
    """

    def __init__(self, kept: Kept, url: str) -> None:
        self._kept = kept
        self._name = _NAME + hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:32]

    def part(self, name: str) -> str:
        """Return one part; empty where there is none."""
        return self._kept.of(self._name).get(name, "")

    def keep(self, **parts: str) -> None:
        """Replace some parts; an empty one is removed."""
        whole = {**self._kept.of(self._name), **parts}
        self._kept.put(self._name, {name: value for name, value in whole.items() if value})

    def forget(self) -> None:
        """Remove all of it."""
        self._kept.put(self._name, {})

    @property
    def access(self) -> str:
        """The token for calls; empty where there is none."""
        return self._token().access_token

    @property
    def renewable(self) -> bool:
        """Whether a new token can be had for this one, without a person."""
        return bool(self._token().refresh_token and self.part("client") and self.part("server"))

    def _token(self) -> _Token:
        try:
            return msgspec.json.decode(self.part("tokens") or "{}", type=_Token)
        except msgspec.DecodeError:
            return _Token()
