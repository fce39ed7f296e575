"""What becomes of servers is written down: admissions, removals, ends of processes, calls."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import msgspec
import pytest

from vsm_mcp.app.experience import Witness
from vsm_mcp.app.fleet import Fleet
from vsm_mcp.events import (
    AcquisitionFinished,
    AcquisitionStarted,
    ActionDecided,
    Event,
    ServerCrashed,
    ServerRemoved,
    ServerRolledBack,
    StepFailed,
    StepFinished,
    ignore,
)
from vsm_mcp.model.ending import Ending
from vsm_mcp.model.experience import Experience
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.routing.ledger import Ledger
from vsm_mcp.store import Store
from vsm_mcp.wire.tally import Tally

REF = parse_ref("npm:demo@1.0.0")
BEGUN = AcquisitionStarted(acquisition="a", subject=str(REF))
PASSED = StepFinished(acquisition="a", step="trial", seconds=1.0)


class World:
    """A witness over a real store, and the tallies it reads."""

    def __init__(self, store: Store, fleet: Fleet, tasks: asyncio.TaskGroup) -> None:
        self.store, self.fleet = store, fleet
        self.tallies: dict[str, Tally] = {}
        self.ledger = Ledger()
        tally_of = lambda name: self.tallies.setdefault(name, Tally())  # noqa: E731
        self.witness = Witness(store.experience, fleet, tally_of, tasks, self.ledger)

    async def told(self, events: Iterable[Event]) -> Experience:
        for event in events:
            self.witness(event)
        return await self.known()

    async def known(self) -> Experience:
        await self.witness.write()
        known = (await self.store.experience.all(0.0)).get(REF.identity, Experience())
        return Experience(**{name: round(count, 3) for name, count in msgspec.structs.asdict(known).items()})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with Store(tmp_path) as store, asyncio.TaskGroup() as tasks:
        entry = Entry(argv=("true",), runtime="native")
        installation = Installation(server="demo", ref=REF, version="1.0.0", path="/x", entry=entry)
        await store.servers.put(
            Server(name="demo", ref=REF, version="1.0.0", installation=installation, settings=Settings())
        )
        fleet = Fleet(store, ignore, lambda: None)
        await fleet.load()
        yield World(store, fleet, tasks)


def finished(outcome: str, code: str = "") -> AcquisitionFinished:
    return AcquisitionFinished(acquisition="a", outcome=outcome, code=code)


def failed(code: str) -> StepFailed:
    return StepFailed(acquisition="a", step="trial", code=code, message="")


@pytest.mark.parametrize(
    ("events", "seen"),
    [
        ([PASSED, finished("served")], Experience(trials_passed=1, cleared=1, admitted=1)),
        ([PASSED, finished("quarantined", "quarantined")], Experience(trials_passed=1, objected=1, admitted=1)),
        ([PASSED, finished("rejected", "vetting_rejected")], Experience(trials_passed=1, objected=1)),
        ([finished("rejected", "vetting_rejected")], Experience(objected=1)),
        ([finished("rejected", "policy_denied")], Experience()),
        ([failed("crashed"), finished("failed", "crashed")], Experience(trials_failed=1)),
        ([failed("python_sdk_2"), PASSED, finished("served")], Experience(trials_passed=1, cleared=1, admitted=1)),
        ([failed("missing_value"), finished("failed", "missing_value")], Experience()),
        ([finished("failed", "install_failed")], Experience(rolled_back=1)),
        ([finished("failed", "registry_unavailable")], Experience()),
    ],
)
async def test_the_end_of_an_admission_says_what_it_says(world: World, events: list[Event], seen: Experience) -> None:
    assert await world.told([BEGUN, *events]) == seen


async def test_the_ends_of_processes_and_removals_are_counted_of_the_server(world: World) -> None:
    crash = ServerCrashed(server="demo", reason="it ended")
    assert await world.told([crash, crash, ServerCrashed(server="on-trial", reason="x")]) == Experience(crashed=2)
    assert await world.told([ServerRemoved(server="demo")]) == Experience(crashed=2, removed=1)


async def test_calls_are_counted_once_and_over_a_new_tally(world: World) -> None:
    tally = world.tallies["demo"] = Tally()
    tally.took(1.0)
    tally.lost += 1
    assert await world.known() == Experience(answered=1, lost=1)
    assert await world.known() == Experience(answered=1, lost=1)
    tally.took(1.0)
    world.witness.count("demo")
    world.witness(ServerRemoved(server="demo"))
    world.tallies["demo"] = Tally()
    assert await world.known() == Experience(answered=2, lost=1, removed=1)
    world.tallies["demo"].took(1.0)
    assert await world.known() == Experience(answered=3, lost=1, removed=1)


async def test_failures_are_counted_by_class_and_a_newcomers_are_its_servers(world: World) -> None:
    for name, ending in (
        ("demo", Ending.TIMEOUT),
        ("demo", Ending.TOOL_ERROR),
        ("demo@2.0.0", Ending.TRANSPORT),
        ("demo@2.0.0", Ending.REFUSED),
        ("demo@2.0.0", Ending.REFUSED),
        ("demo", Ending.PROTOCOL),
        ("demo", Ending.GIVEN_UP),
        ("demo", Ending.ANSWERED),
        ("other", Ending.TIMEOUT),
    ):
        world.ledger.of(name, "echo").note(ending, 0.1)
    classes = Experience(timed_out=1, broken=1, tool_errors=1, refused=2, garbled=1)
    assert await world.known() == classes
    assert await world.known() == classes, "counted once"
    world.ledger.forget("demo@2.0.0")  # it has taken the place of the incumbent
    assert await world.known() == classes, "counted once"
    world.ledger.of("demo", "other").note(Ending.TIMEOUT, 0.1)
    world.witness.count("demo")
    world.witness(ServerRemoved(server="demo"))
    assert await world.known() == classes + Experience(timed_out=1, removed=1)


def decided(action: str, verdict: str = "allow") -> ActionDecided:
    return ActionDecided(action=action, subject="demo", verdict=verdict, rule="x", actor="cli")


async def test_what_people_say_and_what_is_taken_back_is_remembered(world: World) -> None:
    said = [decided("approve"), decided("deny"), decided("deny"), decided("deny", "deny"), decided("start")]
    assert await world.told(said) == Experience(approved=1, denied=2)
    back = ServerRolledBack(server="demo", before="2", after="1")
    assert await world.told([back]) == Experience(approved=1, denied=2, reverted=1)


async def test_what_cannot_be_written_is_kept_for_the_next_time(world: World) -> None:
    world.witness(ServerCrashed(server="demo", reason="it ended"))
    with sqlite3.connect(world.store.path) as other:
        other.execute("ALTER TABLE experience RENAME TO away")
    await world.witness.close()
    with sqlite3.connect(world.store.path) as other:
        other.execute("ALTER TABLE away RENAME TO experience")
    other.close()
    assert await world.known() == Experience(crashed=1)
