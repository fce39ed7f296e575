from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from vsm_mcp.app.storage import Storage
from vsm_mcp.config import Config
from vsm_mcp.events import Event, SpaceFreed
from vsm_mcp.install.transaction import Installations
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.store import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path / "home") as made:
        yield made


async def _served(store: Store, version: str, *, quarantined: bool = False, succeeds: bool = False) -> None:
    installations = Installations(store.home)
    folder = await installations.begin("time", version)
    (folder / "file").write_text(version)
    await installations.activate("time", version)
    ref = parse_ref(f"pypi:mcp-server-time=={version}")
    entry = Entry(argv=("/x/p",), runtime="python")
    lies = Installation(server="time", ref=ref, version=version, path=str(folder), entry=entry)
    server = Server(name="time", ref=ref, version=version, installation=lies, settings=Settings(), acquisition=version)
    server = msgspec.structs.replace(server, quarantined=quarantined)
    await store.servers.put(server, succeeds=succeeds)


async def test_the_version_to_go_back_to_stays_though_one_that_was_held_back_came_between(store: Store) -> None:
    installations, events = Installations(store.home), list[Event]()
    await _served(store, "1")
    await _served(store, "2", quarantined=True, succeeds=True)
    await _served(store, "3")  # what was held back was never in service
    storage = Storage(Config(home=store.home), store, installations, lambda: (), events.append)
    await storage.activated("time")
    assert installations.versions("time") == ("1", "3")
    assert installations.previous("time") == ""
    assert [event.versions for event in events if isinstance(event, SpaceFreed)] == [("time/2",)]
    await storage.opened()
    assert installations.versions("time") == ("1", "3")


async def test_what_runs_stays_until_the_next_collection(store: Store) -> None:
    installations = Installations(store.home)
    await _served(store, "1")
    await _served(store, "2", succeeds=True)
    await _served(store, "3", succeeds=True)
    running = [str(installations.path("time", "1"))]
    storage = Storage(Config(home=store.home), store, installations, lambda: running, lambda _event: None)
    await storage.opened()
    assert installations.versions("time") == ("1", "2", "3")
    running.clear()
    await storage.opened()
    assert installations.versions("time") == ("2", "3")
