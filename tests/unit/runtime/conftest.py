from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.world import World

from vsm_mcp.config import Config
from vsm_mcp.config import Runtime as Limits
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tier import Tier


@pytest.fixture(scope="module")
def isolation() -> Any:
    return asyncio.run(probe())


@pytest.fixture
async def world(isolation: Any, tmp_path: Path) -> AsyncIterator[World]:
    if isolation.tier is Tier.NONE:
        pytest.skip(f"no sandbox here: {isolation.reasons}")
    limits = Limits(
        start_timeout_seconds=15,
        stop_grace_seconds=0.3,
        restart_limit=2,
        log_bytes=100_000,
        max_line_bytes=1_000_000,
        instances_per_server=2,
    )
    async with Sandbox(isolation) as sandbox:
        made = World(sandbox, Config(home=tmp_path, runtime=limits))
        async with made.runtime:
            yield made
