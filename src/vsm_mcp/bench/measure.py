"""The measurement itself: blocks of all subjects, round by round, and the meter readings around them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from vsm_mcp.app import memory
from vsm_mcp.bench import block as blocks
from vsm_mcp.bench.figures import Block, Sample, percentile
from vsm_mcp.bench.meter import cpu_seconds, memory_bytes
from vsm_mcp.bench.plan import Plan, order
from vsm_mcp.bench.subject import Subject

_WARM_UP_SECONDS: Final = 0.3
_SETTLE_SECONDS: Final = 0.5
_IDLE_SECONDS: Final = 2.0


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """What a metered process used while nothing was asked of it: memory in bytes, CPU in milliseconds a second."""

    memory: int | None
    cpu: float | None


async def measure(subjects: Sequence[Subject], plan: Plan, tell: Callable[[str], None]) -> list[Sample]:
    """Run the plan. Raises :class:`TransportError` when a subject cannot be reached at all."""
    by_key = {subject.key: subject for subject in subjects}
    for subject in subjects:
        await _one(subject, plan.blocks[0], min(plan.seconds, _WARM_UP_SECONDS), 0)
    samples = []
    told = -1
    with _no_collection():
        for number, block, key in order(plan, list(by_key), random.Random()):  # noqa: S311 - an order, no secret
            if number > told:
                told = number
                tell(f"round {number + 1} of {plan.rounds}")
            samples.append(await _one(by_key[key], block, plan.seconds, number))
            gc.collect()
    return samples


async def _one(subject: Subject, block: Block, seconds: float, number: int) -> Sample:
    conversations = await subject.conversations(block.clients)
    question = subject.ask(block.size)
    before, ours = cpu_seconds(subject.pid), time.process_time()
    run = await blocks.run(conversations, question, seconds, subject.tally)
    after, ours = cpu_seconds(subject.pid), time.process_time() - ours
    ordered = sorted(run.latencies)
    return Sample(
        round=number,
        subject=subject.key,
        block=block,
        calls=len(ordered),
        seconds=run.seconds,
        p50=percentile(ordered, 0.5),
        p99=percentile(ordered, 0.99),
        cpu=after - before if after is not None and before is not None else None,
        client_cpu=ours,
    )


async def rest(subjects: Sequence[Subject]) -> dict[int, Rest]:
    """Return what each metered process uses at rest, by its pid."""
    pids = {subject.pid for subject in subjects if subject.pid is not None}
    await asyncio.sleep(_SETTLE_SECONDS)
    began, before = time.perf_counter(), {pid: cpu_seconds(pid) for pid in pids}
    await asyncio.sleep(_IDLE_SECONDS)
    seconds, after = time.perf_counter() - began, {pid: cpu_seconds(pid) for pid in pids}
    found = {}
    for pid in pids:
        first, last = before[pid], after[pid]
        used = (last - first) / seconds * 1e3 if first is not None and last is not None else None
        found[pid] = Rest(memory=memory_bytes(pid), cpu=used)
    return found


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector of this process out of the blocks, and its large answers on the heap."""
    memory.settle()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
