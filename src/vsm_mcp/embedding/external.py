"""A plug-in with an external MCP server behind it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from vsm_mcp import config as configuration
from vsm_mcp.embedding.plugin import (
    ErrorKind,
    PluginError,
    PluginRequest,
    PluginResponse,
    delay,
    error_of,
    may_be_tried_again,
)
from vsm_mcp.errors import ProtocolError, RequestTimeout, VsmError
from vsm_mcp.model.definition import ItemKind
from vsm_mcp.model.server import Server
from vsm_mcp.runtime.custom import StartTransport
from vsm_mcp.runtime.supervisor import Runtime
from vsm_mcp.wire.connection import Connection

_SAFE_TWICE: Final = ("readOnlyHint", "idempotentHint")
_NOT_INITIALIZED: Final = PluginError(
    kind=ErrorKind.SESSION, message="the plug-in is not initialized", code="session", hint="await plugin.initialize()"
)


class _Result(msgspec.Struct):
    """Specification, "Tools: Calling Tools"."""

    content: list[dict[str, Any]] = []
    structuredContent: Any = None  # noqa: N815 - the protocol's word
    isError: bool = False  # noqa: N815 - as above


class ExternalPlugin:
    """See :class:`~vsm_mcp.embedding.plugin.Plugin`: every request is a call of one of the server's tools.

    ``server`` is one of :mod:`presets`, or what an acquisition admitted; ``custom`` starts it, where it is of the
    program's own making. It is supervised by ``runtime``, by default one of the plug-in's own; a server that is there
    already (in that of an :class:`vsm_mcp.app.App`, which has its secrets) stays there. ``external`` says how
    long an attempt may take and how many follow the first (default: the environment); in between, ``pause`` waits.
    """

    def __init__(
        self,
        server: Server,
        *,
        custom: StartTransport | None = None,
        runtime: Runtime | None = None,
        external: configuration.External | None = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._server = server
        self._custom = custom
        self._runtime = runtime
        self._external = external or configuration.external()
        self._pause = pause
        self._stack = contextlib.AsyncExitStack()
        self._ready = False
        self._added = False

    async def initialize(self) -> None:
        """Start the server and wait until it is ready, as often as it takes and is allowed. Idempotent.

        Raises :class:`VsmError` when it does not come up.
        """
        if self._ready:
            return
        if self._runtime is None:
            self._runtime = await self._stack.enter_async_context(Runtime())
        self._added = all(status.name != self._server.name for status in self._runtime.statuses())
        if self._added:
            self._runtime.add(self._server, self._custom)
        self._ready = True
        attempt = 1
        while True:
            try:
                await self._runtime.connection(self._server.name, self._external.timeout)
            except VsmError as error:
                if attempt > self._external.max_retries or not may_be_tried_again(error, sent=False, repeatable=True):
                    await self.shutdown()
                    raise
            else:
                return
            await self._pause(delay(attempt))
            attempt += 1

    async def handle(self, request: PluginRequest) -> PluginResponse:
        """Call a tool; again after 1, 2, 4 … 60 s where that may help and does no harm."""
        began, attempt = time.monotonic(), 1
        while self._ready:
            sent = False
            try:
                connection, left = await self._reached()
                sent = True
                result = await _asked(connection, request, left)
            except VsmError as error:
                again = may_be_tried_again(error, sent=sent, repeatable=self._repeatable(request))
                if not again or attempt > self._external.max_retries:
                    return PluginResponse(error=error_of(error), attempts=attempt, seconds=_since(began))
            else:
                return msgspec.structs.replace(result, attempts=attempt, seconds=_since(began))
            await self._pause(delay(attempt))
            attempt += 1
        return PluginResponse(error=_NOT_INITIALIZED, attempts=attempt, seconds=_since(began))

    async def shutdown(self) -> None:
        """Stop the server, if it was there for this plug-in; what was begun ends as ``connection``. Idempotent."""
        runtime, added = self._runtime, self._added
        self._ready = self._added = False
        if runtime is not None and added:
            await runtime.remove(self._server.name)
        await self._stack.aclose()

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _reached(self) -> tuple[Connection, float]:
        """Return an open connection, and how many seconds of this attempt are left."""
        within = self._external.timeout
        deadline = time.monotonic() + within
        assert self._runtime is not None  # noqa: S101 - initialize has seen to that
        connection = await self._runtime.connection(self._server.name, within)
        left = deadline - time.monotonic()
        if left <= 0:
            raise RequestTimeout(f"{self._server.name} was not ready within {within:g} s")
        return connection, left

    def _repeatable(self, request: PluginRequest) -> bool:
        if request.repeatable is not None:
            return request.repeatable
        offer = self._runtime.offer(self._server.name) if self._runtime is not None and self._ready else None
        for item in offer.of(ItemKind.TOOL) if offer is not None else ():
            if item.name == request.tool:
                hints: Any = msgspec.json.decode(item.raw).get("annotations")
                return isinstance(hints, dict) and any(hints.get(hint) is True for hint in _SAFE_TWICE)
        return False


async def _asked(connection: Connection, request: PluginRequest, seconds: float) -> PluginResponse:
    params = {"name": request.tool, "arguments": request.arguments}
    raw = await connection.request("tools/call", params, timeout=seconds)
    try:
        result = msgspec.json.decode(raw, type=_Result)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"the result of {request.tool} cannot be read: {error}") from error
    return PluginResponse(content=result.content, structured=result.structuredContent, failed=result.isError)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 4)
