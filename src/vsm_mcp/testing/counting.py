"""An MCP server over stdio that writes down what it carried out, before it answers.

Standard library only, and one file, as ``faulty.py``. Each call becomes a line ``TOOL KEY PID`` of ``--record``. Tools,
each with an argument ``key``: ``look`` (declares ``readOnlyHint``), ``put`` (``idempotentHint``), ``add`` (declares
nothing), ``wrong`` (``readOnlyHint``; its results are ``isError``). Of a key that begins with ``die``, the first call
kills the process after the line is written; one that begins with ``told`` makes progress before; one that begins with
``die-told`` does both.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

HINTS: dict[str, dict[str, bool]] = {
    "look": {"readOnlyHint": True, "openWorldHint": False},
    "put": {"idempotentHint": True, "destructiveHint": False, "openWorldHint": False},
    "add": {},
    "wrong": {"readOnlyHint": True, "openWorldHint": False},
}
_WRITING = threading.Lock()


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(prog="counting", description="an MCP server that writes down what it carried out")
    parser.add_argument("--record", default="", help="append a line for each call to this file")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer of a call")
    parser.add_argument("--name", default="counting", help="what it calls itself")
    parser.add_argument("--only", action="append", default=[], help="offer this tool alone (may be repeated)")
    given = parser.parse_args()
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("method") == "tools/call":
            threading.Thread(target=_call, args=(message, given), daemon=True).start()
        elif "id" in message:
            _say({"id": message["id"], **_answer(message, given)})


def _answer(message: dict[str, Any], given: argparse.Namespace) -> dict[str, Any]:
    method = message.get("method")
    if method == "initialize":
        version = message["params"]["protocolVersion"]
        info = {"name": given.name, "version": "1.0.0"}
        return {"result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}}
    if method == "tools/list":
        names = given.only or list(HINTS)
        return {"result": {"tools": [_tool(name) for name in names]}}
    if method == "ping":
        return {"result": {}}
    return {"error": {"code": -32601, "message": "Method not found"}}


def _tool(name: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]}
    hints = {"annotations": HINTS[name]} if HINTS[name] else {}
    return {"name": name, "description": f"Counts how often {name} is called.", "inputSchema": schema, **hints}


def _call(message: dict[str, Any], given: argparse.Namespace) -> None:
    params = message["params"]
    tool, key = params["name"], str(params.get("arguments", {}).get("key", ""))
    token = params.get("_meta", {}).get("progressToken")
    if "told" in key and token is not None:
        _say({"method": "notifications/progress", "params": {"progressToken": token, "progress": 0.5}})
        time.sleep(0.05)  # it shall be there before the end is
    count = _record(given.record, f"{tool} {key} {os.getpid()}\n")
    if key.startswith("die") and count == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if given.delay:
        time.sleep(given.delay)
    text = json.dumps({"server": given.name, "tool": tool, "key": key, "count": count, "pid": os.getpid()})
    result: dict[str, Any] = {"content": [{"type": "text", "text": text}]}
    _say({"id": message["id"], "result": {**result, "isError": True} if tool == "wrong" else result})


def _record(path: str, line: str) -> int:
    """Write a line; return how many there are now of the same tool and key, whatever process wrote them."""
    if not path:
        return 0
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
    what = line.rpartition(" ")[0]
    return sum(each.rpartition(" ")[0] == what for each in Path(path).read_text().splitlines())


def _say(message: dict[str, Any]) -> None:
    data = json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"
    with _WRITING:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
