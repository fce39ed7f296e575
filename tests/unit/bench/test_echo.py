"""The echo server: what it says to what it does not expect, and requests that come in pieces."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest

from vsm_mcp.bench.echo import answer
from vsm_mcp.bench.programs import ECHO_HTTP, ECHO_STDIO
from vsm_mcp.bench.stage import Stage


def said(message: bytes) -> Any:
    reply = answer(message)
    return None if reply is None else json.loads(reply)


@pytest.mark.parametrize(
    ("message", "code", "ident"),
    [
        (b"{", -32700, None),
        (b'{"id":"a","method":"tools/call","params":{"name":"echo","arguments":{"text":1}}}', -32602, "a"),
        (b'{"id":2,"method":"tools/call","params":{"name":"other","arguments":{"text":"x"}}}', -32601, 2),
        (b'{"id":3,"method":"server/discover","params":{}}', -32601, 3),
    ],
)
def test_what_it_cannot_do_is_an_error(message: bytes, code: int, ident: object) -> None:
    reply = said(message)
    assert (reply["error"]["code"], reply["id"]) == (code, ident)


def test_the_handshake_and_notifications() -> None:
    hello = b'{"id":1,"method":"initialize","params":{"protocolVersion":"%b"}}'
    assert said(hello % b"2025-03-26")["result"]["protocolVersion"] == "2025-03-26"
    assert said(hello % b"2030-01-01")["result"]["protocolVersion"] == "2025-11-25"
    assert said(b'{"method":"notifications/initialized"}') is None
    assert said(b'{"id":2,"method":"ping"}')["result"] == {}
    assert [tool["name"] for tool in said(b'{"id":3,"method":"tools/list"}')["result"]["tools"]] == ["echo"]


async def test_a_request_may_come_byte_by_byte_and_two_at_once() -> None:
    body = b'{"id":1,"method":"ping"}'
    request = b"POST /mcp HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    async with asyncio.timeout(60), Stage(os.environ) as stage:
        place = (await stage.start(ECHO_HTTP)).place
        reader, writer = await asyncio.open_connection(place.host, place.port)
        for number in range(len(request)):
            writer.write(request[number : number + 1])
            await writer.drain()
        assert b"200 OK" in await reader.readuntil(b'"result":{}}')
        writer.write(request + b"GET /mcp HTTP/1.1\r\n\r\n" + request)
        both = await reader.readuntil(b'"result":{}}') + await reader.readuntil(b'"result":{}}')
        assert both.count(b"200 OK") == 2
        assert both.count(b"405 Method Not Allowed") == 1
        writer.write(b"x" * 70_000)
        with pytest.raises(ConnectionError):
            while await reader.read(1000):
                pass
            raise ConnectionResetError  # closed instead of reset
        writer.close()


async def test_it_ends_with_its_input() -> None:
    async with asyncio.timeout(60), Stage(os.environ) as stage:
        for program in (ECHO_STDIO, ECHO_HTTP):
            started = await stage.start(program)
            if program is ECHO_HTTP:
                os.close(started.child.take_streams()[0])
            else:
                started.conversation.line.close()
            assert await started.child.exited == 0
