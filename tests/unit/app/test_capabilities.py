"""The capability map of a home: kept current, and never saying more than what is served now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from vsm_mcp.app.capabilities import Capabilities
from vsm_mcp.app.fleet import Fleet
from vsm_mcp.config import Config, Policy
from vsm_mcp.errors import UnknownServer
from vsm_mcp.events import Event
from vsm_mcp.model.behaviour import Behaviour
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.store import Store
from vsm_mcp.vetting.pins import pins_of

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/reference/capabilities.schema.json").read_text("utf-8"))
ZONE = {"type": "object", "properties": {"timezone": {"type": "string"}}, "required": ["timezone"]}


def tool(name: str, said: str = "Get the current time in a timezone.", **more: Any) -> Definition:
    body = {"name": name, "description": said, "inputSchema": ZONE, **more}
    return Definition(kind=ItemKind.TOOL, name=name, raw=json.dumps(body).encode())


class Scene:
    """A home with some servers; ``map`` is what is tested."""

    def __init__(self, store: Store, tasks: asyncio.TaskGroup) -> None:
        self.policy = Policy()
        self.heard: list[Event] = []
        self.store = store
        self.fleet = Fleet(store, self.heard.append, lambda: None)
        config = lambda: Config(home=store.home, policy=self.policy)  # noqa: E731
        self.map = Capabilities(config, self.fleet, store, tasks)

    async def add(self, name: str, *items: Definition, **more: Any) -> None:
        ref = parse_ref(f"npm:{name}@1.0.0")
        entry = Entry(argv=("true",), runtime="native")
        installation = Installation(server=name, ref=ref, version="1.0.0", path="/x", entry=entry)
        fields = {"tags": ("time.clock", "time.timezones"), "acquisition": f"{name}-1", **more}
        server = Server(name=name, ref=ref, version="1.0.0", installation=installation, settings=Settings(), **fields)
        offer = Offer(items=items)
        await self.store.servers.put(server, offer, pins_of(offer))
        await self.fleet.refresh(name)

    async def tried(self, name: str, behaviour: Behaviour, contacts: list[str] | None = None) -> None:
        report = {"behaviour": msgspec.to_builtins(behaviour), "contacts": contacts or []}
        await self.store.evidence.add(f"{name}-1", "trial", {"report": report})

    async def names(self, server: str, tool: str = "get_current_time") -> list[str]:
        await self.map.settle()
        return [one.server for one in self.map.stand_ins(server, tool)]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with Store(tmp_path) as store, asyncio.TaskGroup() as tasks:
        yield Scene(store, tasks)


async def test_nothing_is_looked_at_until_somebody_asks(scene: Scene) -> None:
    await scene.add("a", tool("get_current_time"))
    await scene.add("b", tool("get_current_time"))
    assert scene.map._made == {}
    assert scene.map.stand_ins("a", "get_current_time") == ()  # and now it is looked at, in the background
    assert scene.map._warming is not None
    await asyncio.wait_for(scene.map._warming, 30)
    assert [one.server for one in scene.map.stand_ins("a", "get_current_time")] == ["b"]
    before = scene.map._warming
    scene.map.stand_ins("a", "get_current_time")
    assert scene.map._warming is before


async def test_servers_come_change_and_go(scene: Scene) -> None:
    await scene.add("a", tool("get_current_time"))
    await scene.add("b", tool("get_current_time"))
    assert await scene.names("a") == ["b"]
    found = scene.map._found["a"]
    await scene.add("b", tool("hash", "Compute a hash."), tags=("crypto.hash",))
    assert scene.map.stand_ins("a", "get_current_time") == ()  # what was known of b no longer counts
    assert await scene.names("a") == []
    assert scene.map._found["a"] is found  # only b was looked at again
    await scene.add("b", tool("get_current_time"))
    assert await scene.names("a") == ["b"]
    await scene.store.servers.remove("b")
    await scene.fleet.refresh("b")
    assert scene.map.stand_ins("a", "get_current_time") == ()
    assert await scene.names("b") == []
    assert "b" not in scene.map._found


async def test_what_is_frozen_quarantined_or_denied_stands_in_for_nobody(scene: Scene) -> None:
    await scene.add("a", tool("get_current_time"))
    for name in ("b", "c", "d", "e"):
        await scene.add(name, tool("get_current_time"), quarantined=name == "c")
    assert await scene.names("a") == ["b", "d", "e"]
    scene.fleet.observe("b", Offer(items=(tool("get_current_time", "Get the current time in a time zone, quickly."),)))
    scene.policy = Policy(deny_tools=("d__*",), deny=("npm:e",))
    scene.fleet.govern(scene.policy)
    assert scene.map.stand_ins("a", "get_current_time") == ()
    assert await scene.names("a") == []
    shown = await scene.map.capabilities()
    assert {item["server"] for group in shown["capabilities"] for item in group["items"]} == {"a"}


async def test_what_the_trial_saw(scene: Scene) -> None:
    reads = {"readOnlyHint": True, "openWorldHint": False}
    for name in ("a", "b", "c", "d"):
        await scene.add(name, tool("get_current_time", annotations=reads))
    await scene.tried("b", Behaviour(hosts=("192.0.2.1:443",)))
    await scene.tried("c", Behaviour(), ["example.com"])
    await scene.store.evidence.add("d-1", "trial", {"report": {"behaviour": {"hosts": 3}}})
    assert await scene.names("a") == ["d"]
    [group] = (await scene.map.capabilities(server="b", query="time.timezones"))["capabilities"]
    assert group["items"][0]["effects"]["open_world"] == {"value": True, "known": "trial"}


async def test_the_document(scene: Scene) -> None:
    await scene.add("a", tool("get_current_time"), tool("hash", "Compute the SHA-256 hash of a text."))
    prompt = Definition(kind=ItemKind.PROMPT, name="ask", raw=b'{"name": "ask", "arguments": [{"name": "x"}]}')
    resource = Definition(kind=ItemKind.RESOURCE, name="memo://x", raw=b'{"uri": "memo://x", "name": "Memo"}')
    await scene.add("b", tool("currentTime"), prompt, resource)
    whole = await scene.map.capabilities(stand_ins=True)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(json.dumps({"schema": 1, **whole})), SCHEMA)
    items = [(group["tag"], item["name"]) for group in whole["capabilities"] for item in group["items"]]
    assert ("crypto.hash", "hash") in items
    assert {row["tool"] for row in whole["stand_ins"]} == {"get_current_time", "currentTime"}
    [row] = [row for row in whole["stand_ins"] if row["tool"] == "currentTime"]
    assert row["stand_ins"][0]["arguments"] == {"timezone": "timezone"}


async def test_a_part_of_it(scene: Scene) -> None:
    await scene.add("a", tool("get_current_time"), tool("hash", "Compute the SHA-256 hash of a text."))
    await scene.add("b", tool("convert_time", "Convert a time between time zones."))

    async def shown(**given: Any) -> set[str]:
        document = await scene.map.capabilities(**given)
        return {item["name"] for group in document["capabilities"] for item in group["items"]}

    assert await shown(server="b") == {"convert_time"}
    assert await shown(query="crypto.hash") == {"hash"}
    assert await shown(query="crypto") == {"hash"}
    assert await shown(query="hash a file") == {"hash"}
    assert await shown(query="convert") == {"convert_time"}
    assert await shown(query="bake a cake") == set()
    assert len(await shown(limit=1)) == 1
    assert (await scene.map.capabilities(limit=1))["left_out"] == 2
    with pytest.raises(UnknownServer):
        await scene.map.capabilities(server="nobody")
