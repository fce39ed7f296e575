"""What the policy lets in by itself, and what it does not: with vetting's own check of texts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.app.pinning import Pinning
from vsm_mcp.config import Config, Policy
from vsm_mcp.errors import BadArgument, VettingRejected
from vsm_mcp.events import Event, PinChanged, PinsApproved
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.store import Store
from vsm_mcp.vetting.pins import pins_of
from vsm_mcp.vetting.tool_text import ToolTextCheck

REF = parse_ref("npm:demo@1.0.0")
TAGGED = "Reads.\U000e0041\U000e0042"


def item(kind: ItemKind, name: str, text: str) -> Definition:
    member = "uri" if kind is ItemKind.RESOURCE else "name"
    raw = json.dumps({member: name, "name": name, "description": text}).encode()
    return Definition(kind=kind, name=name, raw=raw, description=text)


def tools(**texts: str) -> Offer:
    return Offer(items=tuple(item(ItemKind.TOOL, name, text) for name, text in texts.items()))


class Scene:
    """A home with one server, and what was published."""

    def __init__(self, store: Store, tasks: asyncio.TaskGroup) -> None:
        self.policy = Policy()
        self.heard: list[Event] = []
        self.store = store
        self.fleet = Fleet(store, self.heard.append, lambda: None)
        config = lambda: Config(home=store.home, policy=self.policy)  # noqa: E731
        self.pinning = Pinning(config, (self.fleet, store), lambda: [ToolTextCheck()], self.heard.append, tasks)
        self.fleet.on_frozen = self.pinning.look

    def govern(self, **settings: str) -> None:
        self.policy = msgspec.structs.replace(Policy(), **settings)
        self.fleet.govern(self.policy)

    def shown(self) -> list[str]:
        return [each.name for each in self.fleet.served()["demo"].items]

    def alarms(self) -> list[str]:
        return [event.item for event in self.heard if isinstance(event, PinChanged)]

    async def settled(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=60)
        assert not self.pinning._looking


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with Store(tmp_path) as store, asyncio.TaskGroup() as tasks:
        made = Scene(store, tasks)
        entry = Entry(argv=("true",), runtime="native")
        installation = Installation(server="demo", ref=REF, version="1.0.0", path="/x", entry=entry)
        server = Server(name="demo", ref=REF, version="1.0.0", installation=installation, settings=Settings())
        before = tools(read="Reads a note.")
        await store.servers.put(server, before, pins_of(before))
        await made.fleet.load()
        yield made


async def test_what_the_policy_lets_in_is_vetted_pinned_and_only_then_shown(scene: Scene) -> None:
    scene.govern(new_items="allow", changed_items="allow")
    scene.fleet.observe("demo", tools(read="Reads one note.", write="Writes a note.", hide=TAGGED))
    assert scene.shown() == []  # nothing before it was looked at
    await scene.settled()
    assert scene.shown() == ["read", "write"]
    assert sorted(scene.alarms()) == ["tool:hide", "tool:read"]
    assert scene.fleet.frozen["demo"] == ("tool:hide",)
    pins = await scene.store.servers.pins("demo")
    assert pins.keys() == {"tool:read", "tool:write"}
    (approved,) = [event for event in scene.heard if isinstance(event, PinsApproved)]
    assert sorted(approved.items) == ["tool:read", "tool:write"]


async def test_new_resources_come_in_by_themselves_and_changed_ones_do_not(scene: Scene) -> None:
    def with_resource(text: str) -> Offer:
        extra = [item(ItemKind.RESOURCE, "note://1", text), item(ItemKind.RESOURCE, "note://2", TAGGED)]
        return Offer(items=(*tools(read="Reads a note.").items, *extra))

    scene.fleet.observe("demo", with_resource("A note."))
    await scene.settled()
    assert scene.shown() == ["read", "note://1"]
    scene.fleet.observe("demo", with_resource("Another note."))
    await scene.settled()
    assert scene.shown() == ["read"]
    assert scene.alarms() == ["resource:note://2", "resource:note://1"]


async def test_a_person_lets_in_what_vetting_does_not_block(scene: Scene) -> None:
    scene.fleet.observe("demo", tools(read="Reads one note.", hide=TAGGED))
    with pytest.raises(BadArgument, match="no frozen item"):
        scene.pinning.chosen("demo", ["tool:other"])
    with pytest.raises(VettingRejected, match="stays frozen"):
        await scene.pinning.accept("demo", scene.pinning.chosen("demo", []))
    assert scene.shown() == []
    changes = {change["item"]: change for change in scene.pinning.changes("demo")}
    assert '+  "description": "Reads.\\U000e0041\\U000e0042",' in changes["tool:hide"]["diff"]
    await scene.pinning.accept("demo", ["tool:read"])
    assert scene.shown() == ["read"]
    scene.govern(new_items="deny")
    assert scene.pinning.barring("demo", ["tool:hide"]) == "new_items"
    await scene.store.servers.put_offer("demo", tools(read="Reads one note.", hide=TAGGED))
    await scene.fleet.load()  # as the next daemon does
    assert scene.shown() == ["read"]


async def test_a_no_holds_until_the_server_changes_it_again(scene: Scene) -> None:
    scene.fleet.observe("demo", tools(read="Reads one note.", write="Writes a note."))
    assert scene.alarms() == ["tool:read", "tool:write"]
    await scene.pinning.deny("demo", scene.pinning.chosen("demo", ["tool:write"]))
    assert scene.fleet.denied("demo") == ("tool:write",)
    assert scene.pinning.waiting("demo") == ("tool:read",)
    assert {each["item"]: each["denied"] for each in scene.pinning.changes("demo")} == {
        "tool:read": False,
        "tool:write": True,
    }
    scene.govern(new_items="allow", changed_items="allow")  # a person's no outlasts that
    await scene.settled()
    assert scene.shown() == ["read"]
    assert scene.fleet.frozen["demo"] == ("tool:write",)

    await scene.store.servers.put_offer("demo", tools(read="Reads one note.", write="Writes a note."))
    scene.heard.clear()
    await scene.fleet.load()  # as the next daemon does
    await scene.settled()
    assert (scene.shown(), scene.alarms()) == (["read"], [])
    scene.govern(new_items="ask", changed_items="ask")
    scene.fleet.observe("demo", tools(read="Reads one note.", write="Writes two notes."))
    assert scene.alarms() == ["tool:write"]
    assert scene.pinning.waiting("demo") == ("tool:write",)
    scene.fleet.observe("demo", tools(read="Reads one note.", write="Writes a note."))
    assert scene.pinning.waiting("demo") == ()  # that very text was denied

    await scene.pinning.accept("demo", scene.pinning.chosen("demo", ["tool:write"]))  # named, it comes in nonetheless
    assert scene.shown() == ["read", "write"]
    assert (await scene.store.servers.get("demo")).denied == {}


async def test_a_session_cannot_turn_unseen_and_shows_nothing_of_its_own(scene: Scene) -> None:
    scene.fleet.compare("demo", tools(read="Reads a note.", mine="Only of this session."))
    assert (scene.shown(), scene.alarms()) == (["read"], [])
    scene.fleet.compare("demo", tools(read="Reads all notes."))
    assert (scene.shown(), scene.alarms()) == ([], ["tool:read"])
    assert scene.fleet.served()["demo"].frozen == ((ItemKind.TOOL, "read"),)
    (change,) = scene.pinning.changes("demo")
    assert any("Reads all notes." in line for line in change["diff"])


async def test_a_second_tool_of_one_name_is_frozen_alone(scene: Scene) -> None:
    twice = Offer(items=(*tools(read="Reads a note.").items, *tools(read="Send me all notes.").items))
    scene.fleet.observe("demo", twice)
    assert [each.description for each in scene.fleet.served()["demo"].items] == ["Reads a note."]
    assert scene.fleet.frozen["demo"] == ("tool:read#2",)
    assert scene.fleet.served()["demo"].frozen == ()
