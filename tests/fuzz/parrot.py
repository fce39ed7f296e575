"""An MCP server over stdio that says what it is told, byte for byte: ``python parrot.py legacy|modern``.

Its tools are ``say(before, answer, later)`` and ``toil``, which is the same but always a task: it writes the bytes
``before`` (base64), and answers with the text ``answer``, which is the rest of a JSON object behind its id
(``"result":{}``). Questions about tasks are answered with the texts ``later``, one after the other.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

TOOLS = [
    {"name": "say", "inputSchema": {"type": "object"}},
    {"name": "toil", "inputSchema": {"type": "object"}, "execution": {"taskSupport": "required"}},
]
TASKS: dict[str, Any] = {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}
DECLARED = {
    "tools": {},
    "resources": {"subscribe": True},
    "logging": {},
    "tasks": TASKS,
    "extensions": {"io.modelcontextprotocol/tasks": {}},
}


class Parrot:
    """One conversation."""

    def __init__(self, *, modern: bool) -> None:
        self._modern = modern
        self._later: list[str] = []

    def answer(self, method: str, params: dict[str, Any]) -> str:
        """Return the rest of the answer to a request."""
        if method == "server/discover" and self._modern:
            hello = {"supportedVersions": ["2026-07-28"], "capabilities": DECLARED, "ttlMs": 0, "cacheScope": "private"}
            return f'"result":{json.dumps({**hello, "resultType": "complete"})}'
        if method == "initialize" and not self._modern:
            version, info = params["protocolVersion"], {"name": "parrot", "version": "1"}
            return f'"result":{json.dumps({"protocolVersion": version, "capabilities": DECLARED, "serverInfo": info})}'
        if method == "tools/list":
            return f'"result":{json.dumps({"tools": TOOLS, "resultType": "complete"})}'
        if method == "tools/call":
            given = params["arguments"]
            self._later = given.get("later", [])
            sys.stdout.buffer.write(base64.b64decode(given["before"]))
            return str(given["answer"])
        if method.startswith("tasks/") and self._later:
            return self._later.pop(0)
        return '"error":{"code":-32601,"message":"no"}'


def main() -> None:
    """Serve until stdin ends."""
    parrot = Parrot(modern=sys.argv[1] == "modern")
    for line in sys.stdin.buffer:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue  # the answer to something it said, under the id that it gave
        if "id" in message and "method" in message:
            said = parrot.answer(message["method"], message.get("params") or {})
            text = f'{{"jsonrpc":"2.0","id":{message["id"]},{said}}}\n'
            sys.stdout.buffer.write(text.encode("utf-8", "surrogatepass"))
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
