"""Needs in the store: counted, bounded, taken over from the old table; and what the autopilot remembers."""

from __future__ import annotations

import sqlite3
import time
from importlib import resources
from pathlib import Path

import pytest

from vsm_mcp.model.need import Past, Proposal, Tenure
from vsm_mcp.store import Store, demand
from vsm_mcp.store.database import statements


async def test_a_need_is_one_row_for_each_source(tmp_path: Path) -> None:
    began = time.time()
    async with Store(tmp_path) as store:
        for met in (False, True, False):
            await store.demand.record("  Draw\n a map ", "agent", met=met)
        await store.demand.record("draw a map", "person", met=False)
        await store.demand.record("   ", "person", met=False)
        seen = await store.demand.since(0.0)
        assert [(one.need, one.source, one.count, one.met) for one in seen] == [
            ("Draw a map", "agent", 3, 1),
            ("draw a map", "person", 1, 0),
        ]
        assert all(began <= one.first <= one.last <= time.time() for one in seen)
        assert await store.demand.since(time.time() + 1) == []


async def test_demand_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand, "MOST", 5)
    async with Store(tmp_path) as store:
        for number in range(20):
            await store.demand.record(f"need {number} {'x' * 1000}", "agent", met=False)
        seen = await store.demand.since(0.0)
    assert [one.need.split()[1] for one in seen] == ["15", "16", "17", "18", "19"]
    assert all(len(one.need) == 500 for one in seen)


def test_the_old_table_is_taken_over() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE demand (id INTEGER PRIMARY KEY, at REAL, need TEXT, source TEXT, met INTEGER)")
    rows = [(3.0, "Draw maps", "cli", 0), (9.0, "draw maps", "embedded", 1), (5.0, "draw maps", "agent", 0)]
    connection.executemany("INSERT INTO demand(at, need, source, met) VALUES (?,?,?,?)", rows)
    folder = resources.files("vsm_mcp.store").joinpath("migrations")
    (script,) = [each for each in folder.iterdir() if each.name.startswith("0007")]
    for statement in statements(script.read_text("utf-8")):
        connection.execute(statement)
    found = connection.execute("SELECT key, source, count, met, first, last FROM demand ORDER BY source").fetchall()
    assert found == [("draw maps", "agent", 1, 0, 5.0, 5.0), ("draw maps", "person", 2, 1, 3.0, 9.0)]


async def test_what_is_remembered(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        memory = store.memory
        await memory.put_need("map", Past(need="draw a map", denied_by="cli"))
        await memory.put_need("map", Past(need="draw a map"))
        await memory.put_server("x", Tenure(noticed_at=4.0))
        await memory.put_proposal(Proposal(id="p2", kind="retire", key="x", server="x"))
    async with Store(tmp_path) as store:  # another process
        memory = store.memory
        assert await memory.needs() == {"map": Past(need="draw a map")}
        assert await memory.servers() == {"x": Tenure(noticed_at=4.0)}
        assert list(await memory.proposals()) == ["p2"]
        await memory.drop("proposal", "p2")
        await memory.drop("proposal", "p2")
        assert await memory.proposals() == {}


async def test_spending_adds_up_within_its_time(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        before = time.time()
        await store.memory.spend({"installs": 1.0, "disk": 5.0, "tokens": 0.0})
        await store.memory.spend({"installs": 1.0})
        assert await store.memory.spent(before - 1) == {"installs": 2.0, "disk": 5.0}
        assert await store.memory.spent(time.time() + 1) == {}
