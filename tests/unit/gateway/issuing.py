"""An issuer of tokens on loopback: its metadata, its keys, and tokens that it signs."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

MAKE: Final[dict[str, Any]] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


class Issuer:
    """What it publishes can be changed while it runs; ``asked`` holds the paths that it was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.path = "/.well-known/oauth-authorization-server"
        self.metadata: dict[str, Any] = {}
        self.private: dict[str, Any] = {}
        self.published: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.status = 200
        self.algorithm = "ES256"

    def add_key(self, kid: str, algorithm: str = "ES256", **members: Any) -> None:
        """Make a key and publish its public half."""
        private = self.private[kid] = MAKE[algorithm]()
        public = json.loads(get_default_algorithms()[algorithm].to_jwk(private.public_key()))
        self.published.append({**public, "kid": kid, "use": "sig", **members})

    def token(self, kid: str = "one", algorithm: str = "", *, head: Any = None, **claims: Any) -> str:
        """Sign a token; a claim that is ``None`` is left out."""
        whole = {"iss": self.url, "sub": "ada", "exp": time.time() + 600, **claims}
        given = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode(given, self.private[kid], algorithm or self.algorithm, headers={"kid": kid, **(head or {})})

    async def grant(self, request: web.Request) -> web.Response:
        """Answer the token request of a client that acts on its own (RFC 6749, section 4.4; RFC 8707, section 2)."""
        form = await request.post()
        claims = {"aud": str(form["resource"]), "scope": str(form.get("scope", "")), "client_id": "machine"}
        token = self.token(sub="machine", **claims)
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": 600})

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if self.status != 200:
            return web.Response(status=self.status)
        if request.path == self.path:
            return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.metadata})
        if request.path.endswith("/keys"):
            return web.json_response({"keys": self.published})
        return web.Response(status=404)


@asynccontextmanager
async def issuing(path: str = "") -> AsyncIterator[Issuer]:
    """Run an issuer, whose URL has ``path``, on a free port."""
    issuer = Issuer()
    app = web.Application()
    app.router.add_get("/{rest:.*}", issuer.answer)
    app.router.add_post("/token", issuer.grant)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        issuer.url = f"http://127.0.0.1:{port}{path}"
        yield issuer
    finally:
        await runner.cleanup()
