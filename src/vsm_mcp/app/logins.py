"""Logging in at a server that runs elsewhere: what ``vsm-mcp login`` does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.authorization.login import Authorizations
from vsm_mcp.authorization.loopback import browser
from vsm_mcp.config import Config
from vsm_mcp.errors import BadReference, ServerDown
from vsm_mcp.events import ConsentAsked, Emit, ignore
from vsm_mcp.model.ref import RefKind, parse_ref
from vsm_mcp.model.server import Server
from vsm_mcp.runtime.remote import open_remote
from vsm_mcp.runtime.spec import ServerSpec, spec_of
from vsm_mcp.store.secrets import Secrets
from vsm_mcp.wire.authorizer import Authorizer, Challenged

Restart = Callable[[str], Awaitable[object]]


class _Doorbell:
    """An authorizer that has nothing, and takes down what the server wants."""

    refused: Challenged | None = None

    def current(self) -> str:
        return ""

    async def renew(self, refused: Challenged) -> None:
        self.refused = refused
        raise refused


class Logins:
    """The authorizations of a home, and how they are given; ``restart`` starts a server of ``fleet`` anew."""

    def __init__(self, config: Config, secrets: Secrets, fleet: Fleet, emit: Emit, restart: Restart) -> None:
        self._config = config
        self._secrets = secrets
        self._fleet = fleet
        self._emit = emit
        self._restart = restart
        self._authorizations = Authorizations(secrets)

    def configure(self, config: Config) -> None:
        """Have other settings count for the next login."""
        self._config = config

    def authorizer_of(self, spec: ServerSpec) -> Authorizer:
        """Return who authorizes the requests to a server that runs elsewhere."""
        return self._authorizations.to(spec.url or "", spec.oauth)

    async def login(self, server: str, port: int = 0) -> dict[str, Any]:
        """Have a person agree that we call a server, known by its name or by its URL; start it anew.

        ``port`` on loopback is where the browser comes back to (0: any). Raises :class:`BadReference` for a server that
        runs on this machine, :class:`ServerDown` when it cannot be reached, and
        :class:`vsm_mcp.errors.TransportError` when nobody agrees.
        """
        spec, doorbell = self._spec(server), _Doorbell()
        name = spec.name
        try:
            remote = await open_remote(msgspec.structs.replace(spec, authorizer=doorbell), ignore)
        except ServerDown:
            if doorbell.refused is None:
                raise
        else:
            await remote.stop()
            return {"server": name, "login": "not needed"}
        async with browser(lambda url: self._emit(ConsentAsked(server=name, url=url)), port) as person:
            await self._authorizations.agreed(spec.url or "", spec.oauth, doorbell.refused, person)
        if server in self._fleet.servers:
            await self._restart(server)
        return {"server": name, "login": "done"}

    def forget(self, server: Server) -> None:
        """Remove what is kept for a server that is no more, unless another one has the same address."""
        url = address_of(server)
        if url and url not in map(address_of, self._fleet.servers.values()):
            self._authorizations.forget(url)

    def _spec(self, server: str) -> ServerSpec:
        known = self._fleet.servers.get(server)
        if known is not None:
            spec = spec_of(known, self._secrets.of(known.acquisition), self._config)
        else:
            ref = parse_ref(server) if ":" in server else self._fleet.get(server).ref
            url = ref.name if ref.kind is RefKind.REMOTE else None
            spec = ServerSpec(name=urlsplit(ref.name).hostname or "the server", url=url)
        if spec.url is None:
            raise BadReference(
                f"{server} runs on this machine: there is nothing to log in to", "give a URL or its name"
            )
        return spec


def address_of(server: Server) -> str:
    """Return the URL of a server that runs elsewhere; else nothing."""
    entry = server.installation.entry
    if not entry.remote:
        return ""
    return entry.argv[0] if entry.argv else server.ref.name
