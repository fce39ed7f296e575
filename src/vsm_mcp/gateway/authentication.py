"""Who a request over HTTP comes from: the bearer of a key of ours, or of a token that the configured issuer made.

Sources: RFC 6750 (bearer tokens), specification 2026-07-28, "Access Token Usage". Credentials are verified once and
then known by the exact bytes of their header, for as long as they hold, the keys do not change, and at most five
minutes for a token. Nothing that is raised, published or logged holds any part of them.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol
from urllib.parse import parse_qsl

from vsm_mcp.events import AccessRefused, Emit, ignore
from vsm_mcp.gateway import messages
from vsm_mcp.gateway.asgi import CLOSE, Scope
from vsm_mcp.gateway.challenge import Rejected, Resource, challenge
from vsm_mcp.gateway.failures import Failures
from vsm_mcp.gateway.issuer import AGAIN_SECONDS, IssuerUnavailable
from vsm_mcp.gateway.keyring import Keyring
from vsm_mcp.gateway.refusals import Refusal, too_many
from vsm_mcp.model.key import PREFIX
from vsm_mcp.model.principal import Principal

_FIELD: Final = b"authorization"
_REMEMBERED: Final = 1024
_TOKEN_SECONDS: Final = 300.0
_IN_QUERY: Final = frozenset({"access_token", "token", "key", "api_key", "apikey", "authorization"})
_STATUS: Final = {"invalid_request": 400, "invalid_token": 401, "insufficient_scope": 403}


class _Passed(NamedTuple):
    principal: Principal
    until: float


class Tokens(Protocol):
    """Judges access tokens: :class:`vsm_mcp.gateway.tokens.Tokens`, which is loaded in OAuth mode only."""

    resource: Resource

    def listening(self, url: str) -> None:
        """Take note of where the endpoint listens."""
        ...

    async def verify(self, token: str) -> tuple[Principal, float]:
        """Return whose a token is, and until when that holds.

        Raises :class:`Rejected` and :class:`IssuerUnavailable`.
        """
        ...


class Authentication:
    """Asks who calls. Without ``tokens`` only keys are good."""

    def __init__(
        self,
        keyring: Keyring,
        tokens: Tokens | None = None,
        *,
        emit: Emit = ignore,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keyring = keyring
        self._keys = keyring.keys
        self._tokens = tokens
        self._emit = emit
        self._clock = clock
        self._passed: OrderedDict[bytes, _Passed] = OrderedDict()
        self._failures = Failures()

    def document(self, path: str) -> bytes | None:
        """Return the metadata that leads clients to the issuer, if it is at this path."""
        return None if self._tokens is None else self._tokens.resource.document(path)

    def listening(self, url: str) -> None:
        """Take note of where the endpoint listens."""
        if self._tokens is not None:
            self._tokens.listening(url)

    def known(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Principal | None:
        """Return who makes a request, without waiting; ``None`` where :meth:`principal` has to look closer."""
        return self._known(headers) if _plain(scope, headers) else None

    async def principal(self, scope: Scope, headers: Mapping[bytes, bytes], profile: str) -> Principal:
        """Return who makes a request to a profile.

        Raises :class:`Refusal`: 401 without good credentials (with the challenge of RFC 6750 and RFC 9728), 403
        ``insufficient_scope``, 400 for credentials in the wrong place, 429 to an address that keeps failing, 503 when
        the issuer cannot be asked.
        """
        try:
            if not _plain(scope, headers):
                _check_place(scope)
            return self._known(headers) or await self._verified(headers)
        except Rejected as rejected:
            raise self._refusal(rejected, scope, profile) from None
        except IssuerUnavailable as error:
            retry = (b"retry-after", b"%d" % AGAIN_SECONDS)
            data = {"class": "auth", "retryable": True, "seconds": AGAIN_SECONDS, "hint": "try again later"}
            raise Refusal(503, error.message, retry, data=messages.encode(data)) from None

    def _known(self, headers: Mapping[bytes, bytes]) -> Principal | None:
        """Return who presents credentials that were verified before and still hold."""
        if self._keys is not self._keyring.keys:
            self._keys = self._keyring.keys
            self._passed.clear()
        given = headers.get(_FIELD)
        passed = None if given is None else self._passed.get(given)
        if given is None or passed is None:
            return None
        if passed.until <= self._clock():
            del self._passed[given]
            return None
        self._passed.move_to_end(given)
        return passed.principal

    async def _verified(self, headers: Mapping[bytes, bytes]) -> Principal:
        given = headers.get(_FIELD, b"")
        scheme, _, text = given.decode("latin-1").partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            raise Rejected("" if not given else "Authorization has to be: Bearer KEY")
        keys, now = self._keys, self._clock()
        if text.startswith(PREFIX) or self._tokens is None:
            principal = self._keyring.principal(text, now)
            until = principal.grant.expires or float("inf")
        else:
            principal, until = await self._tokens.verify(text)
            until = min(until, now + _TOKEN_SECONDS)
        if keys is self._keyring.keys:
            self._passed[given] = _Passed(principal, until)
            if len(self._passed) > _REMEMBERED:
                self._passed.popitem(last=False)
        return principal

    def _refusal(self, rejected: Rejected, scope: Scope, profile: str) -> Refusal:
        bare = not rejected.message
        if not bare and not rejected.genuine:
            address = str((scope.get("client") or ("",))[0])
            seconds = self._failures.count(address, time.monotonic())
            if seconds:
                return too_many("too many failed attempts from this address", seconds, CLOSE)
            self._emit(AccessRefused(address=address, reason=rejected.message))
        wanted = "send Authorization: Bearer KEY" if self._tokens is None else "send Authorization: Bearer with a token"
        message = "this gateway asks who calls" if bare else rejected.message
        data = {"class": "auth", "retryable": False, "hint": f"{wanted}; {rejected.hint}"}
        resource = None if self._tokens is None else self._tokens.resource
        field = challenge(resource, profile, None if bare else rejected)
        return Refusal(_STATUS[rejected.error], f"{message}: {wanted}", field, data=messages.encode(data))


def _plain(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """Say whether there can be no credentials in the URL and no two of them."""
    return not scope["query_string"] and len(headers) == len(scope["headers"])


def _check_place(scope: Scope) -> None:
    """Refuse credentials in the URL, where logs and histories keep them, and more of them than one."""
    query: bytes = scope.get("query_string", b"")
    if query and any(
        name.lower() in _IN_QUERY or value.startswith(PREFIX) for name, value in parse_qsl(query.decode("latin-1"))
    ):
        raise Rejected("credentials are not taken from the URL; this one is no secret any more", "invalid_request")
    if sum(name == _FIELD for name, _ in scope["headers"]) > 1:
        raise Rejected("there is more than one Authorization field", "invalid_request")
