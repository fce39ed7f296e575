"""Clients that know no tasks, of both eras, and servers of both eras that make them: the client sees plain calls."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from vsm_mcp import config
from vsm_mcp.gateway.tasks import driven, task
from vsm_mcp.testing import tasked

MODES = ["legacy", "2026-07-28"]
SERVERS = {
    name: ["--", sys.executable, tasked.__file__, "--mode", mode]
    for name, mode in (("old", "legacy"), ("new", "modern"))
}

pytestmark = [
    pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning"),
    pytest.mark.parametrize("mode", MODES),
    pytest.mark.parametrize("server", ["old", "new"]),
]


class Person:
    """Who sits at the client: answers everything, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.progress: list[tuple[float, str | None]] = []

    async def elicit(self, _context: Any, params: Any) -> Any:
        from mcp.types import ElicitResult

        assert not params.meta or "io.modelcontextprotocol/related-task" not in params.meta
        self.asked.append(params.message)
        return ElicitResult(action="accept", content={"name": f"Ada {len(self.asked)}"})

    async def told(self, progress: float, _total: float | None, message: str | None) -> None:
        self.progress.append((progress, message))


@asynccontextmanager
async def client(url: str, mode: str, person: Person | None = None) -> AsyncIterator[Any]:
    from mcp import Client

    callbacks: dict[str, Any] = {} if person is None else {"elicitation_callback": person.elicit}
    async with asyncio.timeout(30), Client(url, mode=mode, **callbacks) as connected:
        yield connected


def text(result: Any) -> str:
    assert not result.is_error, result
    assert result.meta is None or "io.modelcontextprotocol/related-task" not in result.meta
    return str(result.content[0].text)


async def ledger(asking: Any, server: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = json.loads(text(await asking.call_tool(f"{server}__ledger", {})))
    return found


async def test_a_call(start: Any, mode: str, server: str) -> None:
    demo = await start(SERVERS)
    async with client(demo.url, mode) as asking:
        listed = {tool.name: tool for tool in (await asking.list_tools()).tools}
        assert {f"{server}__{name}" for name in tasked.TOOLS} <= listed.keys()
        assert text(await asking.call_tool(f"{server}__greet", {"name": "Ada"})) == "Hello, Ada!"
        assert text(await asking.call_tool(f"{server}__slow_compute", {"label": "x"})) == "computed x"
        failed = await asking.call_tool(f"{server}__failing_job", {})
        assert failed.is_error
        assert failed.content[0].text == "it did not work"
        assert (await ledger(asking, server))["1"][0] == ("failed" if server == "old" else "completed")
    assert demo.fleet.connections[server].calls == 0


async def test_questions(start: Any, mode: str, server: str) -> None:
    demo, person = await start(SERVERS), Person()
    async with client(demo.url, mode, person) as asking:
        answers = json.loads(text(await asking.call_tool(f"{server}__confirm_delete", {"filename": "x"})))
        assert answers["confirm"]["content"] == {"name": "Ada 1"}
        answers = json.loads(text(await asking.call_tool(f"{server}__multi_input", {})))
        assert {each["content"]["name"] for each in answers.values()} == {"Ada 2", "Ada 3"}
        answers = json.loads(text(await asking.call_tool(f"{server}__test_tool_with_task", {})))
        assert answers["content"] == {"name": "Ada 4"}
    assert sorted(person.asked) == ["Delete x?", "Sure?", "Your name?", "Your name?"]
    assert demo.fleet.connections[server].calls == 0


async def test_a_client_that_cannot_be_asked(start: Any, mode: str, server: str) -> None:
    demo = await start(SERVERS)
    async with client(demo.url, mode) as asking:
        if server == "old":
            answers = json.loads(text(await asking.call_tool("old__confirm_delete", {"filename": "x"})))
            assert answers["confirm"]["code"] == -32601
            return
        failed = await asking.call_tool("new__confirm_delete", {"filename": "x"})
        assert failed.is_error
        assert "use a client that can be asked" in failed.content[0].text
        assert (await ledger(asking, server))["1"][0] == "cancelled"


async def test_failures(start: Any, mode: str, server: str) -> None:
    demo = await start(SERVERS)
    async with client(demo.url, mode) as asking:
        if server == "old":
            failed = await asking.call_tool("old__protocol_error_job", {})
            assert failed.is_error
            assert "the machine broke" in failed.content[0].text
            assert failed.meta["vsm-mcp/failure"]["class"] == "task"
        else:
            with pytest.raises(Exception, match="the machine broke") as raised:
                await asking.call_tool("new__protocol_error_job", {})
            assert raised.value.error.code == -32603  # type: ignore[attr-defined]
        failed = await asking.call_tool(f"{server}__abandoned", {})
        assert failed.is_error
        assert "cancelled its task: nobody wants it" in failed.content[0].text
        assert failed.meta["vsm-mcp/failure"]["class"] == "task"
        assert text(await asking.call_tool(f"{server}__greet", {})) == "Hello, you!"


async def test_progress(start: Any, mode: str, server: str) -> None:
    demo, person = await start(SERVERS), Person()
    async with client(demo.url, mode) as asking:
        arguments = {"count": 2}
        result = await asking.call_tool(f"{server}__stages", arguments, progress_callback=person.told)
        assert text(result) == "staged"
    own = [(1.0, None)] if server == "old" else []  # under the token of the call, which only older versions know
    assert person.progress == [(0.001, "begun"), (0.002, "stage 0"), (0.003, "stage 1"), *own]


async def test_a_client_that_leaves(start: Any, mode: str, server: str) -> None:
    demo = await start(SERVERS)
    async with client(demo.url, mode) as asking, client(demo.url, mode) as watching:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await asking.call_tool(f"{server}__never", {})
        async with asyncio.timeout(60):
            while (await ledger(watching, server))["1"][0] != "cancelled":
                pass
    await demo.until(lambda: demo.fleet.connections[server].calls == 0)


async def test_a_server_that_dies(start: Any, mode: str, server: str) -> None:
    demo = await start(SERVERS)
    async with client(demo.url, mode) as asking:
        failed = await asking.call_tool(f"{server}__dies", {"poll": 100})
        assert failed.is_error
        assert failed.meta["vsm-mcp/failure"]["class"] == "transport"
        assert text(await asking.call_tool(f"{server}__greet", {})) == "Hello, you!"
    assert demo.fleet.started[server] == 2


async def test_a_task_that_never_ends(start: Any, mode: str, server: str) -> None:
    demo = await start(SERVERS, config.Gateway(call_limit_seconds=0.5))
    async with client(demo.url, mode) as asking:
        failed = await asking.call_tool(f"{server}__never", {})
        assert failed.is_error
        assert "did not end within 0.5 s" in failed.content[0].text
        assert failed.meta["vsm-mcp/failure"]["class"] == "timeout"
        assert (await ledger(asking, server))["1"][0] == "cancelled"


@pytest.mark.parametrize("poll", [0, -5, 86_400_000, 1e300, "soon", None, True])
async def test_any_poll_interval(
    start: Any, mode: str, server: str, poll: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "_MOST_SECONDS", 0.3)
    monkeypatch.setattr(task, "_USUAL_SECONDS", 0.3)
    demo = await start(SERVERS)
    async with client(demo.url, mode) as asking:
        arguments = {"poll": poll, "seconds": 0.4, "label": "x"}
        tool = "slow_compute" if server == "new" else "never"
        assert text(await asking.call_tool(f"{server}__{tool}", arguments)) == "computed x"
        ((status, looks),) = (await ledger(asking, server)).values()
    assert status == "completed"
    assert 1 <= looks <= 6


@pytest.mark.parametrize(("deaf", "outcome"), [(2, "computed x"), (9, "timeout")])
async def test_looks_that_are_not_answered(
    start: Any, mode: str, server: str, deaf: int, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driven, "_LOOK_SECONDS", 0.1)
    demo = await start(SERVERS)
    async with client(demo.url, mode) as asking:
        result = await asking.call_tool(f"{server}__never", {"deaf": deaf, "seconds": 0.1, "label": "x"})
        if outcome == "timeout":
            assert result.meta["vsm-mcp/failure"]["class"] == "timeout"
        else:
            assert text(result) == outcome


async def test_a_tool_that_is_found(start: Any, mode: str, server: str) -> None:
    demo = await start(SERVERS, config.Gateway(mode="search"))
    async with client(demo.url, mode) as asking:
        inner = {"name": f"{server}__never", "arguments": {"seconds": 0, "label": "x"}}
        assert text(await asking.call_tool("call_tool", inner)) == "computed x"


JUNK: list[dict[str, Any]] = [
    {"task": {"taskId": 7, "status": "working"}},
    {"task": {"taskId": "", "status": "working"}},
    {"task": {"taskId": "x" * 2000, "status": "working"}},
    {"task": {"taskId": "1", "status": "sleeping"}},
    {"task": {"taskId": "nobody", "status": "working"}},
    {"look": {"status": None}},
    {"look": {"taskId": None}},
    {"look": {"inputRequests": "?"}},
    {"look": {"status": "completed", "result": {"resultType": "task", "taskId": "1", "status": "working"}}},
    {"look": {"status": "completed", "result": 7}},
    {"look": {"status": "cancelled"}},
]


@pytest.mark.parametrize("junk", JUNK, ids=json.dumps)
async def test_junk(start: Any, mode: str, server: str, junk: dict[str, Any]) -> None:
    demo = await start(SERVERS, config.Gateway(call_timeout_seconds=1))
    async with client(demo.url, mode) as asking:
        failed = await asking.call_tool(f"{server}__never", junk)
        assert failed.is_error
        # A handshake server is asked for the result of what it says to be at its end, and this one gives none.
        lies = server == "old" and junk.get("look", {}).get("status") == "completed"
        assert failed.meta["vsm-mcp/failure"]["class"] in ({"timeout"} if lies else {"protocol", "task"})
    await demo.until(lambda: demo.fleet.connections[server].calls == 0)
