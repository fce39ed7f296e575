"""A small server on the official SDK, in both eras: over stdio, or over HTTP (``--http``; prints its URL).

The HTTP server has HTTP+SSE as well, at ``/sse``.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import anyio
import mcp.types as t
import uvicorn
from mcp.server import Server
from mcp.server.sse import SseServerTransport
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from starlette.responses import Response
from starlette.routing import Mount, Route

OBJECT: dict[str, Any] = {"type": "object"}
bus = InMemorySubscriptionBus()
changed = False


async def list_tools(_ctx: Any, params: Any) -> t.ListToolsResult:
    if params is None or not params.cursor:
        return t.ListToolsResult(
            tools=[t.Tool(name="echo", description="Says it again", input_schema=OBJECT)], next_cursor="b"
        )
    region = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
    tools = [t.Tool(name="where", input_schema=region), t.Tool(name="progress", input_schema=OBJECT)]
    if changed:
        tools.append(t.Tool(name="added", input_schema=OBJECT))
    return t.ListToolsResult(tools=tools)


async def call_tool(ctx: Any, params: t.CallToolRequestParams) -> t.CallToolResult:
    global changed  # noqa: PLW0603 - a script of its own
    arguments = params.arguments or {}
    if params.name == "progress":
        for done in (1, 2, 3):
            await ctx.session.report_progress(done, 3)
    if params.name == "sleep":
        await anyio.sleep(float(arguments["seconds"]))
    if params.name == "change":
        changed = True
        await bus.publish(ToolsListChanged())
        if ctx.protocol_version != "2026-07-28":
            await ctx.session.send_tool_list_changed()
    return t.CallToolResult(content=[t.TextContent(type="text", text=str(arguments.get("text", params.name)))])


server: Server[Any] = Server(
    "sdk",
    version="1.0",
    instructions="Be kind.",
    on_list_tools=list_tools,
    on_call_tool=call_tool,
    on_subscriptions_listen=ListenHandler(bus),
)


async def stdio() -> None:
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


def add_sse(app: Any) -> None:
    sse = SseServerTransport("/messages/")

    async def stream(request: Any) -> Response:
        async with sse.connect_sse(request.scope, request.receive, request._send) as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())
        return Response()

    app.router.routes.extend(
        [Route("/sse", endpoint=stream, methods=["GET"]), Mount("/messages/", app=sse.handle_post_message)]
    )


async def http() -> None:
    app = server.streamable_http_app(streamable_http_path="/mcp")
    add_sse(app)
    config = uvicorn.Config(app, log_level="error", ws="none")
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio: TCP_NODELAY needs it
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp", flush=True)  # noqa: T201
    await uvicorn.Server(config).serve(sockets=[listening])


if __name__ == "__main__":
    anyio.run(http if "--http" in sys.argv else stdio)
