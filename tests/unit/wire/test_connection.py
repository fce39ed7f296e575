"""Calls over one connection: by id, in time, given up, cut off, and beside a server that misbehaves."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop
from msgspec import Raw
from tests.unit.wire.conftest import Peer
from tests.unit.wire.hearing import Hearing

from vsm_mcp.errors import ProtocolError, RequestTimeout, RpcError, TransportError
from vsm_mcp.wire import era as eras
from vsm_mcp.wire.connection import CLIENT_INFO

Start = Callable[..., Any]
ERAS = pytest.mark.parametrize("era", ["legacy", "modern"])
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
    "io.modelcontextprotocol/clientCapabilities": eras.CLIENT_CAPABILITIES,
}


def call(tool: str, **arguments: object) -> dict[str, object]:
    return {"name": tool, "arguments": arguments}


def text(result: Raw) -> str:
    return str(msgspec.json.decode(result)["content"][0]["text"])


# --- a scripted process --------------------------------------------------------------------------------------------


@ERAS
async def test_hundreds_of_calls_answered_out_of_order(start: Start, era: str) -> None:
    connection = await start("--mode", era).connect()
    ended: list[int] = []

    async def one(number: int) -> None:
        seconds = ((number * 7) % 100) / 1000
        result = await connection.request("tools/call", call("slow", seconds=seconds), timeout=20)
        assert text(result) == f"slept {seconds}"
        ended.append(number)

    await asyncio.gather(*map(one, range(300)))
    assert sorted(ended) == list(range(300))
    assert ended != sorted(ended)
    assert connection.in_flight == 0


@ERAS
@pytest.mark.parametrize("fault", [[], ["--junk"], ["--twice"], ["--string-id"], ["--batch"]])
async def test_answers_reach_their_calls_in_spite_of(start: Start, era: str, fault: list[str]) -> None:
    server = start("--mode", era, *fault)
    connection = await server.connect()
    calls = (connection.request("tools/call", call("echo", text=f"{n} ü"), timeout=10) for n in range(100))
    assert [text(result) for result in await asyncio.gather(*calls)] == [f"echo:{n} ü" for n in range(100)]
    assert bool(server.junk) == (fault == ["--junk"])


async def test_invalid_utf8_in_an_answer(start: Start) -> None:
    connection = await start("--invalid-utf8").connect()
    assert (
        text(await connection.request("tools/call", call("echo", text="x"), timeout=5)) == "echo:\ufffd\ufffd\ufffd(x"
    )


@ERAS
@pytest.mark.parametrize("fault", ["--wrong-id", "--no-answer"])
async def test_no_answer_in_time(start: Start, era: str, fault: str) -> None:
    connection = await start("--mode", era, fault).connect()
    began = time.monotonic()
    with pytest.raises(RequestTimeout, match=r"tools/call within 0\.2 s"):
        await connection.request("tools/call", call("echo", text="x"), timeout=0.2)
    assert 0.15 < time.monotonic() - began < 2
    assert connection.in_flight == 0
    assert not connection.closed.done()


@pytest.mark.parametrize(
    ("fault", "reason"), [("--half-line", "half a line"), ("--die-on=tools/call", "closed its output")]
)
async def test_death_mid_call_fails_all_calls_at_once(start: Start, fault: str, reason: str) -> None:
    connection = await start(fault).connect()
    waiting = [asyncio.create_task(connection.request("ping", timeout=60)) for _ in range(3)]
    await asyncio.gather(*waiting)
    began = time.monotonic()
    calls = [
        asyncio.create_task(connection.request("tools/call", call("echo", text="x" * 99), timeout=60)) for _ in range(5)
    ]
    for failed in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(failed, TransportError)
        assert reason in failed.message
    assert time.monotonic() - began < 2
    assert reason in await asyncio.wait_for(connection.closed, 1)
    with pytest.raises(TransportError, match=reason):
        await connection.request("ping", timeout=5)
    with pytest.raises(TransportError, match=reason):
        await connection.notify("notifications/x")


async def test_who_waits_is_told_why_it_ended_by_whoever_knows(peer: Peer) -> None:
    connection = await peer.open()
    connection.patience = 30.0
    waiting = asyncio.ensure_future(connection.request("tools/call", call("echo"), timeout=60))
    await peer.line()
    peer.hang_up()
    assert "closed its output" in await asyncio.wait_for(connection.closed, 10)  # so nobody begins another call
    assert not waiting.done()
    connection.fail("the server ran out of luck")
    with pytest.raises(TransportError, match="ran out of luck"):
        await waiting


async def test_nobody_waits_for_ever_for_a_reason(peer: Peer) -> None:
    connection = await peer.open()
    connection.patience = 0.05
    waiting = asyncio.ensure_future(connection.request("tools/call", call("echo"), timeout=60))
    await peer.line()
    peer.hang_up()
    with pytest.raises(TransportError, match="closed its output"):
        await asyncio.wait_for(waiting, 30)


async def test_a_last_answer_without_its_newline(start: Start) -> None:
    connection = await start("--no-newline").connect()
    assert text(await connection.request("tools/call", call("echo", text="x"), timeout=5)) == "echo:x"


@ERAS
async def test_twenty_megabytes_both_ways(start: Start, era: str) -> None:
    connection = await start("--mode", era).connect()
    began = time.process_time()  # our own share: the machine may be busy
    result = await connection.request("tools/call", call("big", bytes=20_000_000), timeout=20)
    received = time.process_time() - began
    assert len(text(result)) == 20_000_000
    arguments = Raw(b'{"bytes":1,"more":"' + b"y" * 20_000_000 + b'"}')
    began = time.process_time()
    await connection.request("tools/call", {"name": "big", "arguments": arguments}, timeout=20)
    assert max(received, time.process_time() - began) < 1.0


def test_the_same_on_uvloop(spawn: Start) -> None:
    async def work(era: str) -> None:
        server = spawn("--mode", era)
        connection = await server.connect()
        assert connection.era == era
        calls = (connection.request("tools/call", call("echo", text=f"{n}"), timeout=10) for n in range(300))
        assert [text(result) for result in await asyncio.gather(*calls)] == [f"echo:{n}" for n in range(300)]
        result = await connection.request("tools/call", call("big", bytes=5_000_000), timeout=20)
        assert len(text(result)) == 5_000_000
        with pytest.raises(TransportError, match="closed its"):
            await connection.request("tools/call", call("crash"), timeout=20)
        await connection.close()
        left = spawn("--mode", era)
        await (await left.connect()).close()
        assert left.process.wait(5) == 0  # its stdin was closed, and it went

    for era in ("modern", "legacy"):
        uvloop.run(work(era))


async def test_errors_and_error_results(start: Start) -> None:
    connection = await start().connect()
    with pytest.raises(RpcError) as unknown:
        await connection.request("tools/call", call("nonsense"), timeout=5)
    assert unknown.value.rpc_code == -32602
    assert "Unknown tool" in unknown.value.message
    result = msgspec.json.decode(await connection.request("tools/call", call("fail"), timeout=5))
    assert result["isError"] is True


@ERAS
async def test_a_cancelled_call_is_cancelled_at_the_server(start: Start, era: str, tmp_path: Path, until: Any) -> None:
    record = tmp_path / "lines"
    connection = await start("--mode", era, "--record", str(record)).connect()
    task = asyncio.create_task(connection.request("tools/call", call("slow", seconds=60), timeout=90))
    await until(lambda: connection.in_flight == 1)
    await connection.request("tools/list", timeout=5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await connection.request("tools/list", timeout=5)
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    [asked] = [line["id"] for line in lines if (line.get("params") or {}).get("name") == "slow"]
    [cancelled] = [line for line in lines if line["method"] == "notifications/cancelled"]
    assert cancelled["params"]["requestId"] == asked
    assert "id" not in cancelled


@ERAS
async def test_progress_goes_to_its_call(start: Start, era: str) -> None:
    connection = await start("--mode", era, "--progress", "3").connect()

    async def one(number: int) -> list[float]:
        heard: list[float] = []
        params = {**call("echo", text=str(number)), "_meta": {"progressToken": "the caller's", "traceparent": "00-1"}}
        await connection.request(
            "tools/call",
            params,
            timeout=10,
            dialogue=Hearing(lambda _m, p: heard.append(msgspec.json.decode(p)["progress"])),
        )
        return heard

    assert await asyncio.gather(*map(one, range(20))) == [[1, 2, 3]] * 20


@ERAS
@pytest.mark.parametrize(
    ("method", "answer"), [("ping", {}), ("sampling/createMessage", -32601), ("roots/list", -32601)]
)
async def test_requests_of_the_server_are_answered(
    start: Start, tmp_path: Path, era: str, method: str, answer: object
) -> None:
    record = tmp_path / "lines"
    connection = await start("--mode", era, "--ask-client", method, "--record", str(record)).connect()
    assert text(await connection.request("tools/call", call("echo", text="x"), timeout=5)) == "echo:x"
    [reply] = [m for m in map(json.loads, record.read_text().splitlines()) if str(m.get("id", "")).startswith("ask-")]
    assert reply.get("result", reply.get("error", {}).get("code")) == answer


@ERAS
async def test_news_of_a_changed_list(start: Start, era: str, until: Any) -> None:
    connection = await start("--mode", era, "--change-after", "2").connect()
    before = await connection.offer(5)
    news: list[str] = []
    connection.on_change = news.append
    for _ in range(2):
        await connection.request("tools/call", call("echo", text="x"), timeout=5)
    await until(lambda: news)
    assert news == ["tools"]
    assert {item.name for item in (await connection.offer(5)).items} - {item.name for item in before.items} == {"added"}


@ERAS
async def test_a_refused_list_beside_tools_is_empty(start: Start, era: str) -> None:
    connection = await start("--mode", era, "--refuse", "resources/list", "--refuse", "prompts/list").connect()
    kinds = {item.kind.value for item in (await connection.offer(5)).items}
    assert kinds == {"tool", "template"}


@ERAS
async def test_a_refused_list_of_tools_is_an_error(start: Start, era: str) -> None:
    connection = await start("--mode", era, "--refuse", "tools/list").connect()
    with pytest.raises(RpcError, match="ECONNREFUSED"):
        await connection.offer(5)


async def test_a_listener_that_fails_breaks_nothing(start: Start) -> None:
    connection = await start("--progress", "1", "--change-after", "1").connect()
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context))

    def fail(*_: object) -> None:
        raise ValueError("a mistake")

    connection.on_change = fail
    await connection.request("tools/call", call("echo", text="x"), timeout=5, dialogue=Hearing(fail))
    assert text(await connection.request("tools/call", call("echo", text="y"), timeout=5)) == "echo:y"
    assert [str(failure["exception"]) for failure in failures] == ["a mistake"] * 2


async def test_a_server_that_stops_reading(start: Start) -> None:
    connection = await start("--no-read").connect()
    calls = [connection.request("tools/call", call("echo", text="x" * 400_000), timeout=0.5) for _ in range(10)]
    began = time.monotonic()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {RequestTimeout}
    assert time.monotonic() - began < 3


async def test_a_line_over_the_limit_ends_the_connection(start: Start) -> None:
    connection = await start().connect(max_line=100_000)
    with pytest.raises(TransportError, match="more than 100000 bytes"):
        await connection.request("tools/call", call("big", bytes=100_001), timeout=5)


async def test_a_grandchild_that_holds_the_pipes(start: Start) -> None:
    import os
    import signal

    connection = await start("--double-fork").connect()
    pids = msgspec.json.decode(await connection.request("tools/call", call("pid"), timeout=5))["structuredContent"]
    waiting = asyncio.create_task(connection.request("tools/call", call("slow", seconds=60), timeout=60))
    os.kill(pids["pid"], signal.SIGKILL)
    done, _ = await asyncio.wait({waiting}, timeout=0.1)
    assert not done
    connection.fail("the process was killed by signal 9")  # whoever waits for the process knows
    with pytest.raises(TransportError, match="signal 9"):
        await waiting
    os.kill(pids["grandchild"], signal.SIGKILL)


# --- bare pipes ----------------------------------------------------------------------------------------------------


async def test_modern_requests_carry_their_envelope(peer: Any) -> None:
    connection = await peer.open("modern")
    given: list[Any] = [
        None,
        {"name": "x"},
        {"name": "x", "_meta": {"traceparent": "00-1", "io.modelcontextprotocol/protocolVersion": "1999-01-01"}},
        {"name": "x", "_meta": Raw(b'{"traceparent" : "00-1","progressToken":5}')},
        {"name": "x", "_meta": Raw(b"[1]")},
    ]
    tasks = [asyncio.create_task(connection.request("m", params, timeout=5)) for params in given]
    sent = [(await peer.line())["params"] for _ in given]
    assert sent == [
        {"_meta": META},
        {"name": "x", "_meta": META},
        {"name": "x", "_meta": {**META, "traceparent": "00-1"}},
        {"name": "x", "_meta": {**META, "traceparent": "00-1", "progressToken": 5}},
        {"name": "x", "_meta": META},
    ]
    await connection.close()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_legacy_requests_do_not(peer: Any) -> None:
    connection = await peer.open("legacy")
    task = asyncio.create_task(connection.request("m", {"a": Raw(b"1.0"), "_meta": {"x": 1}}, timeout=5))
    assert await peer.line() == {"jsonrpc": "2.0", "id": 1, "method": "m", "params": {"a": 1.0, "_meta": {"x": 1}}}
    peer.write(b'{"jsonrpc":"2.0","id":1,"result":{"kept" : "as it came"}}\n')
    assert bytes(await task) == b'{"kept" : "as it came"}'


async def test_only_the_right_id_answers(peer: Any) -> None:
    connection = await peer.open()
    task = asyncio.create_task(connection.request("m", timeout=5))
    await peer.line()
    for ident in (
        b"2",
        b"null",
        b'"x"',
        b"1.5",
        b"-1",
        b"true",
        b"[1]",
        b"1e999",
        b'"\\ud800"',
        b'""',
        b'" 1 "',
        b'"+1"',
        b'"0_1"',
        b'"\xd9\xa1"',  # an Arabic one
        b"99999999999999999999",
    ):
        peer.write(b'{"jsonrpc":"2.0","id":%b,"result":{"wrong":true}}\n' % ident)
    peer.write(b'{"jsonrpc":"2.0","id":1.0,"result":7}\n{"jsonrpc":"2.0","id":1,"result":8}\n')
    assert bytes(await task) == b"7"
    assert connection.in_flight == 0


@pytest.mark.parametrize("answer", [b'"jsonrpc":"2.0","id":1,"result":{"x":NaN}', b'"jsonrpc":"2.0","id":1'])
async def test_an_answer_that_cannot_be_read_fails_its_call_at_once(peer: Any, answer: bytes) -> None:
    connection = await peer.open()
    tasks = [asyncio.create_task(connection.request("m", timeout=60)) for _ in range(2)]
    await peer.line()
    peer.write(b"{%b}\n" % answer + b'{"jsonrpc":"2.0","id":1,"result":1}\n{"jsonrpc":"2.0","id":2,"result":2}\n')
    with pytest.raises(ProtocolError, match="answer to m cannot be read"):
        await tasks[0]
    assert bytes(await tasks[1]) == b"2"
    assert peer.junk == [b"{%b}" % answer]


async def test_a_complaint_without_an_id_is_about_the_only_call(peer: Any) -> None:
    connection = await peer.open()
    complaint = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}\n'
    listening = asyncio.create_task(connection.request("subscriptions/listen", timeout=float("inf")))
    two = [asyncio.create_task(connection.request("m", timeout=60)) for _ in range(2)]
    for _ in range(3):
        await peer.line()
    peer.write(complaint + b'{"jsonrpc":"2.0","id":2,"result":2}\n')  # of several calls it could be any
    assert bytes(await two[0]) == b"2"
    peer.write(complaint.replace(b"-32700", b"-32601") + complaint)
    with pytest.raises(RpcError, match="Parse error"):
        await two[1]
    listening.cancel()


async def test_a_late_answer_is_dropped(peer: Any) -> None:
    connection = await peer.open()
    with pytest.raises(RequestTimeout):
        await connection.request("m", timeout=0.01)
    assert (await peer.line())["id"] == 1
    cancelled = await peer.line()
    assert (cancelled["method"], cancelled["params"]["requestId"]) == ("notifications/cancelled", 1)
    task = asyncio.create_task(connection.request("m", timeout=5))
    assert (await peer.line())["id"] == 2
    peer.write(b'{"jsonrpc":"2.0","id":1,"result":"late"}\n{"jsonrpc":"2.0","id":2,"result":"mine"}\n')
    assert bytes(await task) == b'"mine"'


async def test_deadlines_of_their_own(peer: Any) -> None:
    connection = await peer.open()
    began = time.monotonic()
    ended: dict[float, float] = {}

    async def one(seconds: float) -> None:
        with pytest.raises(RequestTimeout):
            await connection.request("m", timeout=seconds)
        ended[seconds] = time.monotonic() - began

    await asyncio.gather(*map(one, (0.3, 0.1, 0.2, 0.0)))
    for seconds, after in ended.items():
        assert seconds - 0.01 <= after < seconds + 0.5
    assert list(ended) == [0.0, 0.1, 0.2, 0.3]


async def test_handshakes_are_never_cancelled(peer: Any) -> None:
    connection = await peer.open()
    for method in ("initialize", "server/discover"):
        with pytest.raises(RequestTimeout):
            await connection.request(method, timeout=0.01)
    await connection.notify("notifications/x")
    assert [(await peer.line())["method"] for _ in range(3)] == ["initialize", "server/discover", "notifications/x"]


async def test_closing_fails_what_waits(peer: Any) -> None:
    connection = await peer.open()
    task = asyncio.create_task(connection.request("m", timeout=60))
    await peer.line()
    peer.hang_up()
    await connection.close()
    with pytest.raises(TransportError):
        await task
    await connection.close()


async def test_junk_of_every_kind_is_survived(peer: Any, until: Any) -> None:
    connection = await peer.open()
    task = asyncio.create_task(connection.request("m", timeout=5))
    await peer.line()
    junk = [
        b"hello",
        b"{",
        b'{"a":1}',
        b"[1]",
        b"[" * 100_00,
        b"\xff\xfe",
        b'{"jsonrpc":"2.0","id":9}',
        b'"x"',
        b"null",
    ]
    for line in junk:
        peer.write(line + b"\n")
    peer.write(b'{"jsonrpc":"2.0","method":"notifications/progress","params":[1]}\n')
    peer.write(b'{"jsonrpc":"2.0","method":"notifications/unknown"}\n{"jsonrpc":"2.0","id":1,"result":1}\n')
    assert bytes(await task) == b"1"
    assert peer.junk == junk


async def test_megabytes_come_in_small_pieces_without_quadratic_cost(peer: Any) -> None:
    connection = await peer.open()
    took = []
    for megabytes in (4, 16):
        task = asyncio.create_task(connection.request("m", timeout=30))
        ident = (await peer.line())["id"]
        body = b'{"jsonrpc":"2.0","id":%d,"result":"%b"}\n' % (ident, b"x" * (megabytes << 20))
        began = time.perf_counter()
        await peer.write_all(body)
        assert len(bytes(await task)) == (megabytes << 20) + 2
        took.append(time.perf_counter() - began)
    assert took[1] < max(took[0] * 10, 0.5)  # four times the size: linear is 4, quadratic 16


async def test_the_subscription_of_a_modern_connection(peer: Any, until: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsm_mcp.wire.watching._RETRY_SECONDS", (0.05, 60.0))
    connection = await peer.open("modern")
    connection.capabilities = {"tools": {"listChanged": True}, "prompts": {"listChanged": False}, "resources": {}}
    news: list[str] = []
    connection.on_change = news.append
    connection.on_change = news.append
    listen = await peer.line()
    assert listen["method"] == "subscriptions/listen"
    assert listen["params"]["notifications"] == {"toolsListChanged": True}
    peer.write(b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{}}}\n')
    await until(lambda: news == ["tools"])
    # A server may end it; then it is opened again, and what was missed counts as changed.
    peer.write(b'{"jsonrpc":"2.0","id":%d,"result":{}}\n' % listen["id"])
    again = await peer.line()
    assert again["method"] == "subscriptions/listen"
    assert news == ["tools", "tools"]
    peer.write(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}\n' % again["id"])
    await until(lambda: connection.in_flight == 0)


async def test_a_subscription_that_is_refused_is_not_asked_for_again(peer: Any, until: Any) -> None:
    connection = await peer.open("modern")
    connection.capabilities = {"tools": {"listChanged": True}}
    connection.on_change = lambda _kind: None
    ident = (await peer.line())["id"]
    peer.write(b'{"jsonrpc":"2.0","id":%d,"error":{"code":-32601,"message":"no"}}\n' % ident)
    await until(lambda: connection.in_flight == 0)
    await connection.notify("notifications/x")
    assert (await peer.line())["method"] == "notifications/x"


async def test_a_server_cannot_cancel_a_call(peer: Any) -> None:
    connection = await peer.open()
    task = asyncio.create_task(connection.request("m", timeout=5))
    ident = (await peer.line())["id"]
    peer.write(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}\n' % ident)
    peer.write(b'{"jsonrpc":"2.0","id":%d,"result":1}\n' % ident)
    assert bytes(await task) == b"1"


async def test_no_subscription_where_nothing_changes(peer: Any) -> None:
    connection = await peer.open("modern")
    connection.capabilities = {"tools": {}}
    connection.on_change = lambda _kind: None
    await connection.notify("notifications/x")
    assert (await peer.line())["method"] == "notifications/x"


async def test_an_answer_that_is_no_list(peer: Any) -> None:
    connection = await peer.open()
    for result in (b"7", b"{}", b'{"tools":{}}', b'{"tools":[],"nextCursor":7}'):
        task = asyncio.create_task(connection.list("tools/list", "tools", timeout=5))
        ident = (await peer.line())["id"]
        peer.write(b'{"jsonrpc":"2.0","id":%d,"result":%b}\n' % (ident, result))
        with pytest.raises(ProtocolError, match="tools/list"):
            await task
