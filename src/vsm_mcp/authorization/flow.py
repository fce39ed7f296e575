"""OAuth 2.1 as the MCP SDK speaks it, driven beside our own transport: loaded when it is needed.

The SDK's provider is a generator that yields requests and takes their responses. Those to authorization servers are
sent here; the one to the MCP server is answered with the refusal that our transport met, and travels again on it.
Source: specification 2026-07-28, "Authorization".
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import httpx2
from mcp.client.auth import OAuthClientProvider, OAuthFlowError, OAuthRegistrationError, OAuthTokenError
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)
from pydantic import AnyUrl, BaseModel

from vsm_mcp.authorization.asking import ask, asking
from vsm_mcp.authorization.authorizer import Challenged, Client, Person
from vsm_mcp.authorization.grant import Grant
from vsm_mcp.errors import HttpRefused, TransportError

_VERSION: Final = "2025-11-25"
"""What a token request says about us decides whether it names the server it is for (RFC 8707); from 2025-06-18 on."""
_SHOWN: Final = 300

logging.getLogger("mcp.client.auth").setLevel(logging.CRITICAL + 1)  # it logs what authorization servers say: tokens

M = TypeVar("M", bound=BaseModel)
Flow = AsyncGenerator[httpx2.Request, httpx2.Response]


async def renewed(url: str, grant: Grant) -> str:
    """Return a new token for the one that is kept; empty when the authorization server gives none for it any more."""
    provider = OAuthClientProvider(url, _metadata(Client(), None), _Storage(grant))
    with _mapped():
        context = provider.context
        context.current_tokens = await context.storage.get_tokens()
        context.oauth_metadata = OAuthMetadata.model_validate_json(grant.part("server"))
        if grant.part("resource"):
            context.protected_resource_metadata = ProtectedResourceMetadata.model_validate_json(grant.part("resource"))
        context.client_info = await context.storage.get_client_info()
        context.token_expiry_time = 1.0  # the server has said so
        provider._initialized = True  # noqa: SLF001 - it would read the tokens again, and take them for good
        return await _driven(provider, grant, None)


async def consented(url: str, grant: Grant, refused: Challenged, client: Client, person: Person) -> str:
    """Return a token that a person agreed to (RFC 6749, section 4.1, with PKCE).

    Raises :class:`HttpRefused` and :class:`TransportError` when there is none to be had.
    """
    back: dict[str, str] = {}

    async def visit(address: str) -> None:
        back.update(await person.consent(address))

    async def came_back() -> AuthorizationCodeResult:
        if "error" in back:
            raise OAuthFlowError(f"it answered {back['error'][:_SHOWN]!r}")
        return AuthorizationCodeResult(code=back.get("code", ""), state=back.get("state"), iss=back.get("iss"))

    described = client.id if client.id.startswith("https://") and not client.secret else None
    with _mapped():
        provider = OAuthClientProvider(
            url,
            _metadata(client, person.redirect_uri),
            _Storage(grant, person.redirect_uri, None if described else client),
            visit,
            came_back,
            client_metadata_url=described,
        )
        return await _driven(provider, grant, refused)


async def credited(url: str, grant: Grant, refused: Challenged, client: Client) -> str:
    """Return a token for our credentials (RFC 6749, section 4.4). Raises as :func:`consented` does."""
    with _mapped():
        provider = ClientCredentialsOAuthProvider(
            url, _Storage(grant), client_id=client.id, client_secret=client.secret, issuer=client.issuer
        )
        return await _driven(provider, grant, refused)


async def _driven(provider: OAuthClientProvider, grant: Grant, refused: Challenged | None) -> str:
    """Run a provider until it has a token; without ``refused``, until it would need more than it has."""
    request = httpx2.Request("POST", provider.context.server_url, headers={"MCP-Protocol-Version": _VERSION})
    flow: Flow = provider.async_auth_flow(request)
    answered = refused is None
    async with asking(provider.context.server_url) as way:
        try:
            wanted = await anext(flow)
            while wanted is not request or not answered:
                if wanted is request and refused is not None:
                    answered = True
                    response = _refusal(request, refused)
                else:
                    response = await ask(way, wanted)
                wanted = await flow.asend(response)
        finally:
            await flow.aclose()
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token:
        context = provider.context
        grant.keep(
            client=_json(context.client_info),
            server=_json(context.oauth_metadata),
            resource=_json(context.protected_resource_metadata),
        )
    return token


def _refusal(request: httpx2.Request, refused: Challenged) -> httpx2.Response:
    headers = {"WWW-Authenticate": refused.challenge} if refused.challenge else {}
    return httpx2.Response(refused.status, headers=headers, request=request)


def _json(document: BaseModel | None) -> str:
    return "" if document is None else document.model_dump_json(exclude_none=True)


def _metadata(client: Client, redirect_uri: str | None) -> OAuthClientMetadata:
    return OAuthClientMetadata(
        client_name="VSM-MCP",
        redirect_uris=None if redirect_uri is None else [AnyUrl(redirect_uri)],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
    )


class _Storage:
    """The SDK's view of what is kept; with ``redirect_uri``, without a registration that is for another one."""

    def __init__(self, grant: Grant, redirect_uri: str = "", client: Client | None = None) -> None:
        self._grant = grant
        self._redirect_uri = redirect_uri
        self._client = client or Client()

    async def get_tokens(self) -> OAuthToken | None:
        return _read(OAuthToken, self._grant.part("tokens"))

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._grant.keep(tokens=_json(tokens))

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        if self._client.id:
            return _registered(self._client, self._redirect_uri)
        found = _read(OAuthClientInformationFull, self._grant.part("client"))
        if found is None or not self._redirect_uri:
            return found
        return found if self._redirect_uri in map(str, found.redirect_uris or ()) else None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._grant.keep(client=_json(client_info))


def _read(kind: type[M], text: str) -> M | None:
    """Return a part that is kept; one that cannot be read is not there."""
    try:
        return kind.model_validate_json(text) if text else None
    except ValueError:
        return None


def _registered(client: Client, redirect_uri: str) -> OAuthClientInformationFull:
    return OAuthClientInformationFull(
        client_id=client.id,
        client_secret=client.secret or None,
        issuer=client.issuer or None,
        redirect_uris=[AnyUrl(redirect_uri)],
        token_endpoint_auth_method="client_secret_basic" if client.secret else "none",
    )


@contextmanager
def _mapped() -> Iterator[None]:
    """Map what the SDK raises; of what an authorization server says, its answers to token requests are never shown."""
    try:
        yield
    except OAuthTokenError as error:
        raise _refused("its authorization server gives no token", "") from error
    except OAuthRegistrationError as error:
        hint = "register a client there by hand and give its OAUTH_CLIENT_ID (and OAUTH_CLIENT_SECRET, OAUTH_ISSUER)"
        raise _refused("its authorization server does not register clients by itself", hint) from error
    except OAuthFlowError as error:
        said = "the browser came back from another attempt" if "State" in str(error) else str(error)[:_SHOWN]
        raise _refused(f"authorization failed: {said}", "") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise TransportError(f"an authorization server cannot be reached ({type(error).__name__})") from error
    except (ValueError, TypeError, KeyError, AttributeError, StopAsyncIteration, RecursionError) as error:
        raise _refused("the authorization server answers with something that is not OAuth", "") from error


def _refused(what: str, hint: str) -> HttpRefused:
    return HttpRefused(401, what, hint or "vsm-mcp login NAME tries again")
