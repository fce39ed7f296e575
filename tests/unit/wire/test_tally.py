"""What is counted of calls: those that were answered and how long that took, and those that were not."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tests.unit.wire.conftest import Start

from vsm_mcp.errors import HttpRefused, RequestTimeout, RpcError, TransportError
from vsm_mcp.wire.call import Call
from vsm_mcp.wire.tally import Tally

ECHO = {"name": "echo", "arguments": {"text": "x"}}


async def test_answers_of_any_kind_are_answers(start: Start) -> None:
    connection = await start().connect()
    await connection.list("tools/list", "tools")
    assert connection.tally.calls == 0
    await connection.request("tools/call", ECHO, timeout=30)
    await connection.request("tools/call", {"name": "fail"}, timeout=30)
    with pytest.raises(RpcError):
        await connection.request("tools/call", {"name": "nonsense"}, timeout=30)
    tally = connection.tally
    assert (tally.calls, tally.answered, tally.lost) == (3, 3, 0)
    assert 0 < math.exp(tally.log_seconds / 3) < 30


async def test_no_answer_in_time_and_a_connection_that_breaks_are_lost(start: Start) -> None:
    silent = await start("--no-answer").connect()
    with pytest.raises(RequestTimeout):
        await silent.request("tools/call", ECHO, timeout=0.05)
    assert (silent.tally.calls, silent.tally.answered, silent.tally.lost) == (1, 0, 1)
    dying = await start("--die-on=tools/call").connect()
    with pytest.raises(TransportError):
        await dying.request("tools/call", ECHO, timeout=30)
    assert (dying.tally.answered, dying.tally.lost, dying.tally.log_seconds) == (0, 1, 0.0)


async def test_what_a_client_gives_up_is_neither(start: Start) -> None:
    connection = await start("--no-answer").connect()
    call = connection.begin("tools/call", ECHO, timeout=30)
    call.give_up()
    assert (connection.tally.calls, connection.tally.answered, connection.tally.lost) == (1, 0, 0)


async def test_a_refusal_over_http_tells_of_who_asked(start: Start) -> None:
    connection = await start().connect()
    for trouble, lost in ((HttpRefused(401, "who are you?"), 0), (TransportError("it broke"), 1)):
        call = Call(connection, 1, "tools/call", None)
        call.tally = tally = Tally()
        call.sent(trouble)
        call.sent(TransportError("again"))
        assert (tally.answered, tally.lost) == (0, lost)


async def test_an_answer_that_took_no_time_can_be_counted() -> None:
    tally = Tally()
    tally.took(0.0)
    assert tally.answered == 1
    assert math.isfinite(tally.log_seconds)


async def test_the_time_of_an_answer_is_that_since_the_call_was_made(peer: Any) -> None:
    connection = await peer.open()
    call = connection.begin("tools/call", ECHO, timeout=60)
    call.since -= 7
    peer.write(b'{"jsonrpc":"2.0","id":%d,"result":{"content":[]}}\n' % (await peer.line())["id"])
    assert await call.answer() is not None
    assert 7 <= math.exp(connection.tally.log_seconds) < 60
