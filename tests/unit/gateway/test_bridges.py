"""Every pairing of eras: a server that asks in the middle of a call, and the Python SDK's client that answers."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest

from vsm_mcp.testing import curious

MODES = ["legacy", "2026-07-28"]
SERVERS = {
    name: ["--", sys.executable, curious.__file__, "--mode", mode]
    for name, mode in (("old", "legacy"), ("new", "modern"))
}
FORM = {"mode": "form", "message": "Your name?", "requestedSchema": {"type": "object", "properties": {}}}
SAMPLE = {"messages": [{"role": "user", "content": {"type": "text", "text": "Hi"}}], "maxTokens": 5}

pytestmark = [
    pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning"),
    pytest.mark.parametrize("mode", MODES),
    pytest.mark.parametrize("server", ["old", "new"]),
]


class Person:
    """Who sits at the client: answers everything, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.logs: list[Any] = []
        self.action: Literal["accept", "decline"] = "accept"

    async def elicit(self, _context: Any, params: Any) -> Any:
        from mcp.types import ElicitResult

        self.asked.append(params)
        form = getattr(params, "mode", "form") == "form" and self.action == "accept"
        return ElicitResult(action=self.action, content={"name": f"Ada {len(self.asked)}"} if form else None)

    async def sample(self, _context: Any, params: Any) -> Any:
        from mcp.types import CreateMessageResult, TextContent

        self.asked.append(params)
        return CreateMessageResult(role="assistant", content=TextContent(type="text", text="hello"), model="m")

    async def roots(self, _context: Any) -> Any:
        from mcp.types import ListRootsResult, Root

        self.asked.append("roots")
        return ListRootsResult(roots=[Root.model_validate({"uri": "file:///work", "name": "work"})])

    async def log(self, params: Any) -> None:
        self.logs.append((params.level, params.data))


@asynccontextmanager
async def client(url: str, mode: str, person: Person | None, **options: Any) -> AsyncIterator[Any]:
    from mcp import Client

    callbacks: dict[str, Any] = {}
    if person is not None:
        callbacks = {
            "elicitation_callback": person.elicit,
            "sampling_callback": person.sample,
            "list_roots_callback": person.roots,
            "logging_callback": person.log,
        }
    async with asyncio.timeout(30), Client(url, mode=mode, **callbacks, **options) as connected:
        yield connected


def value(result: Any) -> Any:
    assert not result.is_error, result
    return json.loads(result.content[0].text)


async def test_elicitation(start: Any, mode: str, server: str) -> None:
    demo, person = await start(SERVERS), Person()
    async with client(demo.url, mode, person) as asking:
        answers = value(await asking.call_tool(f"{server}__ask", {"params": FORM, "count": 3}))
    assert answers == [{"action": "accept", "content": {"name": f"Ada {number}"}} for number in (1, 2, 3)]
    assert [question.message for question in person.asked] == ["Your name?"] * 3


async def test_sampling_and_roots(start: Any, mode: str, server: str) -> None:
    demo, person = await start(SERVERS), Person()
    async with client(demo.url, mode, person) as asking:
        sampled = value(
            await asking.call_tool(f"{server}__ask", {"method": "sampling/createMessage", "params": SAMPLE})
        )
        assert sampled[0]["content"] == {"type": "text", "text": "hello"}
        rooted = value(await asking.call_tool(f"{server}__ask", {"method": "roots/list", "params": {}}))
        assert rooted[0]["roots"] == [{"uri": "file:///work", "name": "work"}]


async def test_a_visit_to_a_url(start: Any, mode: str, server: str) -> None:
    demo, person = await start(SERVERS), Person()
    visit = {"mode": "url", "message": "Open this", "url": "https://example.org/x", "elicitationId": "e"}
    async with client(demo.url, mode, person) as asking:
        answers = value(await asking.call_tool(f"{server}__ask", {"params": visit}))
    assert answers[0]["action"] == "accept"
    assert person.asked[0].url == "https://example.org/x"


async def test_a_client_that_cannot_be_asked(start: Any, mode: str, server: str) -> None:
    demo = await start(SERVERS)
    async with client(demo.url, mode, None) as asking:
        if server == "old":
            answers = value(await asking.call_tool("old__ask", {"params": FORM}))
            assert answers[0]["code"] == -32601
            assert "elicitation" in answers[0]["message"]
        elif mode == "legacy":
            result = await asking.call_tool("new__ask", {"params": FORM})
            assert result.is_error
            assert "this client cannot give" in result.content[0].text
        else:
            with pytest.raises(Exception, match="not supported"):  # the SDK's own words: it was asked all the same
                await asking.call_tool("new__ask", {"params": FORM})


async def test_log_messages(start: Any, mode: str, server: str) -> None:
    demo, person = await start(SERVERS), Person()
    options = {"log_level": "warning"} if mode != "legacy" else {}
    async with client(demo.url, mode, person, **options) as asking:
        if mode == "legacy":
            await asking.set_logging_level("warning")
        for level in ("info", "warning", "error"):
            await asking.call_tool(f"{server}__log", {"level": level, "count": 2})
    assert person.logs == [("warning", 0), ("warning", 1), ("error", 0), ("error", 1)]


async def test_a_resource_that_is_watched(start: Any, mode: str, server: str) -> None:
    demo, heard = await start(SERVERS), []
    uri = f"vsm-mcp://{server}/note://one"

    async def hear(message: Any) -> None:
        if getattr(message, "method", "") == "notifications/resources/updated":
            heard.append(str(message.params.uri))

    async with client(demo.url, mode, None, message_handler=hear) as listening:
        if mode == "legacy":
            await listening.subscribe_resource(uri)
            await demo.until(lambda: len(demo.gateway.view.changes) == 1)
            await touched(listening, server, heard)
            await listening.unsubscribe_resource(uri)
        else:
            async with listening.listen(resource_subscriptions=[uri]) as events:
                await demo.until(lambda: len(demo.gateway.view.changes) == 1)
                async with asyncio.TaskGroup() as group:
                    touching = group.create_task(touched(listening, server, heard))
                    async for event in events:
                        heard.append(str(event.uri))
                        break
                    await touching
        assert set(heard) == {uri}
        await demo.until(lambda: demo.fleet.watched[server] == set())


async def touched(client: Any, server: str, heard: list[str]) -> None:
    """Touch the resource until somebody has heard of it: the server may be told to watch it a moment later."""
    while not heard:
        await client.call_tool(f"{server}__touch", {"uri": "note://one"})
