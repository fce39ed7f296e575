"""An MCP server over stdio that says what it is told, byte for byte: ``python parrot.py legacy|modern``.

Its one tool is ``say(before, answer)``: it writes the bytes ``before`` (base64), and answers with the text ``answer``,
which is the rest of a JSON object behind its id (``"result":{}``).
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

TOOL = {"name": "say", "inputSchema": {"type": "object"}}
DECLARED = {"tools": {}, "resources": {"subscribe": True}, "logging": {}}


def answer(message: dict[str, Any], *, modern: bool) -> str:
    """Return the rest of the answer to a request."""
    method, params = message["method"], message.get("params") or {}
    if (method == "server/discover") and modern:
        hello = {"supportedVersions": ["2026-07-28"], "capabilities": DECLARED, "ttlMs": 0, "cacheScope": "private"}
        return f'"result":{json.dumps({**hello, "resultType": "complete"})}'
    if method == "initialize" and not modern:
        version, info = params["protocolVersion"], {"name": "parrot", "version": "1"}
        return f'"result":{json.dumps({"protocolVersion": version, "capabilities": DECLARED, "serverInfo": info})}'
    if method == "tools/list":
        return f'"result":{json.dumps({"tools": [TOOL], "resultType": "complete"})}'
    if method == "tools/call":
        given = params["arguments"]
        sys.stdout.buffer.write(base64.b64decode(given["before"]))
        return str(given["answer"])
    return '"error":{"code":-32601,"message":"no"}'


def main() -> None:
    """Serve until stdin ends."""
    modern = sys.argv[1] == "modern"
    for line in sys.stdin.buffer:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue  # the answer to something it said, under the id that it gave
        if "id" in message and "method" in message:
            text = f'{{"jsonrpc":"2.0","id":{message["id"]},{answer(message, modern=modern)}}}\n'
            sys.stdout.buffer.write(text.encode("utf-8", "surrogatepass"))
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
