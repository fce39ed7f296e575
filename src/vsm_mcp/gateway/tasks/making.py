"""The call that makes a task of a handshake server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Raw

from vsm_mcp.gateway.upstream import Call


class Making:
    """Awaited as the call itself; ``made`` is told of its result before anything that follows is read.

    A server may speak of its task on the heels of the answer that names it, and by then it has to be known for whom.
    """

    def __init__(self, call: Call, made: Callable[[Call, Raw], None]) -> None:
        self._call = call
        self._made = made

    async def answer(self) -> Raw | None:
        """Await the result, as that of the call."""
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._call.when_settled(lambda: self._settled(settled))
        await settled
        return await self._call.answer()

    def pause(self) -> None:
        """Wake whoever awaits the answer; the call goes on."""
        self._call.pause()

    def put_off(self, seconds: float) -> None:
        """Let it wait for ``seconds`` from now on."""
        self._call.put_off(seconds)

    def give_up(self) -> None:
        """Cancel it at the server unless it is answered: an answered one may go on to be about its task."""
        if self._call.result is None:
            self._call.give_up()

    def _settled(self, settled: asyncio.Future[None]) -> None:
        result = self._call.result
        if result is not None:
            self._made(self._call, result)
        if not settled.done():
            settled.set_result(None)
