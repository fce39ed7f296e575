"""Clients that others wrote, against the gateway in front of servers of both eras: the Python SDK and the Inspector."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.npm.packages import program

HERE = Path(__file__).parent
FLEET = HERE.parent / "unit" / "gateway" / "fleet.py"
SERVERS = json.dumps(
    {
        "old": ["--mode", "legacy", "--progress", "2"],
        "new": ["--mode", "modern", "--progress", "2"],
        "hung": ["--no-answer"],
    }
)
ERAS = ["auto", "legacy", "2026-07-28"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    argv = [sys.executable, str(FLEET), "--port", "0", SERVERS]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


@asynccontextmanager
async def connected(url: str, front: str, mode: str) -> AsyncIterator[Any]:
    from mcp import Client, StdioServerParameters

    target = url if front == "http" else StdioServerParameters(command=sys.executable, args=[str(FLEET), SERVERS])
    async with asyncio.timeout(60), Client(target, mode=mode) as client:
        yield client


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("front", ["http", "stdio"])
async def test_python_sdk(url: str, front: str, mode: str) -> None:
    async with connected(url, front, mode) as client:
        assert client.protocol_version == ("2025-11-25" if mode == "legacy" else "2026-07-28")
        listed = await client.list_tools()
        names = [tool.name for tool in listed.tools]
        assert {"old__echo", "new__echo", "hung__echo"} <= set(names)
        assert names == sorted(names)
        # a client that is told the version beforehand asks for nothing else
        assert ("SERVER__NAME" in (client.instructions or "")) is (mode in {"auto", "legacy"})
        for server in ("old", "new"):
            seen: list[float] = []

            async def progressed(progress: float, _total: float | None, _message: str | None, at: Any = seen) -> None:
                at.append(progress)

            result = await client.call_tool(f"{server}__echo", {"text": "ü"}, progress_callback=progressed)
            assert result.content[0].text == "echo:ü"
            assert len(seen) == 2
            result = await client.call_tool(f"{server}__fail", {})
            assert result.is_error
            prompt = await client.get_prompt(f"{server}__greet")
            assert prompt.messages[0].content.text == "hello"
            read = await client.read_resource(f"vsm-mcp://{server}/note://one")
            assert read.contents[0].text == "a note"
        assert len((await client.list_resources()).resources) == 3
        assert len((await client.list_resource_templates()).resource_templates) == 3
        assert len((await client.list_prompts()).prompts) == 3


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("front", ["http", "stdio"])
async def test_python_sdk_calls_side_by_side(url: str, front: str, mode: str) -> None:
    async with connected(url, front, mode) as client:
        hung = asyncio.ensure_future(client.call_tool("hung__echo", {"text": "x"}))
        calls = [client.call_tool(f"{server}__echo", {"text": str(n)}) for n in range(40) for server in ("old", "new")]
        results = await asyncio.gather(*calls)
        assert [result.content[0].text for result in results] == [f"echo:{n}" for n in range(40) for _ in range(2)]
        hung.cancel()
        await asyncio.gather(hung, return_exceptions=True)
        with pytest.raises(Exception, match="old__echo"):
            await client.call_tool("old__ecko", {})


def inspect(home: Path, *arguments: str) -> Any:
    environ = {**os.environ, "HOME": str(home)}
    argv = [*program("mcp-inspector"), "--cli", *arguments, "--format", "json", "-q"]
    done = subprocess.run(argv, env=environ, capture_output=True, timeout=90, check=False)
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-2000:])
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("protocol_era", ["legacy", "modern"])
@pytest.mark.parametrize("front", ["http", "stdio"])
def test_inspector(url: str, tmp_path: Path, front: str, protocol_era: str) -> None:
    config = tmp_path / "servers.json"
    stdio = {"type": "stdio", "command": sys.executable, "args": [str(FLEET), SERVERS]}
    http = {"type": "streamable-http", "url": url}
    config.write_text(json.dumps({"mcpServers": {"gateway": http if front == "http" else stdio}}))
    target = ["--config", str(config), "--server", "gateway", "--protocol-era", protocol_era]
    if front == "http":
        target = ["--server-url", url, "--transport", "http", "--protocol-era", protocol_era]
    names = {tool["name"] for tool in found(inspect(tmp_path, *target, "--method", "tools/list"), "tools")}
    assert {"old__echo", "new__echo"} <= names
    for server in ("old", "new"):
        call = ["--method", "tools/call", "--tool-name", f"{server}__echo", "--tool-args-json", '{"text":"x"}']
        assert found(inspect(tmp_path, *target, *call), "content")[0]["text"] == "echo:x"
    prompts = found(inspect(tmp_path, *target, "--method", "prompts/list"), "prompts")
    assert {prompt["name"] for prompt in prompts} == {"old__greet", "new__greet", "hung__greet"}


def found(document: Any, key: str) -> Any:
    """The member, wherever in the Inspector's document it is."""
    if isinstance(document, dict):
        if key in document:
            return document[key]
        return next((hit for value in document.values() if (hit := found(value, key)) is not None), None)
    return None
