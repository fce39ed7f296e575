"""Tasks as others wrote them: a server and a client of the TypeScript SDK, the Python SDK's client, and the suite."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.npm import packages

HERE = Path(__file__).parent
FLEET = HERE.parent / "unit" / "gateway" / "fleet.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@contextmanager
def printing_url(*argv: str) -> Iterator[str]:
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


@contextmanager
def gateway(transport: str) -> Iterator[str]:
    """Serve the TypeScript SDK's server as ``ts``; gives the gateway's URL."""
    server = [packages.NODE, str(HERE / "tasks" / "server.mjs"), str(packages.folder())]
    if transport == "stdio":
        with printing_url(sys.executable, str(FLEET), "--port", "0", json.dumps({"ts": ["--", *server]})) as url:
            yield url
        return
    with (
        printing_url(*server, "--http") as behind,
        printing_url(sys.executable, str(FLEET), "--port", "0", json.dumps({"ts": behind})) as url,
    ):
        yield url


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_typescript_sdk(transport: str) -> None:
    with gateway(transport) as url:
        argv = [packages.NODE, str(HERE / "tasks" / "client.mjs"), str(packages.folder()), url, "ts__research"]
        done = subprocess.run(argv, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    seen = json.loads(done.stdout)
    assert seen["plain"] == "found this one (1)"
    assert seen["told"][0] in {"gathering", "asking"}
    assert seen["types"] == ["taskCreated", "taskStatus", "result"]
    assert seen["streamed"] == "found this one (2)"
    assert seen["related"] == {"io.modelcontextprotocol/related-task": {"taskId": seen["task"]}}
    assert seen["listed"] == [[seen["task"], "completed"]]
    assert seen["asked"] == ["Which one?"] * 2


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_python_sdk(transport: str, mode: str) -> None:
    from mcp import Client
    from mcp.types import ElicitResult

    async def elicit(_context: Any, _params: Any) -> Any:
        return ElicitResult(action="accept", content={"which": "it"})

    callbacks: dict[str, Any] = {"elicitation_callback": elicit}
    with gateway(transport) as url:
        async with asyncio.timeout(60), Client(url, mode=mode, **callbacks) as client:
            result: Any = await client.call_tool("ts__research", {})
    assert result.content[0].text == "found it"
