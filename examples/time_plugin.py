"""A plug-in for a host of one's own: what time it is elsewhere, answered by a real MCP server that it keeps running.

    python examples/time_plugin.py 12:00 UTC Asia/Tokyo

The server (``pypi:mcp-server-time``) is found, vetted, tried and installed by the first run; every run starts it in its
sandbox, asks it, and leaves nothing running. ``EXTERNAL_MCP_TIMEOUT`` and ``EXTERNAL_MCP_MAX_RETRIES`` say how patient
it is.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from vsm_mcp.app import App
from vsm_mcp.embedding import ExternalPlugin, PluginRequest, PluginResponse
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.server import Server

NAME: Final = "time"
REFERENCE: Final = "pypi:mcp-server-time"


class TimePlugin:
    """Converts times; a host calls ``initialize`` once, ``handle`` as often as it likes, ``shutdown`` at the end."""

    def __init__(self, server: Server) -> None:
        self._behind = ExternalPlugin(server)

    async def initialize(self) -> None:
        """Start the server."""
        await self._behind.initialize()

    async def handle(self, request: PluginRequest) -> PluginResponse:
        """Answer ``convert``; every other tool is the server's own."""
        if request.tool != "convert":
            return await self._behind.handle(request)
        given = request.arguments
        arguments = {"time": given["time"], "source_timezone": given["from"], "target_timezone": given["to"]}
        # It only looks something up: when an attempt fails half way, another one does no harm.
        return await self._behind.handle(PluginRequest(tool="convert_time", arguments=arguments, repeatable=True))

    async def shutdown(self) -> None:
        """Stop the server."""
        await self._behind.shutdown()


async def installed() -> Server:
    """Return the server from the home's catalogue, acquired if need be."""
    async with App.open(for_operation="add") as app:
        if NAME not in app.fleet.servers:
            outcome = await app.add(REFERENCE, Settings(args=("--local-timezone", "UTC")), name=NAME, yes=True)
            if outcome.admitted is None:
                raise SystemExit(f"{REFERENCE} was not admitted: {outcome.reason}")
        return app.fleet.get(NAME)


async def main(time: str, source: str, target: str) -> int:
    """Convert one time; return the exit code."""
    plugin = TimePlugin(await installed())
    await plugin.initialize()
    try:
        response = await plugin.handle(
            PluginRequest(tool="convert", arguments={"time": time, "from": source, "to": target})
        )
    finally:
        await plugin.shutdown()
    if response.error is not None:
        print(f"{response.error.kind}: {response.error.message}", file=sys.stderr)
        return 1
    print(response.content[0]["text"])
    return 1 if response.failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*(sys.argv[1:] or ("12:00", "UTC", "Asia/Tokyo")))))
