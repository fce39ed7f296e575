from __future__ import annotations

import asyncio
import contextlib

from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.runtime.idle import pause, watch

SECONDS = st.floats(min_value=0, max_value=1e9)


class Looked:
    """Something to look at, that counts the looks."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.looks: list[float] = []
        self.seen = asyncio.Event()

    def rest(self, now: float) -> None:
        self.looks.append(now)
        self.seen.set()


@given(st.lists(SECONDS))
def test_the_timer_sleeps_while_nothing_may_be_stopped_and_is_never_far_too_late(patiences: list[float]) -> None:
    seconds = pause(patiences)
    waiting = [patience for patience in patiences if patience > 0]
    if not waiting:
        assert seconds is None
    else:
        assert seconds is not None
        assert 0.05 <= seconds <= 15
        assert seconds <= max(min(waiting) / 4, 0.05)


async def test_one_timer_looks_at_all_and_rests_when_there_is_nothing_to_do() -> None:
    things = [Looked(0.0), Looked(0.0)]
    news = asyncio.Event()
    task = asyncio.ensure_future(watch(lambda: things, news))
    try:
        for _ in range(3):
            await asyncio.sleep(0)
        assert [thing.looks for thing in things] == [[], []]
        things[0].patience = 0.1  # nobody has told it yet
        news.set()
        async with asyncio.timeout(60):
            await things[1].seen.wait()
            while len(things[0].looks) < 4:
                things[1].seen.clear()
                await things[1].seen.wait()
        assert len(things[0].looks) == len(things[1].looks)
        gaps = [later - earlier for earlier, later in zip(things[0].looks[1:], things[0].looks[2:], strict=False)]
        assert min(gaps) >= 0.045
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
