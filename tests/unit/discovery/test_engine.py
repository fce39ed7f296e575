from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from vsm_mcp.discovery.engine import Options, discover
from vsm_mcp.discovery.source import Source, SourceOff, SourceState
from vsm_mcp.errors import RegistryUnavailable
from vsm_mcp.events import Event, SourceAnswered
from vsm_mcp.matching.need import Counted, Reader
from vsm_mcp.matching.relevance import Matcher
from vsm_mcp.matching.taxonomy import Taxonomy
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.ref import Ref, RefKind

MATCHER = Matcher(Reader(Counted(1000, {"time": 90, "zone": 20, "banana": 3}), Taxonomy([])))
NEED = "time zones"
SHORT = Options(timeout=0.2)


def found(name: str, **fields: Any) -> Candidate:
    return Candidate(**{"ref": Ref(RefKind.PYPI, name), "name": name, "description": "time zones", **fields})


class Good:
    state = SourceState.OK

    def __init__(self, name: str = "good", *candidates: Candidate, state: SourceState = SourceState.OK) -> None:
        self.name = name
        self.state = state
        self._candidates = list(candidates) or [found("good-time")]

    async def search(self, need: str, limit: int) -> list[Candidate]:
        return self._candidates


class Raising(Good):
    def __init__(self, error: BaseException) -> None:
        super().__init__("raising")
        self._error = error

    async def search(self, need: str, limit: int) -> list[Candidate]:
        raise self._error


class Hanging(Good):
    async def search(self, need: str, limit: int) -> list[Candidate]:
        await asyncio.Event().wait()
        return []


class Stubborn(Good):
    """Does not heed its cancellation, and fails in the end."""

    def __init__(self) -> None:
        super().__init__("stubborn")
        self.released = asyncio.Event()
        self.ended = asyncio.Event()

    async def search(self, need: str, limit: int) -> list[Candidate]:
        while not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                continue
        self.ended.set()
        raise ValueError("too late")


class Answering(Good):
    def __init__(self, answer: Any) -> None:
        super().__init__("odd")
        self._answer = answer

    async def search(self, need: str, limit: int) -> list[Candidate]:
        return self._answer  # type: ignore[no-any-return]


class Synchronous(Good):
    def search(self, need: str, limit: int) -> list[Candidate]:  # type: ignore[override]
        return []


@pytest.mark.parametrize(
    ("bad", "state", "said"),
    [
        (Raising(RegistryUnavailable("the registry is away")), "unavailable", "the registry is away"),
        (Raising(SourceOff("no token")), "off", "no token"),
        (Raising(ZeroDivisionError("\x1b[31mred")), "unavailable", "ZeroDivisionError: red"),
        (Raising(RecursionError()), "unavailable", "RecursionError"),
        (Raising(asyncio.CancelledError()), "unavailable", "no answer"),
        (Hanging("hanging"), "unavailable", "no answer within 0.2 s"),
        (Answering(None), "unavailable", "NoneType"),
        (Answering({"a": 1}), "unavailable", "dict"),
        (Answering(["npm:x", None, 3]), "ok", "3 unusable"),
        (Answering([found("../../x")]), "ok", "1 unusable"),
        (Synchronous("synchronous"), "unavailable", "TypeError"),
        (Good("old", state=SourceState.STALE), "stale", ""),
    ],
)
async def test_a_source_that_misbehaves_costs_nothing(bad: Source, state: str, said: str) -> None:
    events: list[Event] = []
    began = time.perf_counter()
    result = await discover(NEED, [bad, Good()], MATCHER, SHORT, events.append)
    assert time.perf_counter() - began < 1.5
    assert [str(each.ref) for each in result.candidates] == ["pypi:good-time"]
    report = result.reports[0]
    assert report.state == state
    assert said in report.detail
    answered = {event.source: event.state for event in events if isinstance(event, SourceAnswered)}
    assert answered == {bad.name: state, "good": "ok"}


async def test_a_source_that_does_not_heed_cancellation_is_not_waited_for() -> None:
    stubborn = Stubborn()
    result = await asyncio.wait_for(discover(NEED, [stubborn, Good()], MATCHER, SHORT), 2.0)
    assert len(result.candidates) == 1
    stubborn.released.set()
    await asyncio.wait_for(stubborn.ended.wait(), 2.0)


async def test_sources_are_asked_at_the_same_time() -> None:
    met = asyncio.Barrier(3)

    class Meeting(Good):
        async def search(self, need: str, limit: int) -> list[Candidate]:
            await met.wait()
            return await super().search(need, limit)

    result = await discover(NEED, [Meeting("a"), Meeting("b"), Meeting("c")], MATCHER, Options(timeout=5.0))
    assert {report.state for report in result.reports} == {SourceState.OK}
    assert result.candidates[0].sources == ("a", "b", "c")


async def test_a_source_that_gives_too_much_is_cut() -> None:
    flood = Answering([found(f"time-{number}") for number in range(5000)])
    result = await discover(NEED, [flood], MATCHER, Options(limit=7))
    assert len(result.candidates) == 7
    assert result.reports[0].count == Options().per_source


async def test_what_does_not_meet_the_need_is_dropped_whatever_it_claims() -> None:
    liar = Good("liar", found("other", description="bananas", relevance=1.0, curated=True))
    result = await discover(NEED, [liar, Good()], MATCHER)
    assert [each.name for each in result.candidates] == ["good-time"]
    assert result.below == 1
    assert result.nearest == (), "it has nothing to do with the need"


async def test_the_nearest_of_what_does_not_meet_the_need_are_named() -> None:
    near = [found(f"zone{number}", description="the zone of a banana split") for number in range(5)]
    result = await discover("a time zone and a banana split", [Answering(near)], MATCHER, Options(threshold=0.9))
    assert result.candidates == ()
    assert [each.name for each in result.nearest] == ["zone0", "zone1", "zone2"]
    assert all(0.2 <= each.relevance < 0.9 for each in result.nearest)


@pytest.mark.parametrize("need", ["", "\x00", "?" * 5000, "teleport a banana"])
async def test_a_need_that_nothing_meets_finds_nothing(need: str) -> None:
    assert (await discover(need, [Good()], MATCHER)).candidates == ()


async def test_no_sources_find_nothing() -> None:
    assert (await discover(NEED, [], MATCHER)).candidates == ()


async def test_one_source_completes_what_another_found() -> None:
    class Knowing(Good):
        async def search(self, need: str, limit: int) -> list[Candidate]:
            return []

        async def about(self, refs: Sequence[Ref]) -> list[Candidate]:
            told = [Candidate(ref=ref, name="", facts=PackageFacts(downloads=7)) for ref in refs]
            return [*told, found("unasked")]

    result = await discover(NEED, [Good(), Knowing("knowing")], MATCHER)
    assert [(each.name, each.facts.downloads) for each in result.candidates] == [("good-time", 7)]
    assert result.candidates[0].provenance["facts.downloads"] == "knowing"


async def test_cancelling_a_discovery_cancels_its_sources() -> None:
    asked, cancelled = asyncio.Event(), asyncio.Event()

    class Watched(Good):
        async def search(self, need: str, limit: int) -> list[Candidate]:
            asked.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise
            return []

    task = asyncio.ensure_future(discover(NEED, [Watched()], MATCHER, Options(timeout=60.0)))
    await asyncio.wait_for(asked.wait(), 2.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(cancelled.wait(), 2.0)


class Far(Good):
    """Cannot answer without the network, whoever asks."""

    remote = True

    def __init__(self) -> None:
        super().__init__("far", found("far-time"))
        self.asked: list[str] = []

    async def search(self, need: str, limit: int) -> list[Candidate]:
        self.asked.append(need)
        return await super().search(need, limit)

    async def about(self, refs: Sequence[Ref]) -> list[Candidate]:
        self.asked.append("about")
        return []


@pytest.mark.parametrize("offline", [False, True])
async def test_a_search_that_stays_offline_asks_nobody_elsewhere(offline: bool) -> None:
    far = Far()
    result = await discover(NEED, [Good(), far], MATCHER, Options(timeout=60.0, deadline=60.0, offline=offline))
    assert far.asked == ([] if offline else [NEED, "about"])
    assert [report.state for report in result.reports] == ["ok", "off" if offline else "ok"]
    assert ("stays offline" in result.reports[1].detail) is offline
