"""A server that wants a token: the scripted one, behind a door that knows an issuer (RFC 9728, RFC 6750)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import jwt
from aiohttp import web
from tests.unit.gateway.issuing import Issuer

from vsm_mcp.testing import faulty_http


class Door:
    """``revoked`` holds tokens that open it no more, ``scopes`` what a method needs; ``seen`` what was shown to it."""

    def __init__(self, issuer: Issuer, inside: str, session: aiohttp.ClientSession) -> None:
        self.url = ""
        self.revoked: set[str] = set()
        self.scopes: dict[str, str] = {}
        self.seen: list[str] = []
        self._issuer = issuer
        self._inside = inside
        self._session = session

    async def metadata(self, _request: web.Request) -> web.Response:
        return web.json_response({"resource": self.url, "authorization_servers": [self._issuer.url]})

    async def post(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.seen.append(token)
        wanted = self.scopes.get(request.headers.get("Mcp-Method", ""), "")
        refused = self._refused(token, wanted)
        if refused:
            place = f'resource_metadata="{self.url.removesuffix("/mcp")}/.well-known/oauth-protected-resource/mcp"'
            more = f', error="insufficient_scope", scope="{wanted}"' if refused == 403 else ""
            return web.Response(status=refused, headers={"WWW-Authenticate": f"Bearer {place}{more}"})
        headers = {name: value for name, value in request.headers.items() if name != "Host"}
        async with self._session.post(self._inside, data=await request.read(), headers=headers) as answer:
            kind = answer.headers.get("Content-Type", "")
            return web.Response(status=answer.status, body=await answer.read(), headers={"Content-Type": kind})

    def _refused(self, token: str, wanted: str) -> int:
        if not token or token in self.revoked:
            return 401
        keys = [private.public_key() for private in self._issuer.private.values()]
        try:
            claims = jwt.decode(token, keys[0], algorithms=["ES256"], audience=self.url)
        except jwt.InvalidTokenError:
            return 401
        return 403 if not set(wanted.split()) <= set(claims["scope"].split()) else 0


@asynccontextmanager
async def guarding(issuer: Issuer) -> AsyncIterator[Door]:
    """Run the server behind its door on a free port."""
    async with faulty_http.serving("--mode=both") as (inside, _), aiohttp.ClientSession() as session:
        door = Door(issuer, inside, session)
        app = web.Application()
        app.router.add_get("/.well-known/oauth-protected-resource/mcp", door.metadata)
        app.router.add_post("/mcp", door.post)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            door.url = f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
            yield door
        finally:
            await runner.cleanup()
