"""Rollouts are kept whole, one for each server; what lies ready for one waits for no person."""

from __future__ import annotations

from pathlib import Path

from msgspec import Raw

from vsm_mcp.model.rollout import Counts, Phase, Rollout, Side, Tally, Wager
from vsm_mcp.model.stand_in import StandIn
from vsm_mcp.store import Store

TALLY = Tally(
    incumbent=Side(calls=3, faults=1, errors=1, timed=1, logs=-4.5, squares=20.25),
    faults=Wager(incumbent=Counts(2, 1), waiting=(Counts(1, 0), Counts()), logs=(0.1, 0.2, -0.3, 0.0)),
)


async def test_a_rollout_comes_back_as_it_was_written(tmp_path: Path) -> None:
    stand_in = StandIn(server="notes", tool="get", arguments={"path": "file"}, fixed={"mode": Raw(b'"r"')})
    first = Rollout(
        id="x", server="files", newcomer="notes", stand_ins={"read": stand_in}, tallies={"read": TALLY}, stage=2
    )
    async with Store(tmp_path) as store:
        await store.rollouts.put(first)
    async with Store(tmp_path) as store:
        (found,) = await store.rollouts.all()
        assert found.tallies == {"read": TALLY}
        assert bytes(found.stand_ins["read"].fixed["mode"]) == b'"r"'
        assert (found.id, found.stage, found.phase) == ("x", 2, Phase.SHARE)
        await store.rollouts.put(Rollout(id="y", server="files", newcomer="files@2"))
        assert [each.id for each in await store.rollouts.all()] == ["y"]
        await store.rollouts.forget("files")
        await store.rollouts.forget("files")
        assert await store.rollouts.all() == []


async def test_what_takes_its_calls_by_stages_waits_for_nobody(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await store.sagas.begin("a", "npm:a")
        await store.sagas.wait("a", b"{}", rolling=True)
        await store.sagas.begin("b", "npm:b")
        await store.sagas.wait("b", b"{}")
        assert [saga.id for saga in await store.sagas.waiting()] == ["b"]
        assert [(saga.id, saga.rolling) for saga in await store.sagas.ready()] == [("a", True), ("b", False)]
        await store.sagas.resume("a")
        assert [(saga.id, saga.rolling, saga.proposal) for saga in await store.sagas.unfinished()] == [
            ("a", True, b"{}")
        ]
