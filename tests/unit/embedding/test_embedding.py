"""Servers run by a program of one's own: the runtime alone, its presets, and plug-ins."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runtime.world import call

from vsm_mcp import config as configuration
from vsm_mcp import errors
from vsm_mcp.config import Config, External
from vsm_mcp.embedding import (
    ErrorKind,
    ExternalPlugin,
    FunctionTransport,
    Plugin,
    PluginRequest,
    Runtime,
    custom,
    listening,
    program,
    remote,
)
from vsm_mcp.embedding.plugin import delay, kind_of, may_be_tried_again
from vsm_mcp.errors import BadArgument, ConfigError, RpcError, ServerDown, TransportError
from vsm_mcp.events import Event, ServerCrashed, ServerStarted
from vsm_mcp.model.launch import RestartPolicy
from vsm_mcp.model.server import Server, ServerState
from vsm_mcp.model.trial import Cause
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tier import Tier
from vsm_mcp.testing import faulty
from vsm_mcp.wire.post import SessionGone
from vsm_mcp.wire.transport import Transport

PYTHON = (f"{sys.base_prefix}/bin/python3", "-I", "-S", faulty.__file__)
ONCE = External(timeout=10, max_retries=0)


class Greeter:
    """A server in this process: it greets, fails when it is told to, and counts its lives."""

    def __init__(self) -> None:
        self.starts = 0
        self.ended = 0
        self.refuse_starts = 0
        self.asked: list[str] = []

    async def start(self, spec: ServerSpec) -> Transport:
        self.starts += 1
        if self.starts <= self.refuse_starts:
            raise RuntimeError("not yet")
        assert spec.name == "greeter"
        return FunctionTransport(self.answer, self.end)

    async def end(self) -> None:
        self.ended += 1

    async def answer(self, message: dict[str, Any]) -> dict[str, Any] | None:
        if "id" not in message:
            return None
        if message["method"] == "server/discover":
            error = {"code": -32601, "message": "unknown"}
            return {"jsonrpc": "2.0", "id": message["id"], "error": error}
        return {"jsonrpc": "2.0", "id": message["id"], "result": await self._result(message)}

    async def _result(self, message: dict[str, Any]) -> dict[str, Any]:
        params = message.get("params", {})
        if message["method"] == "initialize":
            info = {"name": "greeter", "version": "1"}
            return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
        if message["method"] == "tools/list":
            schema = {"type": "object"}
            safe = {"name": "look", "inputSchema": schema, "annotations": {"readOnlyHint": True}}
            return {"tools": [{"name": "greet", "inputSchema": schema}, safe]}
        self.asked.append(params["name"])
        if params["arguments"].get("crash_until", 0) >= len(self.asked):
            raise RuntimeError("crashed")
        if params["arguments"].get("silent"):
            await asyncio.get_running_loop().create_future()
        if params["arguments"].get("nonsense"):
            return {"content": "no list"}
        return {"content": [{"type": "text", "text": f"hello {params['arguments'].get('who', '')}"}]}


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[Runtime]:
    async with Runtime(Config(home=tmp_path)) as made:
        yield made


async def needs_sandbox() -> None:
    isolation = await probe()
    if isolation.tier is Tier.NONE:
        pytest.skip(f"no sandbox here: {isolation.reasons}")


def no_pause(waited: list[float]) -> Callable[[float], Awaitable[None]]:
    async def pause(seconds: float) -> None:
        waited.append(seconds)

    return pause


# --- the runtime alone, and its presets ----------------------------------------------------------------------------


async def test_a_program_is_run_with_no_more_than_its_name(runtime: Runtime) -> None:
    await needs_sandbox()
    runtime.add(program("a", *PYTHON, env={"X": "1"}))
    connection = await runtime.connection("a", 20)
    assert await call(connection, "env", name="X") == "1"
    assert runtime.status("a").tier.startswith("full")


async def test_a_server_of_our_own_is_supervised_like_any_other(tmp_path: Path) -> None:
    greeter, events = Greeter(), list[Event]()
    async with Runtime(Config(home=tmp_path), emit=events.append) as runtime:
        runtime.add(custom("greeter"), greeter.start)
        connection = await runtime.connection("greeter", 5)
        assert await call(connection, "greet", who="you") == "hello you"
        assert (runtime.status("greeter").state, runtime.status("greeter").tier) == (ServerState.READY, "custom")
        with pytest.raises(TransportError, match="RuntimeError: crashed"):
            await call(connection, "greet", crash_until=2)
        assert await call(await runtime.connection("greeter", 5), "greet", who="again") == "hello again"
        await runtime.restart("greeter")
        assert (greeter.starts, greeter.ended) == (3, 2)
        crash = runtime.status("greeter").crash
        assert crash is not None
        assert "crashed" in crash.reason
        slow = asyncio.ensure_future(call(await runtime.connection("greeter", 5), "greet", silent=True))
        await asyncio.sleep(0)
    assert greeter.ended == 3
    with pytest.raises(TransportError):
        await slow
    assert [type(event) for event in events].count(ServerStarted) == 3
    assert [type(event) for event in events].count(ServerCrashed) == 1


async def test_a_start_of_our_own_that_fails_says_how(runtime: Runtime) -> None:
    greeter = Greeter()
    greeter.refuse_starts = 1
    runtime.add(custom("greeter"), greeter.start)
    with pytest.raises(ServerDown, match="RuntimeError: not yet") as caught:
        await runtime.start("greeter")
    assert caught.value.cause.code == "custom"
    await runtime.start("greeter")


def test_presets_say_what_is_wrong_by_its_name() -> None:
    bad: Callable[[], Server]
    for bad, said in (
        (lambda: program("a"), "argv: there is no program"),
        (lambda: program("a", "/no/such/program"), "argv: there is no program '/no/such/program'"),
        (lambda: program("a", "cat", color="red"), "color: there is no such setting"),
        (lambda: program("a", "cat", cwd="here"), "cwd: 'here' is not absolute"),
        (lambda: listening("a", "cat", listens="gopher"), "listens: 'gopher'"),
        (lambda: remote("a", "https://h/mcp", listens="http"), "listens: a server that runs elsewhere"),
    ):
        with pytest.raises(BadArgument) as caught:
            bad()
        assert caught.value.message.startswith(said)
    made = listening("a", "cat", listens="tcp", restart=RestartPolicy.TRANSIENT)
    assert (made.settings.listens, made.settings.restart) == ("tcp", RestartPolicy.TRANSIENT)
    assert remote("a", "https://h/mcp", secrets={"X-Key": "1"}).installation.entry.runtime == "remote"


# --- plug-ins ---------------------------------------------------------------------------------------------------------


@given(st.integers(1, 10**6))
def test_waiting_doubles_up_to_a_minute(attempt: int) -> None:
    assert delay(attempt) == min(2 ** min(attempt - 1, 6), 60)


def every_error() -> list[errors.VsmError]:
    made: list[errors.VsmError] = [
        errors.HttpRefused(403, "no"),
        SessionGone(404, "gone", b"1"),
        errors.LoginNeeded(401, "log in"),
        RpcError(-32602, "no"),
        *(
            ServerDown("down", cause=Cause(code=code, message=""))
            for code in ("login_needed", "hung", "protocol", "crashed")
        ),
    ]
    kinds = (errors.TransportError, errors.RequestTimeout, errors.ProtocolError, errors.Overloaded, errors.BadArgument)
    return [*made, *(kind("x") for kind in kinds)]


def test_every_error_is_of_one_of_four_kinds_and_refusals_are_final() -> None:
    kinds = {f"{type(e).__name__}:{getattr(getattr(e, 'cause', None), 'code', '')}": kind_of(e) for e in every_error()}
    assert kinds == {
        "HttpRefused:": ErrorKind.PROTOCOL,
        "SessionGone:": ErrorKind.SESSION,
        "LoginNeeded:": ErrorKind.SESSION,
        "RpcError:": ErrorKind.PROTOCOL,
        "ServerDown:login_needed": ErrorKind.SESSION,
        "ServerDown:hung": ErrorKind.TIMEOUT,
        "ServerDown:protocol": ErrorKind.PROTOCOL,
        "ServerDown:crashed": ErrorKind.CONNECTION,
        "TransportError:": ErrorKind.CONNECTION,
        "RequestTimeout:": ErrorKind.TIMEOUT,
        "ProtocolError:": ErrorKind.PROTOCOL,
        "Overloaded:": ErrorKind.CONNECTION,
        "BadArgument:": ErrorKind.PROTOCOL,
    }
    for error in every_error():
        again = may_be_tried_again(error, sent=True, repeatable=True)
        assert again == (kind_of(error) is not ErrorKind.PROTOCOL)
        if not isinstance(error, SessionGone):
            assert not may_be_tried_again(error, sent=True, repeatable=False)


async def test_a_plug_in_has_a_real_server_behind_it(runtime: Runtime) -> None:
    await needs_sandbox()
    plugin: Plugin = ExternalPlugin(program("a", *PYTHON), runtime=runtime, external=ONCE)
    await plugin.initialize()
    await plugin.initialize()
    response = await plugin.handle(PluginRequest(tool="add", arguments={"a": 2, "b": 3}))
    assert (response.ok, response.structured, response.attempts) == (True, {"sum": 5}, 1)
    failed = await plugin.handle(PluginRequest(tool="fail"))
    assert (failed.ok, failed.failed, failed.error) == (False, True, None)
    unknown = await plugin.handle(PluginRequest(tool="nothing"))
    assert unknown.error is not None
    assert (unknown.error.kind, unknown.attempts) == (ErrorKind.PROTOCOL, 1)
    await plugin.shutdown()
    await plugin.shutdown()
    late = await plugin.handle(PluginRequest(tool="add"))
    assert late.error is not None
    assert late.error.kind is ErrorKind.SESSION


async def test_what_may_be_done_twice_is_tried_again_and_nothing_else(runtime: Runtime) -> None:
    greeter, waited = Greeter(), list[float]()
    retrying = External(timeout=5, max_retries=3)
    plugin = ExternalPlugin(
        custom("greeter"), custom=greeter.start, runtime=runtime, external=retrying, pause=no_pause(waited)
    )
    await plugin.initialize()
    async with asyncio.timeout(60):
        while runtime.offer("greeter") is None:  # noqa: ASYNC110 -- it is listed in the background
            await asyncio.sleep(0.01)
    odd = await plugin.handle(PluginRequest(tool="look", arguments={"nonsense": True}))
    assert odd.error is not None
    assert (odd.error.kind, odd.attempts) == (ErrorKind.PROTOCOL, 1)
    greeter.asked.clear()
    once = await plugin.handle(PluginRequest(tool="greet", arguments={"crash_until": 2}))
    assert once.error is not None
    assert (once.error.kind, once.attempts, waited) == (ErrorKind.CONNECTION, 1, [])
    greeter.asked.clear()
    looked = await plugin.handle(PluginRequest(tool="look", arguments={"crash_until": 2}))
    assert (looked.ok, looked.attempts, waited) == (True, 3, [1, 2])
    greeter.asked.clear()
    said = await plugin.handle(PluginRequest(tool="greet", arguments={"crash_until": 9}, repeatable=True))
    assert said.error is not None
    assert (said.error.kind, said.attempts, waited) == (ErrorKind.CONNECTION, 4, [1, 2, 1, 2, 4])
    await plugin.shutdown()


async def test_a_server_that_was_there_before_stays(runtime: Runtime) -> None:
    greeter = Greeter()
    runtime.add(custom("greeter"), greeter.start)
    before = await runtime.connection("greeter", 5)
    plugin = ExternalPlugin(custom("greeter"), runtime=runtime, external=ONCE)
    await plugin.initialize()
    assert (await plugin.handle(PluginRequest(tool="greet"))).ok
    await plugin.shutdown()
    assert runtime.ready("greeter") is before


async def test_silence_is_a_time_out(runtime: Runtime) -> None:
    greeter = Greeter()
    brief = External(timeout=0.1, max_retries=1)
    plugin = ExternalPlugin(
        custom("greeter"), custom=greeter.start, runtime=runtime, external=brief, pause=no_pause([])
    )
    await plugin.initialize()
    silent = await plugin.handle(PluginRequest(tool="greet", arguments={"silent": True}, repeatable=True))
    assert silent.error is not None
    assert (silent.error.kind, silent.attempts) == (ErrorKind.TIMEOUT, 2)
    await plugin.shutdown()


async def test_a_server_that_comes_up_late_is_waited_for(tmp_path: Path) -> None:
    greeter, waited = Greeter(), list[float]()
    greeter.refuse_starts = 2
    config = Config(home=tmp_path)
    async with Runtime(config) as runtime:
        given = External(timeout=5, max_retries=2)
        plugin = ExternalPlugin(
            custom("greeter"), custom=greeter.start, runtime=runtime, external=given, pause=no_pause(waited)
        )
        await plugin.initialize()
        assert (waited, greeter.starts) == ([1, 2], 3)
        assert (await plugin.handle(PluginRequest(tool="greet"))).ok
    greeter.refuse_starts = 99
    async with Runtime(config) as runtime:
        plugin = ExternalPlugin(custom("greeter"), custom=greeter.start, runtime=runtime, external=ONCE)
        with pytest.raises(ServerDown, match="not yet"):
            await plugin.initialize()
        assert runtime.statuses() == ()


def test_the_environment_says_how_patient_plug_ins_are() -> None:
    assert configuration.external({}) == External(timeout=30, max_retries=3)
    given = configuration.external({"EXTERNAL_MCP_TIMEOUT": "2.5", "EXTERNAL_MCP_MAX_RETRIES": "0"})
    assert given == External(timeout=2.5, max_retries=0)
    for name, text in (
        ("EXTERNAL_MCP_TIMEOUT", "0"),
        ("EXTERNAL_MCP_TIMEOUT", "soon"),
        ("EXTERNAL_MCP_TIMEOUT", "nan"),
        ("EXTERNAL_MCP_MAX_RETRIES", "-1"),
        ("EXTERNAL_MCP_MAX_RETRIES", "1.5"),
    ):
        with pytest.raises(ConfigError, match=name):
            configuration.external({name: text})


def test_responses_can_be_sent_on_as_json() -> None:
    request = PluginRequest(tool="t", arguments={"a": 1})
    assert msgspec.json.decode(msgspec.json.encode(request), type=PluginRequest) == request
