"""What is seen of tools is kept, counted once, and has its word in the ranking."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.app.repute import Repute
from vsm_mcp.errors import StoreError
from vsm_mcp.events import ignore
from vsm_mcp.gateway.catalogue import Catalogue
from vsm_mcp.gateway.lookup import alike
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.ending import Ending
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.model.tool_experience import ToolExperience
from vsm_mcp.routing.ledger import Ledger
from vsm_mcp.store import Store


class World:
    def __init__(self, store: Store, fleet: Fleet) -> None:
        self.store, self.fleet = store, fleet
        self.begin()

    def begin(self) -> None:
        self.ledger = Ledger()
        self.repute = Repute(self.store.tool_experience, self.fleet, self.ledger)

    def calls(self, server: str, tool: str, ending: Ending, count: int, seconds: float = 0.01) -> None:
        for _ in range(count):
            self.ledger.of(server, tool).note(ending, seconds)

    async def kept(self) -> dict[tuple[str, str], ToolExperience]:
        return await self.store.tool_experience.all(0.0)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with Store(tmp_path) as store:
        for name in ("one", "two"):
            ref = parse_ref(f"npm:{name}@1.0.0")
            entry = Entry(argv=("true",), runtime="native")
            installation = Installation(server=name, ref=ref, version="1.0.0", path="/x", entry=entry)
            await store.servers.put(
                Server(name=name, ref=ref, version="1.0.0", installation=installation, settings=Settings())
            )
        fleet = Fleet(store, ignore, lambda: None)
        await fleet.load()
        yield World(store, fleet)


async def test_it_counts_at_once_and_is_written_once(world: World) -> None:
    assert world.repute.factor("one", "read") == 1.0
    world.calls("one", "read", Ending.TIMEOUT, 50)
    at_once = world.repute.factor("one", "read")
    assert at_once < 0.95
    await world.repute.write()
    await world.repute.write()
    assert world.repute.factor("one", "read") == pytest.approx(at_once)
    assert (await world.kept())["npm:one", "read"].faults == 50
    world.calls("one", "read", Ending.TIMEOUT, 1)
    await world.repute.write()
    assert (await world.kept())["npm:one", "read"].faults == pytest.approx(51, abs=0.01)


async def test_it_outlives_the_daemon_and_a_newcomer_adds_to_it(world: World) -> None:
    world.calls("one", "read", Ending.ANSWERED, 30)
    world.calls("one@2.0.0", "read", Ending.TRANSPORT, 30)
    world.calls("one", "resources/read", Ending.TRANSPORT, 30)
    world.calls("nobody", "read", Ending.TRANSPORT, 30)
    await world.repute.write()
    before = world.repute.factor("one", "read")
    world.begin()
    await world.repute.load()
    assert world.repute.factor("one", "read") == pytest.approx(before, abs=1e-6)
    assert set(await world.kept()) == {("npm:one", "read")}


async def test_what_is_removed_was_counted_before_and_what_cannot_be_written_is_kept(world: World) -> None:
    world.calls("one", "read", Ending.TIMEOUT, 5)
    world.repute.count("one")
    world.ledger.forget("one")
    world.fleet.servers.pop("one")
    with sqlite3.connect(world.store.path) as other:
        other.execute("ALTER TABLE tool_experience RENAME TO away")
    with pytest.raises(StoreError):
        await world.repute.write()
    with sqlite3.connect(world.store.path) as other:
        other.execute("ALTER TABLE away RENAME TO tool_experience")
    other.close()
    await world.repute.write()
    assert (await world.kept())["npm:one", "read"].faults == 5


async def test_an_account_that_is_opened_anew_is_counted_from_the_start(world: World) -> None:
    world.calls("one", "read", Ending.TIMEOUT, 5)
    await world.repute.write()
    world.ledger.forget("one")
    world.calls("one", "read", Ending.TIMEOUT, 2)
    await world.repute.write()
    assert (await world.kept())["npm:one", "read"].faults == pytest.approx(7, abs=0.01)


def offer(*tools: tuple[str, str]) -> Offer:
    def tool(name: str, description: str) -> Definition:
        raw = json.dumps({"name": name, "description": description, "inputSchema": {"type": "object"}}).encode()
        return Definition(kind=ItemKind.TOOL, name=name, raw=raw)

    return Offer(items=tuple(tool(*each) for each in tools))


async def found(world: World, need: str, *, limit: int = 3, learned: bool = True) -> list[str]:
    same = "Reads the text of a PDF file."
    offers = {"one": offer(("read_pdf", same)), "two": offer(("read_pdf", same), ("send_mail", "Sends a mail."))}
    catalogue = Catalogue(offers)
    catalogue.favour = world.repute.factor if learned else alike
    return [card.name for card, _ in (await catalogue.lookup.find(need, limit)).tools]


async def test_of_two_that_fit_equally_the_better_one_comes_first(world: World) -> None:
    assert await found(world, "read a pdf file") == await found(world, "read a pdf file", learned=False)
    world.calls("one", "read_pdf", Ending.TIMEOUT, 20)
    assert (await found(world, "read a pdf file"))[0] == "two__read_pdf"
    assert await found(world, "read a pdf file", limit=1) == ["two__read_pdf"], "also where only one is wanted"
    world.calls("two", "read_pdf", Ending.TIMEOUT, 200)
    assert (await found(world, "read a pdf file"))[0] == "one__read_pdf"


async def test_what_fits_stays_first_however_bad_it_was(world: World) -> None:
    world.calls("one", "read_pdf", Ending.TIMEOUT, 10_000)
    world.calls("two", "read_pdf", Ending.TIMEOUT, 10_000)
    world.calls("two", "send_mail", Ending.ANSWERED, 10_000)
    assert (await found(world, "read a pdf file"))[0].endswith("read_pdf")
