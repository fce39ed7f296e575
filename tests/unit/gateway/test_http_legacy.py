from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from vsm_mcp import config
from vsm_mcp.testing import curious
from vsm_mcp.wire import era


@pytest.mark.parametrize("version", era.HANDSHAKE)
async def test_every_handshake_version(demo: Any, version: str) -> None:
    result = await demo.initialize(version)
    assert result["protocolVersion"] == version
    assert result["serverInfo"]["name"] == "vsm-mcp"
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert (await demo.post(note, mcp_session_id=demo.session))[0] == 202
    header = {} if version < "2025-06-18" else {"mcp_protocol_version": version}
    assert (await demo.legacy("ping", **header)) == (200, {"jsonrpc": "2.0", "id": 1, "result": {}})
    _, body = await demo.legacy("tools/list", **header)
    assert "resultType" not in body["result"]
    for server in ("old", "new"):
        _, body = await demo.legacy("tools/call", {"name": f"{server}__add", "arguments": {"a": 2, "b": 3}}, **header)
        assert body["result"]["content"][0]["text"] == "5", body
        assert "resultType" not in body["result"]
    _, body = await demo.legacy("resources/read", {"uri": "vsm-mcp://new/note://one"}, **header)
    assert "ttlMs" not in body["result"]
    assert body["result"]["contents"][0]["text"] == "a note"


async def test_an_unknown_version_is_answered_with_the_latest(demo: Any) -> None:
    assert (await demo.initialize("2026-07-28"))["protocolVersion"] == "2025-11-25"
    assert (await demo.initialize("1999-01-01"))["protocolVersion"] == "2025-11-25"


async def test_sessions(demo: Any) -> None:
    status, body = await demo.legacy("tools/list")
    assert (status, body["error"]["code"], body["id"]) == (400, -32600, 1)
    demo.session = "made-up"
    assert (await demo.legacy("tools/list"))[0] == 404
    await demo.initialize()
    assert (await demo.legacy("tools/list"))[0] == 200
    async with demo.http.delete(demo.url, headers={"mcp-session-id": demo.session}) as answer:
        assert answer.status == 200
    assert (await demo.legacy("tools/list"))[0] == 404
    assert len(demo.gateway.sessions) == 0


async def test_batches_and_malformed_bodies(demo: Any) -> None:
    for body, code in (
        (b"[]", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
        (b"{", -32700),
        (b"", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\xff"}}', -32700),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1}', -32600),
        (b'"text"', -32600),
        (b"[" * 100_000, -32700),
    ):
        status, _, answer = await demo.post(body)
        assert (status, answer["error"]["code"]) == (400, code), body[:60]
        assert answer["id"] is None


async def test_params_that_are_no_object(demo: Any) -> None:
    await demo.initialize()
    status, body = await demo.legacy("tools/list", [1])
    assert (status, body["error"]["code"]) == (400, -32602)


async def test_logging_and_what_is_not_there(demo: Any) -> None:
    await demo.initialize()
    assert (await demo.legacy("logging/setLevel", {"level": "debug"}))[1]["result"] == {}
    assert (await demo.legacy("logging/setLevel", {"level": "loud"}))[1]["error"]["code"] == -32602
    for method in ("server/discover", "tasks/list", "nonsense"):
        status, body = await demo.legacy(method, {"uri": "x"})
        assert (status, body["error"]["code"]) == (200, -32601), method


async def test_an_unknown_resource_has_the_legacy_code(demo: Any) -> None:
    await demo.initialize()
    assert (await demo.legacy("resources/read", {"uri": "other://x"}))[1]["error"]["code"] == -32002


async def test_progress_comes_as_events(start: Any) -> None:
    demo = await start({"old": ["--progress", "3"], "new": ["--mode", "modern", "--progress", "3"]})
    await demo.initialize()
    for server in ("old", "new"):
        call = {"name": f"{server}__echo", "arguments": {"text": "x"}}
        message = {
            "jsonrpc": "2.0",
            "id": 5,
            "method": "tools/call",
            "params": {**call, "_meta": {"progressToken": "töken"}},
        }
        status, headers, body = await demo.post(message, mcp_session_id=demo.session)
        assert (status, headers["content-type"]) == (200, "text/event-stream")
        events = [line[6:] for line in body.replace("\r", "").split("\n") if line.startswith("data: ")]
        parsed = [json.loads(event) for event in events]
        assert [event.get("method") for event in parsed] == ["notifications/progress"] * 3 + [None]
        assert {event["params"]["progressToken"] for event in parsed[:3]} == {"töken"}
        assert parsed[3]["result"]["content"][0]["text"] == "echo:x"
        # without a token, and for a client that reads no events, the answer is plain JSON
        assert (await demo.legacy("tools/call", call))[1]["result"]["content"][0]["text"] == "echo:x"
        _, headers, _ = await demo.post(message, mcp_session_id=demo.session, accept="application/json")
        assert headers["content-type"] == "application/json"


async def test_get_stream_tells_of_changes_and_a_newer_one_takes_over(demo: Any) -> None:
    await demo.initialize()
    headers = {"mcp-session-id": demo.session, "accept": "text/event-stream"}
    async with demo.http.get(demo.url, headers=headers) as first:
        assert first.status == 200
        assert first.headers["content-type"] == "text/event-stream"
        assert (await first.content.readuntil(b"\n\r\n")).startswith(b": ping")
        async with demo.http.get(demo.url, headers=headers) as second:
            assert await first.content.read() == b""
            demo.gateway.remove_offer("new")
            text = b""
            while b"resources/list_changed" not in text:
                text += await second.content.readuntil(b"\r\n\r\n")
            assert b"notifications/tools/list_changed" in text
            assert b"notifications/prompts/list_changed" in text
            async with demo.http.delete(demo.url, headers=headers) as answer:
                assert answer.status == 200
            assert b"error" not in await second.content.read()
    await demo.until(lambda: len(demo.gateway.view.changes) == 0)


async def test_get_needs_a_session_and_event_streams(demo: Any) -> None:
    async with demo.http.get(demo.url, headers={"accept": "text/event-stream"}) as answer:
        assert answer.status == 400
    await demo.initialize()
    headers = {"mcp-session-id": demo.session, "accept": "application/json"}
    async with demo.http.get(demo.url, headers=headers) as answer:
        assert answer.status == 406
    async with demo.http.put(demo.url) as answer:
        assert answer.status == 405
        assert answer.headers["allow"] == "GET, POST, DELETE"


async def test_the_longest_silent_session_gives_way(start: Any) -> None:
    demo = await start({}, config.Gateway(max_sessions=2))
    sessions = []
    for _ in range(3):
        await demo.initialize()
        sessions.append(demo.session)
    assert len(demo.gateway.sessions) == 2
    demo.session = sessions[0]
    assert (await demo.legacy("ping"))[0] == 404
    demo.session = sessions[1]
    assert (await demo.legacy("ping"))[0] == 200


async def test_sessions_that_stay_open_are_not_taken(start: Any) -> None:
    demo = await start({}, config.Gateway(max_sessions=1))
    await demo.initialize()
    headers = {"mcp-session-id": demo.session, "accept": "text/event-stream"}
    async with demo.http.get(demo.url, headers=headers) as stream:
        assert stream.status == 200
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        status, fields, _ = await demo.post(message)
        assert (status, fields["retry-after"]) == (503, "1")
        assert (await demo.legacy("ping"))[0] == 200


async def test_cancelled_by_notification(demo: Any) -> None:
    await demo.initialize()
    call = asyncio.ensure_future(demo.legacy("tools/call", {"name": "old__slow", "arguments": {"seconds": 30}}))
    await demo.until(lambda: len(demo.gateway.flights) == 1)
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    other = demo.session
    await demo.initialize()
    await demo.post(note, mcp_session_id=demo.session)  # somebody else's session: nothing happens
    assert not call.done()
    await demo.post(note, mcp_session_id=other)
    _, body = await call
    assert "cancelled" in body["error"]["message"]
    connection = demo.fleet.connections["old"]
    await demo.until(lambda: connection.in_flight == 0)


# --- what servers say outside of any call ----------------------------------------------------------------------------

CURIOUS = ["--", sys.executable, curious.__file__]


async def say(demo: Any, level: str, data: str) -> None:
    """Have the server log something once it has answered."""
    params = {"method": "notifications/message", "params": {"level": level, "data": data}}
    await demo.legacy("tools/call", {"name": "one__say", "arguments": params})


@asynccontextmanager
async def listening(demo: Any) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    """Open a session with its own stream; what it gives returns the next message on it."""
    await demo.initialize()
    fields = {"accept": "text/event-stream", "mcp-session-id": demo.session}
    session = demo.gateway.sessions.find(demo.session, time.monotonic())
    async with demo.http.get(demo.url, headers=fields) as stream:
        await demo.until(lambda: session.listener is not None)

        async def next_message() -> Any:
            async with asyncio.timeout(60):
                while not (line := await stream.content.readline()).startswith(b"data: "):
                    assert line, "the stream has ended"
            return json.loads(line[6:])

        yield next_message


async def test_a_log_message_outside_of_any_call_reaches_whoever_listens(start: Any) -> None:
    demo = await start({"one": CURIOUS})
    async with listening(demo) as first:
        session = demo.session
        async with listening(demo) as other:
            await demo.legacy("logging/setLevel", {"level": "error"})
            demo.session = session
            await say(demo, "debug", "debug")
            for level in ("info", "error"):
                await say(demo, level, level)
                # Only one that was heard is certain to have been said outside of the next call.
                assert (await first())["params"]["data"] == level
            assert (await other())["params"] == {"level": "error", "data": "error"}


async def test_what_a_process_of_one_session_says_is_that_sessions(start: Any) -> None:
    demo = await start({"one": CURIOUS})
    async with listening(demo) as mine:
        demo.fleet.told["one"] = demo.session
        async with listening(demo) as other:
            await say(demo, "error", "secret")
            assert (await mine())["params"]["data"] == "secret"
            done = {"method": "notifications/elicitation/complete", "params": {"elicitationId": "e1"}}
            await demo.legacy("tools/call", {"name": "one__say", "arguments": done})
            assert await mine() == {"jsonrpc": "2.0", **done}
            demo.gateway.set_offers({})
            assert (await other())["method"] == "notifications/tools/list_changed"


async def test_who_says_too_much_is_cut_short(start: Any) -> None:
    demo = await start({"one": ["--flood-notices", "5000"]})
    async with listening(demo) as hears:
        session = demo.gateway.sessions.find(demo.session, time.monotonic())
        await demo.legacy("tools/call", {"name": "one__echo", "arguments": {"text": "x"}})
        assert (await hears())["params"]["data"] == "on and on"
        await demo.legacy("tools/call", {"name": "one__slow", "arguments": {"seconds": 0.5}})
        assert session.listener._said <= 400
