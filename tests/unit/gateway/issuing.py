"""An issuer of tokens on loopback: its metadata, its keys, and tokens that it signs."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlencode

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
    """What it publishes can be changed while it runs.

    ``asked`` holds the paths that it was asked for, ``granted`` the kinds of its token requests.
    """

    def __init__(self) -> None:
        self.url = ""
        self.path = "/.well-known/oauth-authorization-server"
        self.metadata: dict[str, Any] = {}
        self.private: dict[str, Any] = {}
        self.published: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.granted: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
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

    def for_people(self) -> None:
        """Publish what clients need that act in the name of a person."""
        ends = {"authorization": "authorize", "token": "token", "registration": "register"}
        self.metadata |= {f"{name}_endpoint": f"{self.url}/{path}" for name, path in ends.items()}
        self.metadata |= {"response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"]}

    async def register(self, request: web.Request) -> web.Response:
        """Register a client (RFC 7591)."""
        wanted = await request.json()
        return web.json_response({**wanted, "client_id": "person", "token_endpoint_auth_method": "none"}, status=201)

    async def authorize(self, request: web.Request) -> web.Response:
        """Agree at once, and send the browser back (RFC 6749, section 4.1)."""
        code = secrets.token_hex(8)
        self.codes[code] = dict(request.query)
        back = {"code": code, "state": request.query["state"], "iss": self.url}
        raise web.HTTPFound(f"{request.query['redirect_uri']}?{urlencode(back)}")

    async def grant(self, request: web.Request) -> web.Response:
        """Answer a token request.

        For a client that acts on its own (RFC 6749, section 4.4; RFC 8707, section 2), for a code (with PKCE, RFC
        7636), and for a refresh token, which is good for one use.
        """
        form = {name: str(value) for name, value in (await request.post()).items()}
        kind = form["grant_type"]
        self.granted.append(kind)
        if self.status != 200:
            return web.json_response({"error": "invalid_grant", "error_description": str(form)}, status=self.status)
        claims = {"aud": form["resource"], "scope": form.get("scope", ""), "client_id": "machine", "sub": "machine"}
        more = {}
        if kind != "client_credentials":
            asked = self.codes.pop(form["code"] if kind == "authorization_code" else form["refresh_token"], None)
            if asked is None or (
                "code_verifier" in form and challenge(form["code_verifier"]) != asked["code_challenge"]
            ):
                return web.json_response({"error": "invalid_grant"}, status=400)
            claims |= {"scope": asked.get("scope", ""), "client_id": "person", "sub": "ada"}
            more["refresh_token"] = secrets.token_hex(8)
            self.codes[more["refresh_token"]] = asked
        token = self.token(jti=secrets.token_hex(8), **claims)
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": 600, **more})

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if self.status != 200:
            return web.Response(status=self.status)
        if request.path == self.path:
            return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.metadata})
        if request.path.endswith("/keys"):
            return web.json_response({"keys": self.published})
        return web.Response(status=404)


def challenge(verifier: str) -> str:
    """Return the challenge of a PKCE verifier (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@asynccontextmanager
async def issuing(path: str = "") -> AsyncIterator[Issuer]:
    """Run an issuer, whose URL has ``path``, on a free port."""
    issuer = Issuer()
    app = web.Application()
    app.router.add_get("/authorize", issuer.authorize)
    app.router.add_get("/{rest:.*}", issuer.answer)
    app.router.add_post("/register", issuer.register)
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
