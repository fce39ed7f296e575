"""Access tokens: JSON Web Tokens of one issuer, for this endpoint, and what their claims grant.

Sources: RFC 7519 and RFC 8725 (JSON Web Tokens), RFC 9068 (as access tokens), specification 2026-07-28, "Access Token
Usage". A token is judged here and goes no further: servers never see it ("Access Token Privilege Restriction").
Loading this module costs 0.15 s, cryptography included; only OAuth mode does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import jwt

from vsm_mcp.gateway.challenge import Rejected, Resource
from vsm_mcp.gateway.issuer import Issuer
from vsm_mcp.model.auth import Auth
from vsm_mcp.model.principal import Grant, Principal
from vsm_mcp.policy.grants import covers_profile

MAX_TOKEN: Final = 16 * 1024
_MAX_NAME: Final = 512
_WHY: Final = {
    "ImmatureSignatureError": "this token is not valid yet",
    "InvalidIssuerError": "this token comes from another issuer",
    "InvalidSignatureError": "the signature of this token is wrong",
    "InvalidAlgorithmError": "this token is signed with an algorithm that is not accepted",
}


class Tokens:
    """Judges tokens by the settings: who issues them, for which audience, with which scopes.

    ``resource`` is this endpoint, as tokens and clients know it.
    """

    def __init__(self, settings: Auth, issuer: Issuer | None = None) -> None:
        self._settings = settings
        self._issuer = issuer or Issuer(settings.issuer, settings.jwks_url)
        self.resource = self._resource(settings.public_url)

    def listening(self, url: str) -> None:
        """Take note of where the endpoint listens: it is known by that where no public URL is set."""
        if not self._settings.public_url:
            self.resource = self._resource(url)

    async def verify(self, token: str) -> tuple[Principal, float]:
        """Return whose a token is, and until when that holds, in seconds since the epoch.

        Raises :class:`Rejected`, never with any part of the token, and :class:`IssuerUnavailable`.
        """
        if len(token) > MAX_TOKEN:
            raise Rejected("this token is too long")
        try:
            head = jwt.get_unverified_header(token)
            algorithm, kid = head.get("alg"), head.get("kid")
            if not isinstance(algorithm, str) or algorithm not in self._settings.algorithms:
                raise jwt.InvalidAlgorithmError
            key = await self._issuer.key(kid if isinstance(kid, str) else None)
            if key is None:
                raise Rejected("this token is signed with a key that its issuer does not publish")
            claims = jwt.decode(
                token,
                jwt.PyJWK(key, key.get("alg") or algorithm),
                algorithms=[algorithm],
                issuer=self._settings.issuer,
                leeway=self._settings.leeway_seconds,
                options={"require": ["exp", "iss", "aud"], "verify_aud": False, "enforce_minimum_key_length": True},
            )
            until = float(claims["exp"])
        except jwt.ExpiredSignatureError:
            raise Rejected("this token has expired", genuine=True) from None
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:
            raise Rejected(_WHY.get(type(error).__name__, "this is no valid token")) from None
        return principal_of(claims, self._settings, self.resource), until

    def _resource(self, url: str) -> Resource:
        return Resource(url, self._settings.issuer, self._settings.required_scopes)


def principal_of(claims: Mapping[str, Any], settings: Auth, resource: Resource) -> Principal:
    """Return who the claims of a verified token speak of, and what that one may do. Pure.

    Raises :class:`Rejected` for a token that is not for this endpoint (``invalid_token``), or that lacks a scope
    (``insufficient_scope``).
    """
    profiles = _audience_profiles(_words(claims.get("aud"), split=False), settings, resource)
    if not profiles:
        raise Rejected("this token is for another audience")
    subject, client = claims.get("sub"), claims.get("client_id") or claims.get("azp")
    who = [part for part in (subject, client) if isinstance(part, str) and part]
    if not who or sum(map(len, who)) > _MAX_NAME:
        raise Rejected("this token does not say whose it is")
    given = {*_words(claims.get("scope")), *_words(claims.get("scp"))}
    if missing := [scope for scope in settings.required_scopes if scope not in given]:
        raise Rejected(f"this token lacks the scope {' '.join(missing)}", "insufficient_scope", genuine=True)
    if settings.claim:
        claimed = Grant(profiles=tuple("" if name == "/" else name for name in _words(claims.get(settings.claim))))
        # The client chooses the audience: it narrows what is claimed, and never widens it.
        everywhere = profiles == ("*",)
        profiles = claimed.profiles if everywhere else tuple(p for p in profiles if covers_profile(claimed, p))
    grant = Grant(profiles=profiles, rate=settings.token_rate, concurrency=settings.token_concurrency)
    return Principal(name=f"token:{who!r} of {settings.issuer}", grant=grant)


def _audience_profiles(audience: Iterable[str], settings: Auth, resource: Resource) -> tuple[str, ...]:
    if settings.audience:
        return ("*",) if settings.audience in audience else ()
    return resource.profiles(audience)


def _words(claim: Any, *, split: bool = True) -> tuple[str, ...]:
    """Return a claim that is a list of strings, or one string with spaces in between (RFC 8693, section 4.2)."""
    if isinstance(claim, str):
        return tuple(claim.split()) if split else (claim,)
    return tuple(word for word in claim if isinstance(word, str)) if isinstance(claim, list) else ()
