"""The same thing done with many servers: some at a time, in their order, and one that fails stops nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from vsm_mcp.errors import VsmError

AT_ONCE: Final = 10
"""How many servers are worked on at a time where nobody says otherwise."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it for one server: ``detail`` is a clause, of an error its message; ``code`` is the error's."""

    name: str
    ok: bool
    detail: str = ""
    code: str = ""
    hint: str = ""
    seconds: float = 0.0


async def each(
    before: Mapping[str, frozenset[str]], act: Callable[[str], Awaitable[str]], at_once: int = AT_ONCE
) -> tuple[Result, ...]:
    """Do ``act`` with every server of ``before``, each when those that go before it are done, well or not.

    ``act`` returns a clause about what it did. At most ``at_once`` run at a time; the results are in the order of
    ``before``, which must be free of circles.
    """
    room = asyncio.Semaphore(max(at_once, 1))
    loop = asyncio.get_running_loop()
    done: dict[str, asyncio.Future[None]] = {name: loop.create_future() for name in before}

    async def one(name: str) -> Result:
        try:
            earlier = [done[other] for other in before[name]]
            if earlier:
                await asyncio.wait(earlier)
            async with room:
                return await _tried(name, act)
        finally:
            done[name].set_result(None)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(name)) for name in before]
    return tuple(task.result() for task in tasks)


async def _tried(name: str, act: Callable[[str], Awaitable[str]]) -> Result:
    began = time.monotonic()
    try:
        detail = await act(name)
    except VsmError as error:
        seconds = round(time.monotonic() - began, 3)
        return Result(name=name, ok=False, detail=error.message, code=error.code, hint=error.hint, seconds=seconds)
    return Result(name=name, ok=True, detail=detail, seconds=round(time.monotonic() - began, 3))
