"""Gets the right to call one server: by the token that is kept, by renewing it, by credentials, or by a person."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final, Protocol

import msgspec

from vsm_mcp.authorization.grant import Grant, Kept
from vsm_mcp.errors import BadArgument, HttpRefused, LoginNeeded, VsmError

CLIENT_ID: Final = "OAUTH_CLIENT_ID"
CLIENT_SECRET: Final = "OAUTH_CLIENT_SECRET"
ISSUER: Final = "OAUTH_ISSUER"
NAMES: Final = frozenset({CLIENT_ID, CLIENT_SECRET, ISSUER})
"""What a person may give for a server (``--env``, ``--secret``) that is no header of it."""


class Challenged(Protocol):
    """The refusal of a server that wants authorization; :class:`vsm_mcp.wire.authorizer.Challenged` is one."""

    status: int
    message: str
    hint: str
    challenge: str


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are to an authorization server, where a person registered us there.

    ``id`` may be the ``https`` URL of a document that describes us (a Client ID Metadata Document). With ``secret``
    and ``issuer``, the one authorization server that may see the secret, we can act without a person.
    """

    id: str = ""
    secret: str = ""
    issuer: str = ""

    def __repr__(self) -> str:
        return "Client(…)"


def client_of(given: Mapping[str, str]) -> Client:
    """Return who we are by what a person gave for a server.

    Raises :class:`BadArgument` for a secret without its issuer: the server would say who gets to see it.
    """
    if given.get(CLIENT_SECRET) and not given.get(ISSUER):
        raise BadArgument(f"{CLIENT_SECRET} without {ISSUER}", f"say whose it is: --env {ISSUER}=https://…")
    return Client(id=given.get(CLIENT_ID, ""), secret=given.get(CLIENT_SECRET, ""), issuer=given.get(ISSUER, ""))


class Person(Protocol):
    """Somebody with a browser."""

    redirect_uri: str

    async def consent(self, url: str) -> Mapping[str, str]:
        """Have ``url`` visited; return the query with which the browser comes back to ``redirect_uri``.

        Raises :class:`vsm_mcp.errors.VsmError` when nobody comes.
        """
        ...


class OAuth:
    """Authorizes the requests to the server at ``url``: a :class:`vsm_mcp.wire.authorizer.Authorizer`.

    Without ``person`` only what needs none is tried. ``lock`` is shared by all who use the same kept authorization:
    a token for renewal is often good for one use. Tokens go to the server, and secrets to its authorization server,
    alone; neither is ever part of a message or an error.
    """

    def __init__(
        self,
        url: str,
        kept: Kept,
        *,
        client: Client | None = None,
        person: Person | None = None,
        lock: asyncio.Lock | None = None,
    ) -> None:
        self._url = url
        self._grant = Grant(kept, url)
        self._client = client or Client()
        self._person = person
        self._lock = lock or asyncio.Lock()
        self._token = self._kept_token()

    def current(self) -> str:
        """Return the value of ``Authorization``; empty while there is no token."""
        return f"Bearer {self._token}" if self._token else ""

    async def renew(self, refused: Challenged) -> None:
        """Get another token.

        Raises :class:`LoginNeeded` where that needs a person, :class:`HttpRefused` and
        :class:`vsm_mcp.errors.TransportError` when the authorization server does not give one.
        """
        async with self._lock:
            kept = self._grant.access
            if not kept or kept == self._token:
                kept = await self._another(refused)
            self._token = kept

    async def agree(self, refused: Challenged) -> None:
        """Get a token that a person agrees to, whatever is kept. Raises what :meth:`renew` raises."""
        async with self._lock:
            flow: Any = await asyncio.to_thread(_flow)
            self._token = await flow.consented(self._url, self._grant, refused, self._client, self._person)

    async def _another(self, refused: Challenged) -> str:
        grant, client, person = self._grant, self._client, self._person
        alone = bool(client.id and client.secret and client.issuer)
        if not (person or alone or (refused.status == 401 and grant.renewable)):
            raise login_needed(refused)
        flow: Any = await asyncio.to_thread(_flow)
        if refused.status == 401 and grant.renewable:
            token = str(await flow.renewed(self._url, grant))
            if token:
                return token
        if person is not None:
            return str(await flow.consented(self._url, grant, refused, client, person))
        if alone:
            return str(await flow.credited(self._url, grant, refused, client))
        raise login_needed(refused)

    def _kept_token(self) -> str:
        try:
            return self._grant.access
        except VsmError:
            return ""  # what cannot be read is not there; keeping the next one says why


def login_needed(refused: Challenged) -> LoginNeeded:
    """Return what a server means that wants a person to agree."""
    more = " for more than it was given for" if refused.status == 403 else ""
    hint = "a person authorizes it: vsm-mcp login NAME (before it is added: its URL)"
    if not refused.challenge:
        hint = f"{refused.hint}; or {hint}"
    return LoginNeeded(refused.status, f"{refused.message}{more}", hint)


def _flow() -> ModuleType:
    """Load what speaks OAuth: a second, and a package that not everybody has. Raises :class:`HttpRefused`."""
    try:
        return importlib.import_module("vsm_mcp.authorization.flow")
    except ModuleNotFoundError as error:
        raise HttpRefused(
            401,
            f"the server wants authorization by OAuth, which needs a package that is not installed ({error.name})",
            "install vsm-mcp[oauth]",
        ) from error
