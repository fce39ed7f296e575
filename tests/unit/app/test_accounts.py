from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from vsm_mcp.app import accounts
from vsm_mcp.app.counters import DAEMON, SERVER, Counters
from vsm_mcp.config import Config, Runtime, Sandbox
from vsm_mcp.events import (
    AccessRefused,
    ActionDecided,
    ConfigRejected,
    GaveUp,
    HealthChecked,
    PinChanged,
    ServerCrashed,
    ServerStarted,
    ServerStopped,
    StepStarted,
)
from vsm_mcp.model.permissions import Permissions
from vsm_mcp.model.server import ServerState
from vsm_mcp.runtime.permissions import UNSAID
from vsm_mcp.runtime.resources import Usage
from vsm_mcp.runtime.status import InstanceStatus, PoolStatus, Status
from vsm_mcp.sandbox.tier import Isolation, Tier, properties_of


def started(server: str, session: str = "") -> ServerStarted:
    return ServerStarted(server=server, pid=1, era="modern", tier="full", seconds=0.1, session=session)


def test_what_is_counted() -> None:
    counters = Counters()
    for event in (
        started("a"),
        ServerCrashed(server="a", reason="x"),
        started("a"),
        ServerStopped(server="a", reason="x"),
        started("b"),
        started("b", "s1"),
        started("b", "s1"),
        GaveUp(server="b", reason="x"),
        PinChanged(server="b", item="tool:x"),
        HealthChecked(server="b", ok=True, seconds=0.1, detail="ping"),
        StepStarted(acquisition="x", step="y"),
        AccessRefused(address="x", reason="y"),
        ConfigRejected(file="x", reason="y"),
        ActionDecided(action="add", subject="x", verdict="deny", rule="y"),
        ActionDecided(action="add", subject="x", verdict="ask", rule="y"),
        ActionDecided(action="add", subject="x", verdict="allow", rule="y"),
    ):
        counters(event)
    nothing = dict.fromkeys(SERVER, 0)
    assert counters.of("a") == nothing | {"started": 2, "restarted": 1, "failed": 1, "stopped": 1}
    assert counters.of("b") == nothing | {"started": 3, "gave_up": 1, "health_checks": 1, "pins_changed": 1}
    assert counters.of("c") == nothing
    totals = counters.totals()
    assert set(totals) == {*SERVER, *DAEMON}
    assert totals["started"] == 5
    assert totals["restarted"] == 1
    assert (totals["refused"], totals["access_refused"], totals["reload_refused"]) == (2, 1, 1)
    counters.forget("a")
    assert counters.of("a") == nothing
    assert counters.totals() == totals
    counters(started("a"))
    assert counters.of("a")["restarted"] == 0  # one of the same name, added later, is another


@pytest.mark.parametrize(
    ("tier", "memory", "cpu", "processes", "scratch"),
    [
        (Tier.FULL, "enforced", "enforced", "enforced", "enforced"),
        (Tier.FULL_SOFT, "soft", "off", "enforced", "enforced"),
        (Tier.REDUCED, "soft", "off", "soft", "soft"),
        (Tier.NONE, "soft", "off", "off", "off"),
    ],
)
def test_each_limit_says_how_far_it_holds(tier: Tier, memory: str, cpu: str, processes: str, scratch: str) -> None:
    bwrap = "/usr/bin/bwrap" if tier.reaches(Tier.FULL_SOFT) else ""
    held = properties_of(tier, group=tier is Tier.FULL, cpu=True)
    isolation = Isolation(tier=tier, properties=held, bwrap=bwrap)
    config = Config(home=Path("/x"), sandbox=Sandbox(memory_bytes=7), runtime=Runtime(log_bytes=9))
    found = accounts.limits(config, isolation, UNSAID, remote=False)
    assert found["memory_bytes"] == {"limit": 7, "how": memory}
    assert found["log_bytes"] == {"limit": 9, "how": "enforced"}
    assert {name: each["how"] for name, each in found.items()} == {
        "memory_bytes": memory,
        "cpus": cpu,
        "processes": processes,
        "open_files": "enforced",
        "scratch_bytes": scratch,
        "log_bytes": "enforced",
    }
    assert accounts.limits(config, isolation, UNSAID, remote=True) == {}


def test_the_limits_are_those_of_the_permission_profile() -> None:
    isolation = Isolation(tier=Tier.FULL, properties=properties_of(Tier.FULL, group=True), bwrap="/usr/bin/bwrap")
    found = accounts.limits(Config(home=Path("/x")), isolation, Permissions(processes=3), remote=False)
    assert (found["processes"]["limit"], found["open_files"]["limit"]) == (3, Sandbox().open_files)


def test_no_limit_is_off() -> None:
    isolation = Isolation(
        tier=Tier.FULL, properties=properties_of(Tier.FULL, group=True, cpu=True), bwrap="/usr/bin/bwrap"
    )
    config = Config(home=Path("/x"), sandbox=Sandbox(cpus=0), runtime=Runtime(log_bytes=0))
    found = accounts.limits(config, isolation, UNSAID, remote=False)
    assert (found["cpus"]["how"], found["log_bytes"]["how"]) == ("off", "off")


def test_the_calls_of_all_processes_are_added() -> None:
    instances = (
        InstanceStatus(session="s", state=ServerState.READY, in_flight=2),
        InstanceStatus(session="t", state=ServerState.STARTING, waiting=3),
    )
    status = Status(name="a", state=ServerState.READY, in_flight=1, waiting=1, instances=instances)
    found = accounts.resources(Usage(at=1.0, processes=3, threads=4, rss_bytes=5), status, 77)
    assert (found["calls_in_flight"], found["calls_waiting"], found["log_bytes"]) == (3, 4, 77)
    assert (found["processes"], found["rss_bytes"], found["pss_bytes"]) == (3, 5, None)
    pool = PoolStatus(size=2, calls=5, waiting=6)
    shared = accounts.resources(None, msgspec.structs.replace(status, instances=(), pool=pool), 0)
    assert (shared["calls_in_flight"], shared["calls_waiting"]) == (5, 7)
    nobody_looked = accounts.resources(None, status, 0)
    assert nobody_looked.keys() == found.keys()
    assert nobody_looked["rss_bytes"] is None
