"""A server that tells the time, in one file of the standard library: two of it can stand in for each other.

``--tool`` and ``--parameter`` are its names for what it does, ``--writes`` leaves out that it only reads. One
that is started while the file ``--deaf-if`` is there answers no ``ping``.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

options = argparse.ArgumentParser()
options.add_argument("--tool", default="get_current_time")
options.add_argument("--parameter", default="timezone")
options.add_argument("--writes", action="store_true")
options.add_argument("--deaf-if", type=Path)
chosen = options.parse_args()
deaf = chosen.deaf_if is not None and chosen.deaf_if.exists()

SCHEMA = {"type": "object", "properties": {chosen.parameter: {"type": "string"}}, "required": [chosen.parameter]}
TOOL: dict[str, Any] = {
    "name": chosen.tool,
    "description": "Get the current time in a timezone.",
    "inputSchema": SCHEMA,
}
if not chosen.writes:
    TOOL["annotations"] = {"readOnlyHint": True, "openWorldHint": False}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    if method == "initialize":
        own = {"name": "clock", "version": "1.0.0"}
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": own}
    if method == "tools/list":
        return {"tools": [TOOL]}
    if method == "tools/call" and params.get("name") == chosen.tool:
        zone = params.get("arguments", {}).get(chosen.parameter)
        return {"content": [{"type": "text", "text": f"{chosen.tool}({zone}): {datetime.now(UTC).isoformat()}"}]}
    if method == "ping":
        return {}
    raise LookupError


for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    if asked["method"] == "ping" and deaf:
        continue
    reply = {"jsonrpc": "2.0", "id": asked["id"]}
    try:
        reply["result"] = answer(asked["method"], asked.get("params", {}))
    except LookupError:
        reply["error"] = {"code": -32601, "message": "Method not found"}
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()
