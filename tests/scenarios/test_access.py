"""Keys and tokens, with the real command line, the real daemon and the SDK's client."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.homes import Home
from tests.unit.gateway.issuing import issuing

ELSEWHERE = "0.0.0.0"  # noqa: S104 - every address of this machine


@asynccontextmanager
async def client(
    url: str, headers: dict[str, str] | None = None, auth: Any = None, mode: str = "legacy"
) -> AsyncIterator[Any]:
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async with (
        asyncio.timeout(60),
        httpx2.AsyncClient(headers=headers, auth=auth) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as connected,
    ):
        yield connected


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def status_of(url: str, key: str = "") -> int:
    import aiohttp

    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    async with (
        aiohttp.ClientSession(headers=bearer(key) if key else {}) as http,
        http.post(url, json=message) as answer,
    ):
        return answer.status


async def why_refused(url: str, headers: dict[str, str] | None = None) -> str:
    """Return what the SDK's client is told when it cannot connect."""
    with pytest.raises(BaseExceptionGroup) as caught:
        async with client(url, headers):
            pass
    error: BaseException = caught.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)


def reached(address: str) -> str:
    return address.replace(ELSEWHERE, "127.0.0.1")


@pytest.mark.slow
async def test_a_key_opens_the_gateway_until_it_is_revoked(home: Home) -> None:
    assert home.add_faulty("one").document["outcome"] == "served"
    refused = home.run("serve", "--host", ELSEWHERE, "--port", "0")
    assert (refused.code, refused.document["error"]["code"]) == (2, "config")
    assert "vsm-mcp key create NAME" in refused.document["error"]["hint"]

    first = home.run("key", "create", "first", "--deny-tool", "one__fail").document
    url = reached(home.serve("--host", ELSEWHERE))
    assert "AccessInClear" in home.said
    assert "TLS" in home.said
    second = home.run("key", "create", "second", "--expires", "1h").document  # while it runs
    assert await status_of(url) == 401
    assert "asks who calls" in await why_refused(url)
    async with client(url, bearer(first["key"])) as connected:
        names = [tool.name for tool in (await connected.list_tools()).tools]
        assert "one__echo" in names
        assert "one__fail" not in names
        assert (await connected.call_tool("one__echo", {"text": "ü"})).content[0].text == "echo:ü"
    assert await status_of(url, second["key"]) == 400  # let in, though without a session

    assert home.run("key", "revoke", "first").document == {"schema": 1, "name": "first", "revoked": True}
    assert await status_of(url, first["key"]) == 401
    assert "revoked" in await why_refused(url, bearer(first["key"]))
    assert await status_of(url, second["key"]) == 400
    assert [key["name"] for key in home.run("key", "list").document["keys"]] == ["second"]

    written = home.said + json.dumps(home.run("journal").document)
    for key in (first, second):
        assert "key" not in home.run("key", "list").document["keys"][0]
        assert key["key"].split("_")[2][:16] not in written
        assert key["id"] in written


@pytest.mark.slow
async def test_what_a_server_keeps_for_one_key_no_other_sees(home: Home) -> None:
    assert home.add_faulty("one", "--counter", options=("--stateful",)).document["outcome"] == "served"
    keys = [home.run("key", "create", name).document["key"] for name in ("first", "second")]
    url = reached(home.serve("--host", ELSEWHERE))
    counts: list[list[str]] = []
    for key in keys:  # without a session: all that tells these clients apart is their key
        async with client(url, bearer(key), mode="2026-07-28") as connected:
            results = [await connected.call_tool("one__count", {}) for _ in range(2)]
            counts.append([result.content[0].text for result in results])
    assert counts == [["1", "2"], ["1", "2"]]


@pytest.mark.slow
async def test_the_control_socket_is_no_door_for_others(home: Home) -> None:
    key = home.run("key", "create", "ci").document["key"]
    url = reached(home.serve("--host", ELSEWHERE))
    for path in ("/v1/status", "/v1/key_create"):
        assert await status_of(url.replace("/mcp", path), key) == 404
    for name in ("control.sock", "mcp.sock"):
        assert stat.S_IMODE((home.path / "run" / name).stat().st_mode) == 0o600
    assert home.run("key", "list").code == 0  # no key is needed here: who may open the file may ask


@pytest.mark.slow
async def test_loopback_asks_nobody_unless_told_to(home: Home, tmp_path: Path) -> None:
    home.run("key", "create", "ci")
    assert await status_of(home.serve()) == 400
    home.close()
    home.environ["VSM_MCP_AUTH_MODE"] = "keys"
    assert await status_of(home.serve()) == 401


class Wallet:
    """Where the SDK's client keeps its tokens."""

    def __init__(self) -> None:
        self.tokens: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return None

    async def set_client_info(self, _info: Any) -> None:
        raise AssertionError("this client is registered already")


@pytest.mark.slow
async def test_a_client_finds_its_way_to_the_issuer_and_back(home: Home) -> None:
    from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider

    async with issuing() as issuer:
        issuer.add_key("one", "RS256")
        issuer.metadata = {
            "token_endpoint": f"{issuer.url}/token",
            "authorization_endpoint": f"{issuer.url}/authorize",
            "response_types_supported": ["code"],
        }
        issuer.algorithm = "RS256"
        assert home.add_faulty("one").document["outcome"] == "served"
        home.environ |= {
            "VSM_MCP_AUTH_MODE": "oauth",
            "VSM_MCP_AUTH_ISSUER": issuer.url,
            "VSM_MCP_AUTH_REQUIRED_SCOPES": "tools",
        }
        url = await asyncio.to_thread(home.serve)
        wallet = Wallet()
        provider = ClientCredentialsOAuthProvider(
            server_url=url, storage=wallet, client_id="machine", client_secret="word", issuer=issuer.url
        )
        async with client(url, auth=provider) as connected:
            assert (await connected.call_tool("one__add", {"a": 2, "b": 3})).content[0].text == "5"
        assert wallet.tokens.access_token not in home.said
        assert await status_of(url, issuer.token(aud=url)) == 403
        assert await status_of(url, issuer.token(aud="https://other", scope="tools")) == 401
