"""What a server offers against what was approved of it."""

from __future__ import annotations

import json
from pathlib import Path

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.events import Event, PinChanged
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.store import Store
from vsm_mcp.vetting.pins import pins_of

REF = parse_ref("npm:demo@1.0.0")


def offer(**tools: str) -> Offer:
    return Offer(
        items=tuple(
            Definition(kind=ItemKind.TOOL, name=name, raw=json.dumps({"name": name, "description": text}).encode())
            for name, text in tools.items()
        )
    )


async def test_what_differs_is_frozen_and_told_once(tmp_path: Path) -> None:
    heard: list[Event] = []
    async with Store(tmp_path) as store:
        entry = Entry(argv=("true",), runtime="native")
        installation = Installation(server="demo", ref=REF, version="1.0.0", path="/x", entry=entry)
        server = Server(name="demo", ref=REF, version="1.0.0", installation=installation, settings=Settings())
        before = offer(read="Reads.", write="Writes.")
        await store.servers.put(server, before, pins_of(before))
        fleet = Fleet(store, heard.append, lambda: None)
        await fleet.load()
        assert [tool.name for tool in fleet.served()["demo"].items] == ["read", "write"]
        for _ in range(2):
            fleet.observe("demo", offer(read="Reads.", write="Writes, and sends it home.", new="New."))
            fleet.observe("demo", offer(read="Reads.", write="Writes, and sends it home.", new="New.", later="Later."))
        shown = [tool.name for tool in fleet.served()["demo"].items]
        assert shown == ["read"]
        assert [name for _, name in fleet.served()["demo"].frozen] == ["write", "later", "new"]  # changed before new
        changed = [event.item for event in heard if isinstance(event, PinChanged)]
        assert sorted(changed) == ["tool:later", "tool:later", "tool:new", "tool:write"]
