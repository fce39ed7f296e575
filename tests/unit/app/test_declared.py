"""The servers that a file asks for, against those that are there; admission itself is told, not done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.app.declared import FILE, Declared, plan
from vsm_mcp.app.fleet import Fleet
from vsm_mcp.app.kits import Exporter, kit_of, mark
from vsm_mcp.autopilot.outcome import Outcome, Reason
from vsm_mcp.autopilot.perform import Performer
from vsm_mcp.config import Config, Policy
from vsm_mcp.errors import ConfigError, UnknownServer
from vsm_mcp.events import ConfigRejected, Event, ignore
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.store import Store

MARKS = st.sampled_from(["m1", "m2", ""])
NAMES = st.sampled_from("abcd")


@given(
    st.dictionaries(NAMES, st.sampled_from(["m1", "m2"])), st.dictionaries(NAMES, MARKS), st.dictionaries(NAMES, MARKS)
)
def test_the_plan(wanted: dict[str, str], have: dict[str, str], tried: dict[str, str]) -> None:
    found = plan(wanted, have, tried)
    for name in found.admit:
        assert name in wanted
        assert have.get(name) != ""
        assert have.get(name) != wanted[name]
        assert tried.get(name) != wanted[name]
    for name in found.retire:
        assert have[name]
        assert name not in wanted
    for name in found.taken:
        assert have[name] == ""
    settled = {name for name in wanted if have.get(name) == wanted[name] or tried.get(name) == wanted[name]}
    assert set(wanted) == {*found.admit, *found.taken} | settled


class World:
    """A home with a file; admissions end as ``ends`` says."""

    def __init__(self, home: Path, store: Store) -> None:
        self.home = home
        self.store = store
        self.events: list[Event] = []
        self.added: list[tuple[str, str, Settings]] = []
        self.removed: list[str] = []
        self.ends: dict[str, str] = {}
        self.environ = {"GH": "ghp_1"}
        self.fleet = Fleet(store, ignore, lambda: None)
        performer = Performer(Policy(), store, ignore)
        parts = (self.fleet, performer, store.secrets)
        self.declared = Declared(self.config, parts, self.add, self.remove, self.events.append)

    def config(self) -> Config:
        return Config(home=self.home, environ=self.environ)

    def write(self, **entries: Any) -> None:
        (self.home / FILE).write_text(json.dumps({"mcpServers": entries}))

    async def add(self, ref: str, settings: Settings, *, name: str, yes: bool, origin: str) -> Outcome:
        assert yes
        self.added.append((name, ref, settings))
        end = self.ends.get(name, "served")
        if end == "served":
            await self.put(name, ref, settings, origin)
        reason = None if end == "served" else Reason(code="x", message="it is no good")
        return Outcome(outcome=end, ref=ref, evidence="e", reason=reason)

    async def put(self, name: str, ref: str, settings: Settings, origin: str) -> None:
        parsed = parse_ref(ref)
        entry = Entry(argv=("x",), runtime="native")
        installation = Installation(server=name, ref=parsed, version="1", path="/x", entry=entry)
        server = Server(name=name, ref=parsed, version="1", installation=installation, settings=settings, origin=origin)
        await self.store.servers.put(server)
        await self.fleet.refresh(name)

    async def remove(self, name: str, actor: str) -> None:
        assert actor == "file"
        self.removed.append(name)
        await self.store.servers.remove(name)
        await self.fleet.refresh(name)

    async def synced(self, **given: Any) -> dict[str, str]:
        return {row["title"]: row["outcome"] for row in await self.declared.sync(**given)}


@pytest.fixture
async def world(tmp_path: Path) -> Any:
    async with Store(tmp_path) as store:
        yield World(tmp_path, store)


async def test_entries_come_and_go(world: World) -> None:
    assert await world.synced() == {}
    world.write(One={"command": "npx", "args": ["-y", "a"]}, two={"command": "/bin/two"})
    assert await world.synced() == {"One": "served", "two": "served"}
    assert [each[:2] for each in world.added] == [("one", "npm:a"), ("two", "cmd:/bin/two")]
    world.added.clear()
    assert await world.synced() == {"One": "served", "two": "served"}
    assert world.added == []
    world.write(two={"command": "/bin/two"}, three={"command": "/bin/three", "disabled": True})
    assert await world.synced() == {"two": "served"}
    assert world.removed == ["one"]
    (world.home / FILE).unlink()
    assert await world.synced() == {}
    assert world.removed == ["one", "two"]


async def test_a_changed_entry_is_admitted_again_with_what_a_person_granted(world: World) -> None:
    world.write(one={"command": "npx", "args": ["a"]})
    await world.synced()
    server = world.fleet.get("one")
    granted = msgspec.structs.replace(server.settings, hosts=("h",), paths=(("/d", True),))
    await world.store.servers.put(msgspec.structs.replace(server, settings=granted))
    await world.fleet.refresh("one")
    world.added.clear()
    world.write(one={"command": "npx", "args": ["a", "--more"], "env": {"TOKEN": "${GH}"}})
    await world.synced()
    assert world.removed == []
    wanted = Settings(args=("--more",), secrets={"TOKEN": "ghp_1"}, hosts=("h",), paths=(("/d", True),))
    assert world.added == [("one", "npm:a", wanted)]
    world.environ["GH"] = "ghp_2"  # what it stands for has changed
    await world.synced()
    assert world.added[-1][2].secrets == {"TOKEN": "ghp_2"}
    world.write(one={"command": "npx", "args": ["b"]})  # another server under the name: nothing of that is for it
    await world.synced()
    assert world.removed == []
    assert world.added[-1] == ("one", "npm:b", Settings())


async def test_an_entry_that_can_be_used_no_more_leaves_its_server_alone(world: World) -> None:
    world.write(One={"command": "npx", "args": ["a"], "env": {"TOKEN": "${GH}"}})
    await world.synced()
    del world.environ["GH"]
    assert await world.synced() == {"One": "unusable"}
    assert world.removed == []
    assert "one" in world.fleet.servers


async def test_what_failed_is_tried_again_when_its_entry_changes_or_somebody_asks(world: World) -> None:
    world.ends["one"] = "rejected"
    world.write(one={"command": "npx", "args": ["a"]})
    assert await world.synced() == {"one": "rejected"}
    assert await world.synced() == {"one": "rejected"}
    assert len(world.added) == 1
    assert world.declared.report()[0]["reason"] == "it is no good"
    await world.synced(afresh=True)
    assert len(world.added) == 2
    world.ends.clear()
    world.write(one={"command": "npx", "args": ["b"]})
    assert await world.synced() == {"one": "served"}


async def test_a_server_that_was_added_by_hand_is_left_alone(world: World) -> None:
    await world.put("one", "npm:mine", Settings(), "")
    world.write(one={"command": "npx", "args": ["a"]}, bad={"command": "npx"})
    assert await world.synced() == {"one": "unusable", "bad": "unusable"}
    assert world.added == []
    (world.home / FILE).unlink()
    await world.synced()
    assert world.removed == []


async def test_a_file_that_cannot_be_read_changes_nothing(world: World) -> None:
    world.write(one={"command": "npx", "args": ["a"]})
    await world.synced()
    (world.home / FILE).write_text('{"mcpServers": {\n  "one": {"command" "x"}}}')
    with pytest.raises(ConfigError, match="line 2, column"):
        await world.synced()
    assert world.removed == []
    assert isinstance(world.events[-1], ConfigRejected)
    entry = (await world.store.journal.last())[-1]
    assert (entry.actor, entry.action, entry.subject, entry.verdict) == ("file", "reload", FILE, "deny")
    assert "line 2" in entry.detail


async def test_one_that_is_held_back_is_told_until_somebody_approves_it(world: World) -> None:
    world.write(one={"command": "npx", "args": ["a"]})
    await world.synced()
    server = world.fleet.get("one")
    for held in (True, False):
        await world.store.servers.put(msgspec.structs.replace(server, quarantined=held))
        await world.fleet.refresh("one")
        world.declared.outcomes.clear()  # as after a start of the daemon
        assert await world.synced() == {"one": "quarantined" if held else "served"}
        await world.store.servers.put(server)
        await world.fleet.refresh("one")
        assert [row["outcome"] for row in world.declared.report()] == ["served"]


async def test_no_secret_is_in_what_is_kept(world: World) -> None:
    world.write(one={"command": "npx", "args": ["a"], "env": {"TOKEN": "${GH}"}})
    await world.synced()
    assert "ghp_1" not in repr(world.declared.report())
    assert "ghp_1" not in world.fleet.get("one").origin


async def test_one_that_cannot_be_removed_is_told(world: World) -> None:
    async def refuse(name: str, _actor: str) -> None:
        raise UnknownServer(f"no {name}")

    await world.put("one", "npm:a", Settings(), f"{FILE} x")
    world.declared._remove = refuse
    assert await world.synced() == {"one": "failed"}


async def test_what_came_with_a_kit_is_none_of_the_files_business(world: World) -> None:
    await world.put("one", "npm:a", Settings(), mark("web"))
    world.write(two={"command": "/bin/two"})
    assert await world.synced() == {"two": "served"}
    world.write(one={"command": "npx", "args": ["b"]})
    assert await world.synced() == {"one": "unusable"}
    assert world.removed == ["two"]
    assert kit_of(world.fleet.get("one")) == "web"


async def test_servers_are_written_down_without_their_secrets(world: World) -> None:
    await world.put("one", "npm:a", Settings(secrets={"TOKEN": "ghp_1"}), "")
    await world.put("two", "https://h/mcp", Settings(), "")
    world.store.secrets.put("", {"TOKEN": "ghp_1"})
    exporter = Exporter(world.fleet, world.store.secrets)
    everything = (await exporter.export(()))["servers"]
    assert set(everything) == {"one", "two"}
    assert everything["one"]["env"] == {"TOKEN": "${TOKEN}"}
    assert everything["two"]["transport"] == {"headers": {"TOKEN": "${TOKEN}"}}
    assert "ghp_1" not in json.dumps(everything)
    assert set((await exporter.export(("two",)))["servers"]) == {"two"}
    with pytest.raises(UnknownServer):
        await exporter.export(("three",))
