from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from tests.unit.gateway.issuing import Issuer as Local
from tests.unit.gateway.issuing import issuing

from vsm_mcp.errors import ProtocolError
from vsm_mcp.gateway.issuer import (
    AGAIN_SECONDS,
    FRESH_SECONDS,
    KEPT_SECONDS,
    Issuer,
    IssuerUnavailable,
    fetch_json,
    metadata_urls,
    safe_url,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def local() -> AsyncIterator[Local]:
    async with issuing() as issuer:
        issuer.add_key("one")
        yield issuer


def test_where_metadata_is_looked_for() -> None:
    assert list(metadata_urls("https://auth.example.com/tenant1")) == [
        "https://auth.example.com/.well-known/oauth-authorization-server/tenant1",
        "https://auth.example.com/.well-known/openid-configuration/tenant1",
        "https://auth.example.com/tenant1/.well-known/openid-configuration",
    ]
    assert list(metadata_urls("https://auth.example.com/")) == [
        "https://auth.example.com/.well-known/oauth-authorization-server",
        "https://auth.example.com/.well-known/openid-configuration",
    ]


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://auth.example.com/keys", True),
        ("http://127.0.0.1:8000/keys", True),
        ("http://[::1]:8000/keys", True),
        ("http://auth.example.com/keys", False),
        ("http://127.0.0.1.evil.example/keys", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("//x", False),
        ("https://[", False),
    ],
)
def test_keys_come_over_tls_or_from_here(url: str, safe: bool) -> None:
    assert safe_url(url) is safe


async def test_the_keys_are_found_by_the_metadata_and_kept(local: Local) -> None:
    clock = Clock()
    issuer = Issuer(local.url, clock=clock)
    found = await issuer.key("one")
    assert found is not None
    assert found["kid"] == "one"
    assert await issuer.key(None) == found
    assert local.asked == ["/.well-known/oauth-authorization-server", "/keys"]
    clock.now += FRESH_SECONDS + 1
    await issuer.key("one")
    assert len(local.asked) == 4


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration/t", "/t/.well-known/openid-configuration"])
async def test_openid_discovery_where_there_is_no_oauth_metadata(path: str) -> None:
    async with issuing("/t") as local:
        local.path = path
        local.add_key("one")
        assert await Issuer(local.url).key("one")


async def test_metadata_of_another_issuer_is_not_used(local: Local) -> None:
    local.metadata = {"issuer": "https://honest.example"}
    with pytest.raises(IssuerUnavailable, match="is not that of"):
        await Issuer(local.url).key("one")
    assert "/keys" not in local.asked
    assert await Issuer(local.url, f"{local.url}/keys").key("one")  # where the settings say where the keys are


async def test_keys_are_not_fetched_in_clear_from_elsewhere(local: Local) -> None:
    local.metadata = {"jwks_uri": "http://keys.example/keys"}
    with pytest.raises(IssuerUnavailable, match="not https"):
        await Issuer(local.url).key("one")


async def test_an_unknown_key_is_asked_for_once_in_a_while(local: Local) -> None:
    clock = Clock()
    issuer = Issuer(local.url, f"{local.url}/keys", clock=clock)
    assert await issuer.key("one")
    local.add_key("two")
    for _ in range(50):  # within the pause, whatever tokens name
        assert await issuer.key("two") is None
    assert len(local.asked) == 1
    clock.now += AGAIN_SECONDS + 1
    assert await issuer.key("two")
    assert len(local.asked) == 2
    clock.now += AGAIN_SECONDS + 1
    assert await asyncio.gather(*(issuer.key(f"junk{n}") for n in range(50))) == [None] * 50
    assert len(local.asked) == 3


async def test_an_issuer_that_fails_is_not_hammered_and_never_lets_anybody_in(local: Local) -> None:
    clock = Clock()
    issuer = Issuer(local.url, clock=clock)
    local.status = 500
    for _ in range(20):
        with pytest.raises(IssuerUnavailable, match="cannot be asked"):
            await issuer.key("one")
    assert len(local.asked) == 2
    local.status = 200
    clock.now += AGAIN_SECONDS + 1
    assert await issuer.key("one")
    # known keys outlive an hour of silence, but not a day
    local.status = 500
    clock.now += FRESH_SECONDS + 1
    assert await issuer.key("one")
    with pytest.raises(IssuerUnavailable):
        await issuer.key("two")
    clock.now += KEPT_SECONDS
    with pytest.raises(IssuerUnavailable):
        await issuer.key("one")


async def test_an_issuer_that_is_not_there() -> None:
    with pytest.raises(IssuerUnavailable, match="cannot be reached"):
        await Issuer("http://127.0.0.1:9", "http://127.0.0.1:9/keys").key("one")


@pytest.mark.parametrize(
    "document", [[], {}, {"keys": 1}, {"keys": [1, {"kty": "oct", "k": "x", "kid": "one"}, {"use": "enc"}]}]
)
async def test_what_is_no_set_of_public_keys(document: Any) -> None:
    async def fetch(_url: str) -> Any:
        return document

    issuer = Issuer("https://x", "https://x/keys", fetch=fetch)
    if isinstance(document, dict) and isinstance(document.get("keys"), list):
        assert await issuer.key("one") is None
    else:
        with pytest.raises(IssuerUnavailable, match="no JSON Web Key set"):
            await issuer.key("one")


async def test_documents_that_are_too_large_no_json_or_elsewhere() -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": "/small"})
        return web.Response(text="[" + " " * 1_000_000 + "]" if request.path == "/large" else "<html>")

    app = web.Application()
    app.router.add_get("/{rest:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        for path in ("/large", "/html"):
            with pytest.raises(ProtocolError, match="no JSON document"):
                await fetch_json(base + path)
        with pytest.raises(IssuerUnavailable, match="302"):
            await fetch_json(base + "/moved")
    finally:
        await runner.cleanup()
