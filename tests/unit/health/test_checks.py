"""Each check on its own, and what all of them have to keep: the contract of the plug-in point."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from vsm_mcp import plugins
from vsm_mcp.errors import ServerDown
from vsm_mcp.health.check import Bounds, Condition, HealthCheck, Reading, Subject
from vsm_mcp.health.look import look
from vsm_mcp.health.traffic import Traffic
from vsm_mcp.health.wiring import build
from vsm_mcp.model.ending import Ending
from vsm_mcp.model.finding import CheckStatus
from vsm_mcp.model.health_settings import CHECKS, HealthSettings
from vsm_mcp.runtime.checkup import Health
from vsm_mcp.runtime.resources import Usage

QUICK = HealthSettings(slow_seconds=5)
BOUNDS = (0.1, 1.0, 10.0)
PASS, FAIL, UNAVAILABLE = CheckStatus.PASS, CheckStatus.FAIL, CheckStatus.UNAVAILABLE


def answering(ok: bool = True, seconds: float = 0.01) -> Callable[[], Awaitable[Health]]:
    async def ask() -> Health:
        return Health(ok=ok, detail="answers ping" if ok else "no answer", seconds=seconds)

    return ask


def calls(buckets: tuple[float, ...] = (), **counts: float) -> Traffic:
    endings = tuple(counts.get(ending.name.lower(), 0.0) for ending in Ending)
    return Traffic(endings, buckets or (sum(endings[:3]), 0.0, 0.0, 0.0))


def subject(**given: Any) -> Subject:
    base: dict[str, Any] = {"name": "x", "settings": HealthSettings(), "ask": answering(), "bounds_seconds": BOUNDS}
    return Subject(**{**base, **given})


async def seen(name: str, **given: Any) -> Reading:
    parts, faults = build("health_checks", (name,))
    assert faults == ()
    return (await look(parts, subject(**given)))[name]


def used(rss: int = 0, files: int | None = None) -> Usage:
    return Usage(at=0.0, processes=2, threads=2, rss_bytes=rss, open_files=files)


HEALTHY: dict[str, Any] = {"traffic": calls(answered=50), "recent": calls(answered=90), "usage": used(10, 3)}
SICK: dict[str, Any] = {
    "ask": answering(ok=False),
    "settings": HealthSettings(slow_seconds=5),
    "traffic": calls((0.0, 0.0, 0.0, 3.0), tool_error=3, timeout=9, protocol=3),
    "recent": calls(timeout=9, answered=1),
    "usage": used(99, 9),
    "bounds": Bounds(memory_bytes=100, open_files=10),
    "unanswered": 9,
}


@pytest.mark.parametrize("name", plugins.names("health_checks"))
async def test_contract(name: str) -> None:
    for given in ({}, HEALTHY, SICK):
        reading = await seen(name, **given)
        assert reading.detail
        if reading.status is UNAVAILABLE:
            continue
        assert reading.looked_at > 0
        assert reading.value is None or reading.unit
        if reading.ageing:
            assert reading.limit is not None
            assert reading.basis
            assert reading.value is not None
            assert (reading.value > reading.limit) == reading.failed
    assert (await seen(name, **HEALTHY)).status is not FAIL
    assert (await seen(name, **SICK)).status is FAIL


def test_the_built_in_ones_are_those_of_the_settings() -> None:
    assert set(plugins.names("health_checks")) == set(CHECKS) == set(HealthSettings().checks)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"traffic": calls(answered=3), "ask": answering(ok=False)}, PASS),  # nobody is asked where calls are answered
        ({"traffic": calls(answered=3, timeout=1)}, PASS),
        ({"traffic": calls(answered=3, timeout=1), "ask": answering(ok=False), "unanswered": 1}, FAIL),
        ({}, PASS),
        ({"ask": answering(ok=False)}, FAIL),
        ({"ask": answering(ok=False), "in_flight": 2}, UNAVAILABLE),  # it may be busy
        ({"ask": answering(ok=False), "in_flight": 2, "unanswered": 1}, FAIL),
    ],
)
async def test_connectivity(given: dict[str, Any], status: CheckStatus) -> None:
    reading = await seen("connectivity", **given)
    assert reading.status is status
    if status is FAIL:
        assert reading.severity is Condition.FAILING


@pytest.mark.parametrize(
    ("given", "status", "basis"),
    [
        ({"traffic": calls((95.0, 5.0, 0.0, 0.0), answered=100)}, PASS, "calls"),
        ({"traffic": calls((90.0, 0.0, 0.0, 10.0), answered=100)}, PASS, "calls"),  # beyond the last bound: 10 s
        ({"traffic": calls((90.0, 0.0, 10.0, 0.0), answered=100), "settings": QUICK}, FAIL, "calls"),
        ({"ask": answering(seconds=11.0)}, FAIL, "question"),
        ({"ask": answering(ok=False)}, UNAVAILABLE, ""),
    ],
)  # fmt: skip
async def test_response_time(given: dict[str, Any], status: CheckStatus, basis: str) -> None:
    reading = await seen("response_time", **given)
    assert (reading.status, reading.basis) == (status, basis)


@pytest.mark.parametrize(
    ("usage", "bounds", "status", "word"),
    [
        (None, Bounds(memory_bytes=100), UNAVAILABLE, "no process"),
        (used(50), Bounds(), UNAVAILABLE, "nothing limits"),
        (used(50), Bounds(memory_bytes=100), PASS, "memory: 50%"),
        (used(95), Bounds(memory_bytes=100), FAIL, "memory: 95%"),
        (used(10, 96), Bounds(memory_bytes=100, open_files=100), FAIL, "open files: 96%"),
        (used(10, None), Bounds(open_files=100), UNAVAILABLE, "nothing limits"),
    ],
)
async def test_resources(usage: Usage | None, bounds: Bounds, status: CheckStatus, word: str) -> None:
    reading = await seen("resources", usage=usage, bounds=bounds)
    assert reading.status is status
    assert word in reading.detail


@pytest.mark.parametrize(
    ("recent", "status", "severity"),
    [
        (calls(timeout=3), UNAVAILABLE, None),  # too few to tell
        (calls(answered=95, transport=5), PASS, None),
        (calls(tool_error=100), PASS, None),
        (calls(refused=100), PASS, None),
        (calls(auth=50, overload=50), PASS, None),  # it was not let in, or nobody had room
        (calls(answered=70, transport=30), FAIL, Condition.DEGRADED),
        (calls(answered=10, timeout=90), FAIL, Condition.FAILING),
    ],
)
async def test_error_rate(recent: Traffic, status: CheckStatus, severity: Condition | None) -> None:
    reading = await seen("error_rate", recent=recent)
    assert reading.status is status
    if severity is not None:
        assert reading.severity is severity


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, PASS),
        ({"junk": 8}, PASS),  # a banner
        ({"junk": 30, "traffic": calls(answered=40)}, PASS),  # it logs to stdout what it does
        ({"junk": 300}, FAIL),
        ({"traffic": calls(protocol=1)}, FAIL),
        ({"differing": 1}, FAIL),
    ],
)
async def test_protocol(given: dict[str, Any], status: CheckStatus) -> None:
    assert (await seen("protocol", **given)).status is status


class Breaks:
    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    async def look(self, _subject: Subject) -> Reading:
        raise self.failure


class Sleeps:
    async def look(self, given: Subject) -> Reading:
        await given.ask()
        raise AssertionError


async def test_a_check_that_breaks_or_hangs_says_nothing() -> None:
    import asyncio

    async def forever() -> Health:
        await asyncio.Event().wait()
        raise AssertionError

    settings = HealthSettings(answer_seconds=0.01)
    checks: dict[str, HealthCheck] = {
        "down": Breaks(ServerDown("gone")),
        "bug": Breaks(KeyError("x")),
        "slow": Sleeps(),
    }
    found = await look(checks, subject(settings=settings, ask=forever))
    assert {reading.status for reading in found.values()} == {UNAVAILABLE}
    assert "gone" in found["down"].detail
    assert "KeyError" in found["bug"].detail


def test_a_name_that_is_wrong_costs_that_one_alone() -> None:
    parts, faults = build("health_checks", ("protocol", "nonsense"))
    assert list(parts) == ["protocol"]
    assert "nonsense" in faults[0]
    assert msgspec.structs.asdict(HealthSettings())["checks"] == CHECKS
