"""Whoever issues tokens, as far as a resource server needs it: the public keys, found by its metadata.

Sources: RFC 8414 (authorization server metadata), OpenID Connect Discovery 1.0, RFC 7517 (JSON Web Key sets); the order
in which metadata is looked for is that of specification 2026-07-28, "Authorization Server Metadata Discovery".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from time import monotonic
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import msgspec

from vsm_mcp.errors import ProtocolError, Unreachable, VsmError

FRESH_SECONDS: Final = 3600.0
"""After so long the keys are asked for again; until they come, the old ones hold for at most a day."""

KEPT_SECONDS: Final = 24 * 3600.0
AGAIN_SECONDS: Final = 30.0
"""So long nothing is asked again, whatever unknown keys tokens name and however often the issuer fails."""

_ASK_SECONDS: Final = 10.0
_MAX_BYTES: Final = 512 * 1024
_MAX_KEYS: Final = 100

Fetch = Callable[[str], Awaitable[Any]]


class IssuerUnavailable(Unreachable):
    """The issuer of tokens does not answer, or answers rubbish: no token can be judged."""

    code: ClassVar[str] = "issuer_unavailable"
    remedy: ClassVar[str] = "look at [auth] issuer and jwks_url, and at the network"


class Issuer:
    """The public keys of one issuer, as JSON Web Keys by their ``kid``."""

    def __init__(
        self, url: str, jwks_url: str = "", *, fetch: Fetch | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        self.url = url
        self._jwks_url = jwks_url
        self._fetch = fetch or fetch_json
        self._clock = clock
        self._keys: list[dict[str, Any]] = []
        self._known_at = self._asked_at = float("-inf")
        self._failure: IssuerUnavailable | None = None
        self._asking = asyncio.Lock()

    async def key(self, kid: str | None) -> dict[str, Any] | None:
        """Return the key that a token names (or the only one, for a token that names none), ``None`` for no such key.

        Raises :class:`IssuerUnavailable`.
        """
        found = self._find(kid)
        if self._due(found):
            async with self._asking:  # one asks for all that wait
                if self._due(self._find(kid)):
                    await self._refresh()
            found = self._find(kid)
        if found is None and self._failure is not None:
            raise IssuerUnavailable(self._failure.message, self._failure.hint)
        return found

    def _find(self, kid: str | None) -> dict[str, Any] | None:
        if self._clock() - self._known_at > KEPT_SECONDS:
            return None
        if kid is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.get("kid") == kid), None)

    def _due(self, found: dict[str, Any] | None) -> bool:
        now = self._clock()
        wanted = found is None or now - self._known_at > FRESH_SECONDS
        return wanted and now - self._asked_at > AGAIN_SECONDS

    async def _refresh(self) -> None:
        self._asked_at = self._clock()
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                self._keys = _signing_keys(await self._fetch(self._jwks_url or await self._discover()))
            self._known_at, self._failure = self._clock(), None
        except TimeoutError:
            self._failure = IssuerUnavailable(f"the issuer of tokens did not answer within {_ASK_SECONDS:g} s")
        except VsmError as error:
            self._failure = IssuerUnavailable(f"the issuer of tokens cannot be asked: {error.message}", error.hint)

    async def _discover(self) -> str:
        """Return where the keys are. A document that is for another issuer is not used (RFC 8414, section 3.3)."""
        missing: VsmError = ProtocolError(f"{self.url} has no metadata")
        unusable = ""
        for url in metadata_urls(self.url):
            try:
                document = await self._fetch(url)
            except VsmError as error:
                missing = error
                continue
            where = document.get("jwks_uri") if isinstance(document, dict) else None
            if isinstance(where, str) and document.get("issuer") == self.url:
                return where
            unusable = f"the metadata at {url} is not that of {self.url}, or names no jwks_uri"
        raise ProtocolError(unusable) if unusable else missing


def metadata_urls(issuer: str) -> Iterator[str]:
    """Yield where an issuer's metadata may be, in the order in which it is looked for."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    for name in ("oauth-authorization-server", "openid-configuration"):
        yield f"{origin}/.well-known/{name}{path}"
    if path:
        yield f"{origin}{path}/.well-known/openid-configuration"


def safe_url(url: str) -> bool:
    """Say whether keys may be fetched from a URL: over TLS, or from this machine itself."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))


async def fetch_json(url: str) -> Any:
    """Fetch a small JSON document; redirects are not followed.

    Raises :class:`IssuerUnavailable` or :class:`ProtocolError`.
    """
    import aiohttp  # noqa: PLC0415 - needed in OAuth mode only, once an hour

    if not safe_url(url):
        raise ProtocolError(f"keys are not fetched from {url[:200]}: it is not https")
    try:
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as answer,
        ):
            if answer.status != 200:
                raise IssuerUnavailable(f"{url} answered {answer.status}")
            body = await answer.content.read(_MAX_BYTES + 1)
            while len(body) <= _MAX_BYTES and (more := await answer.content.read(_MAX_BYTES)):
                body += more
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise IssuerUnavailable(f"{url} cannot be reached: {type(error).__name__}") from error
    try:
        if len(body) <= _MAX_BYTES:
            return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        pass
    raise ProtocolError(f"{url} answered with no JSON document of at most {_MAX_BYTES} bytes")


def _signing_keys(document: Any) -> list[dict[str, Any]]:
    """Return the public keys of a set that may check signatures (RFC 7517, section 4.2)."""
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ProtocolError("the issuer's keys are no JSON Web Key set")
    usable = [key for key in keys if isinstance(key, dict) and key.get("use", "sig") == "sig"]
    return [key for key in usable if key.get("kty") in {"RSA", "EC", "OKP"}][:_MAX_KEYS]
