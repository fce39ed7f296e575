"""Programs that listen on a port inside their sandbox: real ones, over HTTP, HTTP+SSE, a WebSocket and TCP."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.world import World, call, gone, until

import vsm_mcp
from vsm_mcp.config import Config
from vsm_mcp.config import Runtime as Limits
from vsm_mcp.errors import ServerDown, TransportError
from vsm_mcp.events import ServerCrashed, ServerStarted
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server, ServerState
from vsm_mcp.runtime.process import Process
from vsm_mcp.sandbox import ports
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.tier import Isolation, Tier, properties_of

FOLDERS = [path for path in sys.path if "site-packages" in path] + [str(Path(vsm_mcp.__file__).parents[1])]
ROOTS = (sys.prefix, sys.base_prefix, *FOLDERS)
FRONTS = {
    "http": ("-m", "vsm_mcp.testing.faulty_http"),
    "sse": ("-m", "vsm_mcp.testing.faulty_fronts", "sse"),
    "ws": ("-m", "vsm_mcp.testing.faulty_fronts", "ws"),
    "tcp": ("-m", "vsm_mcp.testing.faulty_fronts", "tcp"),
}
SPOKEN = {"http": "streamable-http", "sse": "http+sse", "ws": "websocket", "tcp": "tcp"}
BARE = """
import http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Handler.asked += 1
        self.send_response(200 if self.path == "/health" and Handler.asked > 2 else 503)
        self.end_headers()
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(404)
        self.end_headers()
print("listening on", os.environ["PORT"], flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def add(world: World, name: str, *argv: str, **settings: Any) -> None:
    ref = parse_ref("pypi:faulty")
    entry = Entry(
        argv=(sys.executable, *argv), runtime="python", roots=ROOTS, env={"PYTHONPATH": os.pathsep.join(FOLDERS)}
    )
    installation = Installation(server=name, ref=ref, version="1", path="/", entry=entry)
    given = Settings(**settings)
    world.runtime.add(Server(name=name, ref=ref, version="1", installation=installation, settings=given))


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[World]:
    """A machine without a sandbox: servers share its network."""
    isolation = Isolation(tier=Tier.NONE, properties=properties_of(Tier.NONE))
    async with Sandbox(isolation) as sandbox:
        made = World(sandbox, Config(home=tmp_path, runtime=Limits(start_timeout_seconds=15, stop_grace_seconds=0.3)))
        async with made.runtime:
            yield made


@pytest.mark.parametrize("kind", FRONTS)
async def test_a_program_that_listens_is_reached_in_its_sandbox(world: World, kind: str) -> None:
    add(world, "a", *FRONTS[kind], "--port", "{port}", listens=kind)
    connection = await world.runtime.connection("a", 15)
    answers = await asyncio.gather(*(call(connection, "echo", text=str(n)) for n in range(20)))
    assert answers == [f"echo:{n}" for n in range(20)]
    status = world.runtime.status("a")
    assert status.pid
    assert status.tier == world.runtime._sandbox.isolation.tier.value
    instance = world.runtime._pools["a"].shared._instance
    assert instance is not None
    assert instance.transport == SPOKEN[kind]
    port = int(Path(f"/proc/{status.pid}/cmdline").read_bytes().split(b"--port\0")[1].split(b"\0")[0])
    assert ports.listening(port, status.pid)
    assert not ports.listening(port, os.getpid())  # nothing of it is to be seen on this machine's own network
    assert (await world.runtime.health("a")).ok
    await world.runtime.stop("a")
    assert gone(status.pid)


async def test_two_can_have_the_same_port_and_both_are_restarted(world: World) -> None:
    for name in ("a", "b"):
        add(world, name, *FRONTS["tcp"], "--port", "4711", listens="tcp://127.0.0.1:4711")
    for name in ("a", "b"):
        assert await world.ask(name, "", "echo", text=name) == f"echo:{name}"
    pid = world.runtime.status("a").pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    await until(lambda: world.runtime.status("a").pid not in {None, pid})
    assert await world.ask("a", "", "echo", text="again") == "echo:again"
    assert "SIGKILL" in world.of(ServerCrashed)[0].reason


async def test_its_port_is_told_by_a_variable_and_its_health_is_awaited(world: World) -> None:
    add(world, "a", "-c", BARE, listens="http", health="/health")
    with pytest.raises(ServerDown, match=r"no MCP handshake came about at http://127.0.0.1:\d+/mcp") as caught:
        await world.runtime.connection("a", 15)
    assert caught.value.cause.code == "protocol"
    log = world.log("a")
    assert "stdout: listening on" in log
    assert log.count('"GET /health HTTP/1.1" 503') == 2
    assert log.count('"GET /health HTTP/1.1" 200') == 1


async def test_the_way_in_and_an_allow_list_for_the_way_out_do_not_mind_each_other(world: World) -> None:
    add(world, "a", *FRONTS["http"], "--port", "{port}", listens="http", hosts=("service.example:443",))
    assert await world.ask("a", "", "echo", text="hi") == "echo:hi"
    instance = world.runtime._pools["a"].shared._instance
    assert isinstance(instance, Process)
    assert instance.contacts == ()


async def test_its_health_is_asked_beside_mcp(world: World) -> None:
    add(world, "a", *FRONTS["sse"], "--port", "{port}", listens="sse", health="/sse")
    await world.runtime.connection("a", 15)
    health = await world.runtime.health("a")
    assert (health.ok, health.detail) == (True, "answers GET /sse and ping")


async def test_a_program_that_does_not_listen_in_time_is_named(isolation: Any, tmp_path: Path) -> None:
    async with Sandbox(isolation) as sandbox:
        world = World(sandbox, Config(home=tmp_path, runtime=Limits(start_timeout_seconds=0.5)))
        async with world.runtime:
            add(world, "deaf", "-c", "import time; time.sleep(60)", listens="http")
            add(world, "ill", "-c", BARE.replace("> 2", "> 9999"), listens="http", health="/health")
            with pytest.raises(ServerDown, match="does not listen on port") as deaf:
                await world.runtime.start("deaf")
            with pytest.raises(ServerDown, match=r"is not well: .* answered GET /health with 503") as ill:
                await world.runtime.start("ill")
    assert {deaf.value.cause.code, ill.value.cause.code} == {"not_listening"}
    assert "{port}" in deaf.value.hint


async def test_a_program_that_ends_instead_says_why(world: World) -> None:
    words = "print('Listening on http://localhost:1')", "sys.exit('Error: API_KEY environment variable is required')"
    add(world, "a", "-c", "; ".join(("import sys", *words)), listens="http")
    with pytest.raises(ServerDown, match="API_KEY") as caught:
        await world.runtime.start("a")
    assert caught.value.cause.code == "missing_env"
    crash = world.runtime.status("a").crash
    assert crash is not None
    assert (crash.exit_code, crash.cause) == (1, "missing_env")


async def test_without_a_sandbox_a_server_shares_the_machines_network(bare: World) -> None:
    add(bare, "a", *FRONTS["tcp"], "--port", "{port}", listens="tcp", allow_unsandboxed=True)
    assert await bare.ask("a", "", "echo", text="hi") == "echo:hi"
    status = bare.runtime.status("a")
    assert (status.state, status.tier) == (ServerState.READY, "none")


async def test_a_taken_port_is_exchanged_and_a_stranger_never_mistaken(
    bare: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        taken = stranger.getsockname()[1]
        chosen = [taken, taken]
        free = ports.free
        monkeypatch.setattr(ports, "free", lambda: chosen.pop() if chosen else free())
        add(bare, "a", *FRONTS["tcp"], "--port", "{port}", listens="tcp", allow_unsandboxed=True)
        assert await bare.ask("a", "", "echo", text="hi") == "echo:hi"
        assert chosen == []
        assert len(bare.of(ServerStarted)) == 1
        add(bare, "b", *FRONTS["tcp"], "--port", str(taken), listens=f"tcp://127.0.0.1:{taken}", allow_unsandboxed=True)
        with pytest.raises(ServerDown) as caught:
            await bare.runtime.start("b")
        assert caught.value.cause.code == "port_in_use"
        stranger.settimeout(0)
        with pytest.raises(BlockingIOError):  # nobody ever called there
            stranger.accept()


async def test_a_conversation_ends_with_its_server(world: World) -> None:
    add(world, "a", *FRONTS["http"], "--port", "{port}", listens="http")
    connection = await world.runtime.connection("a", 15)
    slow = asyncio.ensure_future(call(connection, "slow", 30, seconds=60))
    await until(lambda: connection.calls == 1)
    await world.runtime.stop("a")
    with pytest.raises(TransportError):
        await slow
