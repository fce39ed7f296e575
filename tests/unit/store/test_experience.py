"""What was seen of servers is kept, added up, and fades."""

from __future__ import annotations

from pathlib import Path

import pytest

from vsm_mcp.model.experience import HALF_LIFE_SECONDS, Experience
from vsm_mcp.store import Store


async def test_what_was_seen_adds_up_over_restarts_and_fades(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await store.experience.add({"npm:a": Experience(answered=4), "npm:b": Experience(lost=1)}, now=1000.0)
        await store.experience.add({"npm:a": Experience(answered=1, lost=2)}, now=1000.0)
        assert await store.experience.all(1000.0) == {
            "npm:a": Experience(answered=5, lost=2),
            "npm:b": Experience(lost=1),
        }
    later = 1000.0 + HALF_LIFE_SECONDS
    async with Store(tmp_path) as store:
        assert (await store.experience.all(later))["npm:a"] == Experience(answered=2.5, lost=1)
        await store.experience.add({"npm:a": Experience(answered=1)}, now=later)
        assert (await store.experience.all(later))["npm:a"] == Experience(answered=3.5, lost=1)


async def test_a_clock_that_was_set_back_adds_nothing_up(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await store.experience.add({"npm:a": Experience(answered=4)}, now=9e9)
        assert (await store.experience.all(0.0))["npm:a"].answered == pytest.approx(4)
