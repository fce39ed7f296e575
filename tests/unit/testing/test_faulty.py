"""The scripted server itself: its faults are what they say, and without them it is a sound server."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vsm_mcp.testing import faulty

ARGV = [sys.executable, "-S", "-E", str(Path(faulty.__file__))]
INITIALIZE = {"id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}}


def run(*faults: str, lines: list[dict[str, Any]] | None = None, env: dict[str, str] | None = None) -> Any:
    data = b"".join(json.dumps({"jsonrpc": "2.0", **line}).encode() + b"\n" for line in lines or [])
    return subprocess.run([*ARGV, *faults], input=data, capture_output=True, timeout=20, env=env, check=False)


def answers(*faults: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(*faults, lines=lines).stdout.splitlines()]


def call(tool: str, **arguments: object) -> dict[str, Any]:
    return {"id": 2, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


@contextlib.contextmanager
def alive(*faults: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([*ARGV, *faults], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(process: subprocess.Popen[bytes], message: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def test_it_is_a_plain_file_and_a_module() -> None:
    as_module = subprocess.run(
        [sys.executable, "-m", "vsm_mcp.testing.faulty", "--help"], capture_output=True, timeout=20, check=True
    )
    assert b"--double-fork" in as_module.stdout
    hello, echo = answers(lines=[INITIALIZE, call("echo", text="é")])
    assert hello["result"]["protocolVersion"] == "2025-06-18"
    assert echo["result"]["content"] == [{"type": "text", "text": "echo:é"}]


def test_tools() -> None:
    def text(tool: str, **arguments: object) -> str:
        return str(answers(lines=[call(tool, **arguments)])[0]["result"]["content"][0]["text"])

    assert text("add", a=1, b=2) == "3"
    assert text("big", bytes=5) == "xxxxx"
    assert text("env", name="NO_SUCH_VARIABLE") == ""
    assert int(text("pid")) > 0
    assert answers("--tools=2", lines=[call("tool_0001")])[0]["result"]["isError"] is False
    assert answers(lines=[call("add", a="x", b=2)])[0]["result"]["isError"] is True
    assert answers(lines=[call("no_such")])[0]["error"]["code"] == -32602
    assert run("--exit-code=7", lines=[call("crash")]).returncode == 7


@pytest.mark.parametrize("params", [[], 7, {"cursor": "nonsense"}, {"cursor": 7}])
def test_odd_parameters_do_not_kill_it(params: object) -> None:
    first, second = answers(lines=[{"id": 1, "method": "tools/list", "params": params}, {"id": 2, "method": "ping"}])
    assert second["result"] == {}
    assert first["id"] == 1


def test_a_line_that_is_no_json() -> None:
    done = subprocess.run(
        ARGV, input=b'{"half\n{"jsonrpc":"2.0","id":1,"method":"ping"}\n', capture_output=True, check=True
    )
    assert [json.loads(line).get("error", {}).get("code") for line in done.stdout.splitlines()] == [-32700, None]


def test_ends_of_its_own() -> None:
    died = run("--die-at-start=ModuleNotFoundError: x", "--exit-code=3")
    assert (died.returncode, died.stderr, died.stdout) == (3, b"ModuleNotFoundError: x\n", b"")
    printed = run("--print-at-start=Usage: x")
    assert (printed.returncode, printed.stdout) == (0, b"Usage: x\n")
    missing = run("--require-env=API_KEY")
    assert missing.returncode == 1
    assert b"API_KEY environment variable is required" in missing.stderr
    assert run("--require-env=API_KEY", env={"API_KEY": "x"}).returncode == 0
    assert len(run("--flood-stderr=2").stderr) == 2 << 20
    assert run("--die-on=ping", "--exit-code=9", lines=[{"id": 1, "method": "ping"}]).returncode == 9


def test_changes_after_some_calls() -> None:
    lines = [call("echo", text="x"), call("echo", text="x"), {"id": 3, "method": "tools/list"}]
    found = answers("--change-after=2", "--swap-description", lines=lines)
    assert [message.get("method") for message in found] == [None, None, "notifications/tools/list_changed", None]
    tools = found[3]["result"]["tools"]
    assert tools[-1]["name"] == "added"
    assert "Ignore" in tools[0]["description"]


def test_it_does_not_go_when_told_not_to() -> None:
    with alive("--ignore-sigterm", "--ignore-eof") as process:
        ask(process, INITIALIZE)
        process.send_signal(signal.SIGTERM)
        assert ask(process, {"id": 2, "method": "ping"})["result"] == {}
        assert process.stdin is not None
        process.stdin.close()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)


def test_it_leaves_a_grandchild() -> None:
    with alive("--double-fork") as process:
        pids = ask(process, call("pid"))["result"]["structuredContent"]
        assert pids["pid"] == process.pid
        process.kill()
        process.wait()
        assert os.getsid(pids["grandchild"]) not in {os.getsid(0), process.pid}
        os.kill(pids["grandchild"], signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "protocol"), [("legacy", "2025-11-25"), ("modern", "2026-07-28")])
async def test_the_official_client_understands_it(mode: str, protocol: str) -> None:
    from mcp import Client, StdioServerParameters

    server = StdioServerParameters(command=sys.executable, args=[*ARGV[1:], "--mode", mode, "--pages", "3"])
    async with Client(server) as client:
        assert client.protocol_version == protocol
        assert len((await client.list_tools()).tools) == 3
        assert (await client.call_tool("add", {"a": 1, "b": 2})).structured_content == {"sum": 3}
