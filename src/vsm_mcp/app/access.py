"""Who is asked for a key, decided once the address to listen on is known."""

from __future__ import annotations

import re
import time
from typing import Final
from urllib.parse import urlsplit

from vsm_mcp import config as configuration
from vsm_mcp.errors import ConfigError
from vsm_mcp.events import AccessInClear, Emit
from vsm_mcp.gateway.authentication import Authentication
from vsm_mcp.gateway.keyring import Keyring
from vsm_mcp.gateway.server import ASK_WHO
from vsm_mcp.model.auth import Auth
from vsm_mcp.model.loopback import on_loopback

_ASYMMETRIC: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
_SCOPE: Final = re.compile(r"[!#-\[\]-~]+")
_ENCRYPT: Final = (
    "put a proxy that speaks TLS in front, let it reach this address alone, and say so: [auth] public_url = https://…"
)


def mode_of(auth: Auth, host: str) -> str:
    """Return ``none``, ``keys`` or ``oauth``: what ``[auth] mode`` comes to at an address."""
    if auth.mode != "auto":
        return auth.mode
    if on_loopback(host):
        return "none"
    return "oauth" if auth.issuer else "keys"


def authentication(config: configuration.Config, keyring: Keyring, emit: Emit) -> Authentication | None:
    """Return what asks who calls, ``None`` where nobody is asked.

    Raises :class:`ConfigError`, with what to do, when others could reach the endpoint and nobody could be told apart.
    """
    auth, host = config.auth, config.gateway.host
    check(auth)
    mode, elsewhere = mode_of(auth, host), not on_loopback(host)
    if mode == "none":
        if elsewhere:
            raise ConfigError(f"[auth] mode is none, and {host} can be reached from other machines", ASK_WHO)
        return None
    if mode == "keys":
        if elsewhere and not keyring.usable(time.time()):
            raise ConfigError(f"{host} can be reached from other machines, and there is no key yet", ASK_WHO)
        return Authentication(keyring, emit=emit)
    if elsewhere and not auth.public_url:
        raise ConfigError(
            f"clients are led to the issuer of tokens by the URL they know, and that is not {host}",
            "set [auth] public_url, e.g. https://mcp.example.com/mcp",
        )
    from vsm_mcp.gateway.tokens import Tokens  # noqa: PLC0415 - with cryptography, which nobody else needs

    return Authentication(keyring, Tokens(auth), emit=emit)


def warn_in_clear(config: configuration.Config, address: str, emit: Emit) -> None:
    """Say so when keys and tokens travel in clear where others may listen."""
    if not on_loopback(config.gateway.host) and not config.auth.public_url.startswith("https://"):
        emit(AccessInClear(address=address, hint=_ENCRYPT))


def check(auth: Auth) -> None:
    """Check settings that only fit together or not at all (RFC 6749, section 3.3; RFC 8725, section 3.1).

    Raises :class:`ConfigError`.
    """
    for field in ("issuer", "jwks_url", "public_url"):
        if not _is_url(getattr(auth, field), local=field == "public_url"):
            raise ConfigError(
                f"[auth] {field} is no https URL", "http is taken on loopback only; no query, no fragment, no user"
            )
    if auth.mode == "oauth" and not auth.issuer:
        raise ConfigError("[auth] mode is oauth without an issuer", "name it: [auth] issuer")
    if unsafe := set(auth.algorithms) - _ASYMMETRIC or (not auth.algorithms and {"nothing"}):
        raise ConfigError(
            f"[auth] algorithms holds {', '.join(sorted(unsafe))}", f"accepted are {', '.join(sorted(_ASYMMETRIC))}"
        )
    if wrong := [scope for scope in auth.required_scopes if not _SCOPE.fullmatch(scope)]:
        raise ConfigError(f"[auth] required_scopes holds {wrong[0]!r}, which is no scope", "a scope has no spaces")


def _is_url(url: str, *, local: bool) -> bool:
    """Say whether a URL may be used: over TLS, in clear on loopback, or (``local``) wherever the gateway listens."""
    if not url:
        return True
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if not parts.hostname or parts.query or parts.fragment or parts.username:
        return False
    clear = local or parts.hostname in {"localhost", "127.0.0.1", "::1"}
    return parts.scheme == "https" or (parts.scheme == "http" and clear)
