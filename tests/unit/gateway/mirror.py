"""An MCP server that answers each call with what it was sent: ``python mirror.py legacy|modern`` over stdio.

With an argument ``refuse`` it refuses. The text of any other answer is JSON: the message as it came, and over HTTP
(:func:`serve`) the header fields too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

TOOLS = {"tools": [{"name": "show", "inputSchema": {"type": "object"}}], "resultType": "complete"}
MODERN = {
    "supportedVersions": ["2026-07-28"],
    "capabilities": {"tools": {}},
    "ttlMs": 0,
    "cacheScope": "private",
    "resultType": "complete",
}


def answer(message: dict[str, Any], line: str, fields: dict[str, str], *, modern: bool) -> dict[str, Any]:
    """Return the answer to a request that came as ``line``."""
    method = message["method"]
    result: dict[str, Any] | None = None
    if method == "server/discover" and modern:
        result = MODERN
    elif method == "initialize" and not modern:
        version = message["params"]["protocolVersion"]
        result = {
            "protocolVersion": version,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "m", "version": "1"},
        }
    elif method == "tools/list":
        result = TOOLS
    elif method == "tools/call" and "refuse" not in message["params"].get("arguments", {}):
        text = json.dumps({"line": line, "fields": fields})
        result = {"content": [{"type": "text", "text": text}], "resultType": "complete"}
    if result is None:
        return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no"}}
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


@asynccontextmanager
async def serve(*, modern: bool) -> AsyncIterator[str]:
    """Serve over HTTP for as long as the context lasts; gives the URL."""
    from aiohttp import web

    async def take(request: web.Request) -> web.Response:
        line = await request.text()
        message = json.loads(line)
        if "id" not in message:
            return web.Response(status=202)
        fields = {name.lower(): value for name, value in request.headers.items()}
        return web.json_response(answer(message, line, fields, modern=modern))

    application = web.Application()
    application.router.add_post("/mcp", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
    finally:
        await runner.cleanup()


def main() -> None:
    """Serve over stdio until it ends."""
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message and "method" in message:
            said = answer(message, line, {}, modern=sys.argv[1] == "modern")
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
