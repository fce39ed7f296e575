"""The queue of a pool, by property: nobody overtakes, nothing is overfilled, nobody is forgotten, whatever happens."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from vsm_mcp.config import Config
from vsm_mcp.embedding import FunctionTransport, custom
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.runtime.status import PoolStatus
from vsm_mcp.runtime.supervisor import Runtime
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.tier import Isolation, Tier, properties_of

deeds = st.lists(
    st.tuples(st.sampled_from(("arrive", "arrive", "rest", "finish", "cancel", "turn")), st.integers(0, 30)),
    min_size=5,
    max_size=60,
)
"""What callers do; only between two rests is it certain that all consequences came about."""


class Play:
    """Callers of a server in this process, whose calls end when the play says so."""

    def __init__(self, runtime: Runtime) -> None:
        self.served: list[int] = []
        self.most = 0
        self.callers: list[asyncio.Task[None]] = []
        self._runtime = runtime
        self._gates: dict[int, asyncio.Future[None]] = {}

    async def start(self, _spec: ServerSpec) -> FunctionTransport:
        return FunctionTransport(self._answer)

    @property
    def pool(self) -> PoolStatus:
        found = self._runtime.status("a").pool
        assert found is not None
        return found

    async def settle(self) -> None:
        """Let everything happen that can: nothing here waits for another process."""
        for _ in range(12):
            await asyncio.sleep(0)

    async def do(self, deed: str, number: int) -> None:
        if deed == "arrive":
            self.callers.append(asyncio.ensure_future(self._call(len(self.callers))))
        elif deed == "rest":
            await self.settle()
        elif deed == "turn":
            await asyncio.sleep(0)
        elif deed == "finish" and (running := [n for n, gate in self._gates.items() if not gate.done()]):
            self._finish(running[number % len(running)])
        elif deed == "cancel" and (there := [caller for caller in self.callers if not caller.done()]):
            there[number % len(there)].cancel()

    async def end(self) -> None:
        """Let every call end."""
        async with asyncio.timeout(60):
            while not all(caller.done() for caller in self.callers):
                for number in tuple(self._gates):
                    self._finish(number)
                await self.settle()

    def _finish(self, number: int) -> None:
        if not self._gates[number].done():
            self._gates[number].set_result(None)

    async def _call(self, number: int) -> None:
        connection = await self._runtime.connection("a", 30)
        self.served.append(number)
        params = {"name": "any", "arguments": {"number": number}}
        call = connection.begin("tools/call", params, timeout=30)
        self.most = max(self.most, connection.calls)
        try:
            await call.answer()
        finally:
            call.give_up()

    async def _answer(self, message: dict[str, Any]) -> dict[str, Any] | None:
        if "id" not in message:
            return None
        reply = {"jsonrpc": "2.0", "id": message["id"]}
        if message["method"] == "tools/call":
            gate = self._gates[message["params"]["arguments"]["number"]] = asyncio.get_running_loop().create_future()
            await gate
            return reply | {"result": {"content": []}}
        if message["method"] == "initialize":
            info = {"name": "play", "version": "1"}
            return reply | {"result": {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": info}}
        return reply | {"error": {"code": -32601, "message": "unknown"}}


async def play(script: list[tuple[str, int]], size: int, limit: int) -> None:
    isolation = Isolation(tier=Tier.NONE, properties=properties_of(Tier.NONE))
    with tempfile.TemporaryDirectory() as home:
        async with Runtime(Config(home=Path(home)), sandbox=Sandbox(isolation)) as runtime:
            acting = Play(runtime)
            runtime.add(custom("a", pool_size=size, calls_at_once=limit), acting.start)
            await runtime.start("a")
            while acting.pool.ready < size:
                await acting.settle()
            for deed, number in script:
                await acting.do(deed, number)
                assert acting.served == sorted(acting.served)
            await acting.settle()
            busy = acting.pool
            assert not busy.waiting or busy.calls == size * limit  # nobody waits while there is room
            await acting.end()
            assert acting.served == sorted(acting.served)
            for number, caller in enumerate(acting.callers):
                assert number in acting.served or caller.cancelled()
                assert caller.cancelled() or caller.exception() is None
            assert acting.most <= limit
            assert (acting.pool.calls, acting.pool.waiting, acting.pool.refused) == (0, 0, 0)
            assert runtime.ready("a") is not None


@given(deeds, st.integers(1, 3), st.integers(1, 2))
@settings(deadline=None, max_examples=100)
def test_first_come_first_served(script: list[tuple[str, int]], size: int, limit: int) -> None:
    asyncio.run(play(script, size, limit))
