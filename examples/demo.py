"""The main job, for real: three needs in plain words become three servers, and an MCP client calls one tool of each.

Run by ``make demo``. It uses a home of its own (``.cache/demo-home``), so that it changes nothing else, and leaves no
process behind.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from mcp import Client

# What a person would write, and a tool call with the answer that must come back. No server is named.
NEEDS: Final = (
    ("convert a time between time zones", ("convert", "time"), "Noon UTC in Tokyo", ("21:00",)),
    ("factor a polynomial", ("factor",), "The factors of x²-5x+6", ("x - 2", "x-2")),
    ("draw a bar chart", ("bar", "chart"), "A bar chart of two cities", ('"bar"', "'bar'")),
)
# How a model would fill in a tool's parameters: by what their names mean.
CITIES: Final = [{"category": "Oslo", "value": 709}, {"category": "Bergen", "value": 291}]
VALUES: Final[dict[str, dict[str, Any]]] = {
    NEEDS[0][0]: {"source": "UTC", "from": "UTC", "target": "Asia/Tokyo", "to": "Asia/Tokyo", "time": "12:00"},
    NEEDS[1][0]: {"expr": "x**2-5*x+6", "expression": "x**2-5*x+6", "polynomial": "x**2-5*x+6", "variable": "x"},
    NEEDS[2][0]: {"data": CITIES, "title": "Cities", "outputtype": "option"},
}
HOME: Final = Path(os.environ.get("VSM_MCP_DEMO_HOME", ".cache/demo-home")).absolute()
UNSANDBOXED: Final = ["--allow-unsandboxed"] if os.environ.get("VSM_MCP_DEMO_UNSANDBOXED") == "1" else []
PROGRAM: Final = str(Path(sys.executable).parent / "vsm-mcp")
ENVIRON: Final = {**os.environ, "VSM_MCP_HOME": str(HOME)}


def main() -> int:
    """Acquire, serve, call, stop; return 0 when all three answers were right."""
    shutil.rmtree(HOME, ignore_errors=True)
    if not can_isolate():
        return 1
    acquired = [acquire(need) for need, *_ in NEEDS]
    if not all(acquired):
        return 1
    print("\nStarting the gateway", flush=True)
    daemon = subprocess.Popen([PROGRAM, "serve", "--port", "0"], env=ENVIRON)
    try:
        address = wait_for_address()
        print(f"Calling through {address} with the MCP Python SDK\n", flush=True)
        right = asyncio.run(call_all(address, acquired))
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(30)
    print("\nEvidence of each acquisition:")
    for server in acquired:
        print(f"  {server['name']:<12} vsm-mcp evidence {server['evidence']} --home {HOME}")
    print(f"  (kept in {HOME / 'state.db'})")
    print(f"\nProcesses left behind: {left_behind()}")
    return 0 if right else 1


def can_isolate() -> bool:
    """Say what isolation this machine gives; without any, go on only if the person said so."""
    shown = subprocess.run([PROGRAM, "doctor", "--json"], env=ENVIRON, check=False, capture_output=True)
    sandbox = json.loads(shown.stdout)["sandbox"]
    print(f"Sandbox: tier {sandbox['tier']}", flush=True)
    if sandbox["tier"] != "none":
        return True
    print("  " + "\n  ".join([*sandbox["reasons"], *(f"what would help: {remedy}" for remedy in sandbox["remedies"])]))
    print("  Servers would run with your rights: your files, your network, your other processes.")
    if UNSANDBOXED:
        return True
    print("  The demo does not start them. To run it all the same: VSM_MCP_DEMO_UNSANDBOXED=1 make demo")
    return False


def acquire(need: str) -> dict[str, Any]:
    """Search (the table), then acquire (the pipeline); return the outcome, empty when it failed."""
    print(f"\n━━ Need: {need}\n", flush=True)
    subprocess.run([PROGRAM, "search", need, "--limit", "5"], env=ENVIRON, check=False)
    done = subprocess.run([PROGRAM, "acquire", need, "--yes", *UNSANDBOXED], env=ENVIRON, check=False)
    listed = json.loads(
        subprocess.run([PROGRAM, "list", "--json"], env=ENVIRON, check=True, capture_output=True).stdout
    )
    if done.returncode or not listed["servers"]:
        return {}
    newest: dict[str, Any] = max(listed["servers"], key=lambda server: float(server["added"]))
    report(newest["evidence"])
    return newest


def report(evidence: str) -> None:
    """Print what the trial in the sandbox saw."""
    shown = subprocess.run([PROGRAM, "evidence", evidence, "--json"], env=ENVIRON, check=True, capture_output=True)
    trials = [record["body"] for record in json.loads(shown.stdout)["records"] if record["kind"] == "trial"]
    print("  trial:")
    for probe in trials[-1]["report"]["probes"]:
        print(f"    {probe['verdict']:<5} {probe['name']:<17}{probe['seconds']:6.2f} s  {probe['detail']}")
    sys.stdout.flush()


def wait_for_address() -> str:
    """Return the address of the gateway once it listens."""
    for _ in range(300):
        status = subprocess.run([PROGRAM, "status", "--json"], env=ENVIRON, check=False, capture_output=True)
        document = json.loads(status.stdout or b"{}")
        if document.get("address"):
            return str(document["address"])
        time.sleep(0.1)
    raise SystemExit("the gateway did not come up within 30 s")


async def call_all(address: str, acquired: list[dict[str, Any]]) -> bool:
    """Call one tool of each server with the SDK's client; print the answers; say whether all were right."""
    right = True
    async with Client(address) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        for (need, words, what, expected), server in zip(NEEDS, acquired, strict=True):
            name = choose(server["tools"], words)
            schema = tools[name].input_schema if name in tools else await described(client, name)
            arguments = fill(schema, VALUES[need])
            result = await client.call_tool(name, arguments)
            text = " ".join(getattr(block, "text", "") for block in result.content)
            fine = not result.is_error and any(part in text for part in expected)
            right = right and fine
            print(
                f"{'✓' if fine else '✗'} {what}: {name}({json.dumps(arguments)})\n    → {' '.join(text.split())[:200]}"
            )
    return right


async def described(client: Client, name: str) -> dict[str, Any]:
    """Return a tool's schema where the gateway serves so many that it lists the tools which find them."""
    result = await client.call_tool("describe_tool", {"name": name})
    schema: dict[str, Any] = result.structured_content["tool"]["inputSchema"]
    return schema


def choose(names: list[str], words: tuple[str, ...]) -> str:
    """Return the tool whose name says most of the words with the least around them."""
    return min(names, key=lambda name: (-sum(w in name.split("__")[1].lower() for w in words), len(name)))


def fill(schema: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return values for the parameters of a schema that are known or required."""
    filled: dict[str, Any] = {}
    for name in schema.get("properties", {}):
        plain = name.lower().replace("_timezone", "").replace("timezone", "")
        if plain in values:
            filled[name] = values[plain]
    return filled


def left_behind() -> int:
    """Count the processes of this machine that still work on the demo's home."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        count += str(HOME).encode() in words and folder.name != str(os.getpid())
    return count


if __name__ == "__main__":
    sys.exit(main())
