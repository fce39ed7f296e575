"""How fast a server is and what it takes: start, latency, throughput, memory. Figures of one machine, once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from vsm_mcp.deferred import deferred
from vsm_mcp.model.trial import Figures
from vsm_mcp.vetting.trials.interview import Interview
from vsm_mcp.vetting.trials.room import Room, greet

if TYPE_CHECKING:
    import statistics
else:
    statistics = deferred("statistics")

_SERIAL: Final = 100
_SERIAL_SECONDS: Final = 2.0
_PARALLEL: Final = 8
_PARALLEL_SECONDS: Final = 2.0
_STARTS: Final = 2


async def pace(room: Room) -> Figures:
    """Measure: start it twice, ask one question at a time, then eight at once. Nobody watches meanwhile.

    The question is one that reaches no tool: ``ping``, or ``server/discover`` in the modern era.
    """
    starts: list[float] = []
    times: list[float] = []
    rate, memory = 0.0, None
    for number in range(_STARTS):
        began = time.monotonic()
        async with room.fresh() as talk:
            if not (await greet(talk)).result:
                break
            starts.append(time.monotonic() - began)
            if number == _STARTS - 1:
                times = await _one_by_one(talk)
                rate = await _together(talk)
            memory = max(talk.peak_memory or 0, memory or 0) or None
    return figures(starts, times, rate, memory)


def figures(starts: Sequence[float], times: Sequence[float], rate: float, memory: int | None) -> Figures:
    """Return the figures of what was measured, in seconds. Pure."""
    ordered = sorted(times)
    return Figures(
        start_seconds=tuple(round(each, 3) for each in starts),
        asked=len(ordered),
        latency_ms=round(statistics.median(ordered) * 1000, 3) if ordered else None,
        latency_p95_ms=round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] * 1000, 3) if ordered else None,
        requests_per_second=round(rate, 1) or None,
        peak_memory=memory,
    )


def _question(talk: Interview) -> str:
    return "server/discover" if talk.era == "modern" else "ping"


async def _one_by_one(talk: Interview) -> list[float]:
    times: list[float] = []
    until = time.monotonic() + _SERIAL_SECONDS
    while len(times) < _SERIAL and time.monotonic() < until:
        began = time.monotonic()
        if not (await talk.ask(_question(talk))).message:
            break
        times.append(time.monotonic() - began)
    return times


async def _together(talk: Interview) -> float:
    """Return how many questions it answers in a second when it has always eight before it."""
    began, done = time.monotonic(), 0
    waiting = [talk.begin(_question(talk)) for _ in range(_PARALLEL)]
    while waiting and time.monotonic() - began < _PARALLEL_SECONDS:
        if not (await talk.answer(waiting.pop(0))).message:
            return 0.0
        done += 1
        waiting.append(talk.begin(_question(talk)))
    seconds = time.monotonic() - began
    for ident in waiting:
        await talk.answer(ident)
    return done / seconds if seconds else 0.0
