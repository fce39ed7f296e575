"""Our client, a server that wants a token, and a real issuer: credentials, a person, renewal, refusals."""

from __future__ import annotations

import asyncio
import logging
import stat
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import httpx2
import msgspec
import pytest
from tests.unit.authorization.guarding import Door, guarding
from tests.unit.gateway.issuing import Issuer, issuing

from vsm_mcp.authorization.asking import ask, asking
from vsm_mcp.authorization.authorizer import OAuth, Person
from vsm_mcp.authorization.login import Authorizations
from vsm_mcp.authorization.loopback import browser
from vsm_mcp.errors import BadArgument, HttpRefused, LoginNeeded, VsmError
from vsm_mcp.store.secrets import Secrets
from vsm_mcp.wire.authorizer import Authorizer
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.http import HttpTransport
from vsm_mcp.wire.negotiate import connect

ECHO: dict[str, object] = {"name": "echo", "arguments": {"text": "hi"}}
SECRET = "a-secret-of-the-client"


class Headless:
    """A person who agrees to everything, with a browser that is one request."""

    redirect_uri = "http://127.0.0.1:1/callback"

    async def consent(self, url: str) -> Mapping[str, str]:
        async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False) as answer:
            return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


class World:
    """An issuer, a server that trusts it, and what we keep."""

    def __init__(self, issuer: Issuer, door: Door, home: Path) -> None:
        self.issuer = issuer
        self.door = door
        self.secrets = Secrets(home)
        self.given = {"OAUTH_CLIENT_ID": "machine", "OAUTH_CLIENT_SECRET": SECRET, "OAUTH_ISSUER": issuer.url}

    def person(self) -> OAuth:
        return OAuth(self.door.url, self.secrets, person=Headless())

    def nobody(self) -> OAuth:
        return Authorizations(self.secrets).to(self.door.url, {})

    def machine(self) -> OAuth:
        return Authorizations(self.secrets).to(self.door.url, self.given)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with issuing() as issuer:
        issuer.add_key("one")
        issuer.for_people()
        async with guarding(issuer) as door:
            yield World(issuer, door, tmp_path)


@asynccontextmanager
async def connected(world: World, authorizer: Authorizer) -> AsyncIterator[Connection]:
    connection = await connect(HttpTransport(world.door.url, authorizer=authorizer), timeout=60)
    try:
        yield connection
    finally:
        await connection.close()


async def echo(connection: Connection) -> str:
    result = msgspec.json.decode(await connection.request("tools/call", ECHO, timeout=20))
    return str(result["content"][0]["text"])


async def test_credentials_need_nobody_and_the_token_is_kept(world: World, tmp_path: Path) -> None:
    async with connected(world, world.machine()) as connection:
        assert await echo(connection) == "echo:hi"
    assert world.issuer.granted == ["client_credentials"]
    (file,) = (tmp_path / "secrets").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    async with connected(world, world.machine()) as connection:
        assert await echo(connection) == "echo:hi"
    assert world.issuer.granted == ["client_credentials"]  # nobody was asked again


async def test_credentials_go_to_their_issuer_alone(world: World) -> None:
    world.given["OAUTH_ISSUER"] = "https://elsewhere.example"
    with pytest.raises(HttpRefused, match="issuer"):
        async with connected(world, world.machine()):
            pass
    assert world.issuer.granted == []


async def test_a_secret_without_its_issuer_is_not_used(world: World) -> None:
    del world.given["OAUTH_ISSUER"]
    with pytest.raises(BadArgument, match="OAUTH_ISSUER"):
        world.machine()


async def test_a_token_is_renewed_once_for_all(world: World) -> None:
    async with connected(world, world.person()):
        pass
    async with connected(world, world.nobody()) as connection:
        assert await echo(connection) == "echo:hi"
        world.door.revoked.add(world.door.seen[-1])
        assert set(await asyncio.gather(*(echo(connection) for _ in range(10)))) == {"echo:hi"}
        assert world.issuer.granted == ["authorization_code", "refresh_token"]
        world.door.revoked.add(world.door.seen[-1])
        assert await echo(connection) == "echo:hi"  # with the refresh token that came with the last one
    assert world.issuer.granted == ["authorization_code", "refresh_token", "refresh_token"]


async def test_two_connections_share_a_renewal(world: World) -> None:
    async with connected(world, world.person()):
        pass
    both = Authorizations(world.secrets)
    one, other = both.to(world.door.url, {}), both.to(world.door.url, {})
    async with connected(world, one) as first, connected(world, other) as second:
        world.door.revoked.add(world.door.seen[-1])
        assert set(await asyncio.gather(echo(first), echo(second))) == {"echo:hi"}
    assert world.issuer.granted == ["authorization_code", "refresh_token"]


async def test_without_a_token_a_person_is_needed_and_nobody_is_asked(world: World) -> None:
    with pytest.raises(LoginNeeded) as caught:
        async with connected(world, world.nobody()):
            pass
    assert "vsm-mcp login" in caught.value.hint
    assert (world.issuer.asked, world.issuer.granted) == ([], [])


async def test_a_token_that_cannot_be_renewed_needs_a_person(world: World) -> None:
    async with connected(world, world.person()):
        pass
    world.issuer.codes.clear()
    world.door.revoked.add(world.door.seen[-1])
    with pytest.raises(LoginNeeded):
        async with connected(world, world.nobody()):
            pass


async def test_more_scope_is_asked_for_when_a_call_needs_it(world: World) -> None:
    async with connected(world, world.person()) as connection:
        world.door.scopes["tools/call"] = "write"
        assert await echo(connection) == "echo:hi"
    async with connected(world, world.nobody()) as connection:
        world.door.scopes["tools/call"] = "write admin"
        with pytest.raises(LoginNeeded, match="more than"):
            await echo(connection)


async def test_what_an_issuer_says_is_neither_shown_nor_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world.given["OAUTH_CLIENT_ID"] = "told-back"
    person: Person = Headless()

    class Breaks(Headless):
        async def consent(self, url: str) -> Mapping[str, str]:
            back = await person.consent(url)
            world.issuer.status = 400  # its refusal repeats the whole request: code and verifier
            return back

    with pytest.raises(VsmError) as caught:
        async with connected(world, OAuth(world.door.url, world.secrets, person=Breaks())):
            pass
    assert caught.value.message == "its authorization server gives no token"
    code = next(iter(world.issuer.codes))
    assert code not in caplog.text + caught.value.message + caught.value.hint
    assert "code_verifier" not in caplog.text


async def test_without_the_package_it_says_what_to_install(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "vsm_mcp.authorization.flow", raising=False)
    monkeypatch.setitem(sys.modules, "mcp.client.auth", None)
    with pytest.raises(HttpRefused, match=r"mcp\.client\.auth") as caught:
        async with connected(world, world.machine()):
            pass
    assert caught.value.hint == "install vsm-mcp[oauth]"


async def test_secrets_do_not_travel_in_clear() -> None:
    for server, asked in (("https://a.example/mcp", "http://a.example/token"), ("https://a.example/", "http://[::1]/")):
        async with asking(server) as way:
            with pytest.raises(HttpRefused, match="sends us to http://"):
                await ask(way, httpx2.Request("POST", asked))


async def test_a_header_that_was_given_stays(world: World) -> None:
    transport = HttpTransport(world.door.url, headers={"authorization": "Bearer "}, authorizer=world.machine())
    with pytest.raises(HttpRefused, match="wants authorization"):
        await connect(transport, timeout=20)
    assert world.issuer.granted == []


async def test_a_browser_comes_back_on_loopback(world: World) -> None:
    shown: asyncio.Queue[str] = asyncio.Queue()

    async def agree() -> str:
        url = await shown.get()
        async with aiohttp.ClientSession() as session:
            back = dict(parse_qsl(urlsplit(url).query))["redirect_uri"]
            async with session.get(f"{back}?code=x&state=wrong") as answer:
                assert answer.status == 404  # any page could have sent it
            async with session.get(url) as answer:
                return await answer.text()

    async with browser(shown.put_nowait, seconds=30) as person:
        oauth = OAuth(world.door.url, world.secrets, person=person)
        said = asyncio.create_task(agree())
        async with connected(world, oauth) as connection:
            assert await echo(connection) == "echo:hi"
        assert "Done" in await said


async def test_nobody_agrees() -> None:
    async with browser(lambda _url: None, seconds=0.05) as person:
        with pytest.raises(LoginNeeded, match="nobody agreed"):
            await person.consent("http://127.0.0.1:1/authorize?state=s")
