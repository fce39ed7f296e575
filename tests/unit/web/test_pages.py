"""Metrics and events over HTTP: who may read them, in which forms, and what becomes of readers."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from vsm_mcp.config import Config, Gateway
from vsm_mcp.events import ServerStopped, ToolsChanged
from vsm_mcp.gateway import asgi
from vsm_mcp.gateway.authentication import Authentication
from vsm_mcp.gateway.gateway import Gateway as Endpoint
from vsm_mcp.gateway.keyring import Keyring
from vsm_mcp.gateway.server import serve
from vsm_mcp.model.key import ENTROPY, Key, digest_of, id_of, mint
from vsm_mcp.model.principal import Grant
from vsm_mcp.model.telemetry_settings import TelemetrySettings
from vsm_mcp.web import upgrade
from vsm_mcp.web.families import Family, Kind, Metric, Sample
from vsm_mcp.web.pages import Pages
from vsm_mcp.web.stream import EventStream

UP = Metric("demo_up", Kind.GAUGE, "Whether it is up.")


class Upstream:
    """Nobody is asked anything here."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


class World:
    """Pages behind a real endpoint, and a client."""

    def __init__(self, tmp: Any, http: aiohttp.ClientSession) -> None:
        self.stream = EventStream(100)
        self.settings = TelemetrySettings()
        self.http = http
        self.origin = ""
        self.gateway = Endpoint(Upstream(), Gateway())
        self.pages = Pages(
            lambda: [Family(UP, [Sample((), 1)])], self.stream, lambda: Config(home=tmp, telemetry=self.settings)
        )

    async def get(self, path: str, **fields: str) -> tuple[int, str, str]:
        async with self.http.get(self.origin + path, headers=fields) as answer:
            return answer.status, answer.headers.get("content-type", ""), await answer.text()

    def stopped(self, server: str) -> None:
        self.stream(ServerStopped(server=server, reason=""))


@asynccontextmanager
async def opened(tmp: Any, authentication: Authentication | None = None) -> AsyncIterator[World]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        world = World(tmp, http)
        async with serve(world.gateway, "127.0.0.1", 0, beside=world.pages, authentication=authentication) as address:
            world.origin = address.origin
            yield world
            world.stream.close()


@pytest.fixture
async def world(tmp_path: Any) -> AsyncIterator[World]:
    async with opened(tmp_path) as world:
        yield world


async def lines(answer: aiohttp.ClientResponse, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < count:
        line = (await answer.content.readline()).decode()
        assert line, "the stream ended"
        if line.startswith("data: "):
            found.append(json.loads(line[6:]))
    return found


def test_both_sides_mean_the_same_extension() -> None:
    assert asgi.TUNNEL == upgrade.TUNNEL


async def test_metrics_in_both_formats(world: World) -> None:
    status, kind, text = await world.get("/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert [family.name for family in text_string_to_metric_families(text)] == ["demo_up"]
    _, kind, text = await world.get("/metrics", accept="application/openmetrics-text;version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")
    async with world.http.head(f"{world.origin}/metrics") as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    async with world.http.post(f"{world.origin}/metrics") as answer:
        assert (answer.status, answer.headers["allow"]) == (405, "GET")
    assert (await world.get("/other"))[0] == 404


async def test_other_pages_and_other_hosts_get_nothing(world: World) -> None:
    for path in ("/metrics", "/v1/events"):
        assert (await world.get(path, origin="https://evil.example"))[0] == 403
        assert (await world.get(path, host="evil.example"))[0] == 421
    assert world.gateway.refused == {403: 2, 421: 2}


async def test_what_is_switched_off_is_not_there(world: World) -> None:
    world.settings = TelemetrySettings(metrics=False, events=False)
    assert (await world.get("/metrics"))[0] == 404
    assert (await world.get("/v1/events"))[0] == 404
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await world.http.ws_connect(f"{world.origin}/v1/events")


async def test_only_a_key_that_may_watch_opens_them(tmp_path: Any) -> None:
    ring, texts = Keyring(), {}
    keys = []
    for name, watch in (("agent", False), ("prometheus", True)):
        texts[name] = mint(secrets.token_bytes(ENTROPY))
        keys.append(Key(id=id_of(texts[name]), name=name, digest=digest_of(texts[name]), grant=Grant(watch=watch)))
    ring.replace(keys)
    async with opened(tmp_path, Authentication(ring)) as world:
        for path in ("/metrics", "/v1/events?once=1"):
            assert (await world.get(path))[0] == 401
            assert (await world.get(path, authorization=f"Bearer {texts['agent']}"))[0] == 403
            assert (await world.get(path, authorization=f"Bearer {texts['prometheus']}"))[0] == 200
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await world.http.ws_connect(f"{world.origin}/v1/events")
        world.settings = TelemetrySettings(metrics_public=True)
        assert (await world.get("/metrics"))[0] == 200
        assert (await world.get("/v1/events?once=1"))[0] == 401
        fields = {"authorization": f"Bearer {texts['prometheus']}"}
        async with world.http.get(f"{world.origin}/v1/events", headers=fields) as answer:
            world.stopped("a")
            await lines(answer, 1)
            world.gateway.expel("key:prometheus")
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.content.read()


async def test_events_as_they_come_with_their_ids(world: World) -> None:
    async with world.http.get(f"{world.origin}/v1/events?types=ServerStopped&server=a,b") as answer:
        assert answer.content_type == "text/event-stream"
        for event in (ToolsChanged(server="a"), ServerStopped(server="c", reason="")):
            world.stream(event)
        world.stopped("a")
        world.stopped("b")
        found = await lines(answer, 2)
    assert [each["server"] for each in found] == ["a", "b"]
    world.stopped("a")
    status, _, text = await world.get("/v1/events?once=1", **{"last-event-id": found[0]["id"]})
    assert status == 200
    back = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert [each["server"] for each in back] == ["b", "a"]
    assert [line[4:] for line in text.splitlines() if line.startswith("id: ")] == [each["id"] for each in back]


async def test_a_reader_that_leaves_is_forgotten(world: World) -> None:
    async with world.http.get(f"{world.origin}/v1/events") as answer:
        world.stopped("a")
        await lines(answer, 1)
        assert len(world.stream.readers) == 1
        answer.close()
    await until(lambda: not world.stream.readers)


async def test_a_slow_reader_is_told_and_cut_off(world: World) -> None:
    async with world.http.get(f"{world.origin}/v1/events") as answer:
        world.stopped("a")
        await lines(answer, 1)
        for _ in range(2000):  # without a turn of the loop in between
            world.stopped("a")
        *_, last = [json.loads(line[6:]) for line in (await answer.text()).splitlines() if line.startswith("data: ")]
        assert last["event"] == "ReaderTooSlow"
    assert world.stream.dropped == 1


async def test_there_are_only_so_many_readers(world: World) -> None:
    readers = [world.stream.read(wanted()) for _ in range(64)]
    assert (await world.get("/v1/events"))[0] == 503
    for reader in readers:
        world.stream.leave(reader)
    assert (await world.get("/v1/events?once=1"))[0] == 200


async def test_the_same_over_a_websocket(world: World) -> None:
    world.stopped("before")
    async with world.http.ws_connect(f"{world.origin}/v1/events?kept=1&types=ServerStopped") as socket:
        assert (await socket.receive_json())["server"] == "before"
        world.stream(ToolsChanged(server="a"))
        world.stopped("ä" * 70_000)
        assert (await socket.receive_json())["server"] == "ä" * 70_000
        await socket.ping()
        world.stopped("b")
        last = await socket.receive_json()
        assert last["server"] == "b"
    await until(lambda: not world.stream.readers)
    async with world.http.ws_connect(f"{world.origin}/v1/events?last={last['id']}") as socket:
        world.stopped("c")
        assert (await socket.receive_json())["server"] == "c"
        world.stream.close()
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1001


async def test_a_websocket_that_talks_or_breaks_the_rules_is_closed(world: World) -> None:
    async with world.http.ws_connect(f"{world.origin}/v1/events") as socket:
        await socket.send_str("hello")
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1003
    await until(lambda: not world.stream.readers)
    head = b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    good = b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    old = await asked(world, head + b"sec-websocket-version: 8\r\n\r\n")
    assert old.startswith(b"HTTP/1.1 426 ")
    assert b"sec-websocket-version: 13" in old
    masked = await asked(world, head + good + b"\x81\x05hello")
    assert masked.startswith(b"HTTP/1.1 101 ")
    assert b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in masked  # RFC 6455, section 1.3
    await until(lambda: not world.stream.readers)
    foreign = await asked(world, head + b"origin: http://localhost:3000\r\n" + good)
    assert foreign.startswith(b"HTTP/1.1 403 ")
    flood = await asked(world, head + good + b"\x8a\x80" + b"\0" * 4 + b"x" * 200_000)
    assert flood == b"" or flood.startswith(b"HTTP/1.1 101 ")
    await until(lambda: not world.stream.readers)


async def test_an_offer_of_websocket_elsewhere_is_declined_as_before(world: World) -> None:
    head = b"GET %b HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade, close\r\nupgrade: websocket\r\n\r\n"
    assert (await asked(world, head % b"/metrics", b"\r\n")).startswith(b"HTTP/1.1 200 ")
    assert (await asked(world, head % b"/mcp", b"\r\n")).startswith(b"HTTP/1.1 4")


async def asked(world: World, data: bytes, until: bytes = b"") -> bytes:
    """Send bytes as they are; what comes back ``until`` something, or until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.origin.rpartition(":")[2]))
    writer.write(data)
    try:
        async with asyncio.timeout(20):
            return await (reader.readuntil(until) if until else reader.read())
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


def wanted() -> Any:
    from vsm_mcp.web.stream import Wanted

    return Wanted()
