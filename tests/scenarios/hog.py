"""An MCP server with one tool for each way to take more than one's share, and two that keep notes in its home.

Standard library only, and one file. With ``--at-start`` it makes the file of its notes when it starts, else with the
first note.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

KEPT: list[Any] = []
NOTES = Path(os.environ.get("HOME", "/nonexistent"), "notes.txt")


def memory() -> str:
    """Take memory until there is none."""
    while True:
        KEPT.append(bytearray(4 << 20))
        time.sleep(0.004)  # the watchdog of the soft tier looks four times a second


def forks() -> str:
    """Start processes until one is refused, and die of that."""
    while True:
        KEPT.append(subprocess.Popen(["/bin/sleep", "600"]))


def threads() -> str:
    """Start threads until one is refused, and die of that."""
    while True:
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()


def cpu() -> str:
    """Count for ever, in two threads and a process."""
    if os.fork() == 0:
        while True:
            pass
    threading.Thread(target=lambda: sum(iter(int, 1)), daemon=True).start()
    while True:
        pass


def files() -> str:
    """Open files until one is refused, and die of that."""
    while True:
        KEPT.append(open("/dev/null", "rb"))  # noqa: PTH123, SIM115 -- it is to stay open


def disk(where: str = "/tmp") -> str:
    """Write until there is no space, and die of that."""
    with open(f"{where}/big", "wb", buffering=0) as file:  # noqa: PTH123
        while True:
            file.write(bytes(1 << 20))


def stderr() -> str:
    """Write lines to stderr for ever."""
    line = b"something happened, and here is a line about it\n" * 1000
    while True:
        os.write(2, line)


def stdout() -> str:
    """Write lines that are no messages to stdout for ever."""
    line = b"oops\n" * 10_000
    while True:
        os.write(1, line)


def messages() -> str:
    """Send messages nobody asked for, for ever."""
    note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
    line = (json.dumps(note).encode() + b"\n") * 500
    while True:
        os.write(1, line)


def endless() -> str:
    """Write one line that never ends."""
    while True:
        os.write(1, bytes(1 << 16))


def ping() -> str:
    """Say that we are there."""
    return "pong"


def note(text: object = None) -> str:
    """Keep a note."""
    if not isinstance(text, str) or not text:
        return "nothing to keep"
    with NOTES.open("a") as file:
        file.write(f"{text}\n")
    return "kept"


def notes() -> str:
    """Return all notes."""
    return NOTES.read_text() if NOTES.exists() else ""


TOOLS: dict[str, Callable[..., str]] = {
    tool.__name__: tool
    for tool in (memory, forks, threads, cpu, files, disk, stderr, stdout, messages, endless, ping, note, notes)
}  # fmt: skip


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """Return the result of a request; ``None`` for an unknown method."""
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "hog", "version": "1"},
        }
    if method == "tools/list":
        schema = {"type": "object"}
        tools = [{"name": name, "description": tool.__doc__, "inputSchema": schema} for name, tool in TOOLS.items()]
        return {"tools": tools}
    if method == "tools/call" and params["name"] in TOOLS:
        text = TOOLS[params["name"]](**params.get("arguments", {}))
        return {"content": [{"type": "text", "text": text}]}
    return None


def main() -> None:
    """Read lines of stdin until it ends."""
    if "--at-start" in sys.argv:
        NOTES.touch()
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue
        result = answer(message["method"], message.get("params", {}))
        body = {"result": result} if result is not None else {"error": {"code": -32601, "message": "no such method"}}
        os.write(1, json.dumps({"jsonrpc": "2.0", "id": message["id"], **body}).encode() + b"\n")


if __name__ == "__main__":
    main()
