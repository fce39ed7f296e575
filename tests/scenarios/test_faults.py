"""What servers and clients may do to a running gateway: real processes in their sandboxes, real sockets."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from tests.scenarios.homes import Home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

VERSION = "2026-07-28"
MEBIBYTE = 1024 * 1024
FAULTS = {
    "good": (),
    "unlisted": ("--hang-on", "tools/list"),
    "hung": ("--hang-on", "tools/call"),
    "halved": ("--half-line",),
    "doubled": ("--twice",),
    "strange": ("--wrong-id",),
    "garbled": ("--invalid-utf8",),
    "noisy": ("--flood-notices", "200000"),
    "large": ("--junk",),
}
CALL_SECONDS = 4


class Gateway:
    """A daemon in front of servers that were good when they were tried, and are not any more."""

    def __init__(self, home: Home, address: str) -> None:
        self.home = home
        self.host, self.port = urlsplit(address).hostname, urlsplit(address).port
        self.process = psutil.Process(home.daemons[0].pid)

    def request(self, tool: str, arguments: dict[str, Any], **fields: str) -> bytes:
        """Return a modern call as it goes over the wire."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"name": tool, "arguments": arguments, "_meta": meta}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
        head = {
            "Host": f"{self.host}:{self.port}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "MCP-Protocol-Version": VERSION,
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
            "Content-Length": str(len(body)),
            **fields,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        return f"POST /mcp HTTP/1.1\r\n{lines}\r\n".encode() + body

    async def raw(self, data: bytes, seconds: float = 30) -> tuple[int, dict[str, str], bytes]:
        """Send bytes over a connection of their own; return status, fields and body."""
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=64 * MEBIBYTE)
        try:
            writer.write(data)
            async with asyncio.timeout(seconds):
                return await answer(reader)
        finally:
            await closed(writer)

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return the result of a call."""
        status, _, body = await self.raw(self.request(tool, arguments))
        assert status == 200, body
        result: dict[str, Any] = json.loads(body)["result"]
        return result

    async def works(self) -> None:
        """Assert that a good server answers a call as it should."""
        assert text(await self.call("good__echo", text="4711")) == "echo:4711"


async def closed(*writers: asyncio.StreamWriter) -> None:
    """Close connections, and wait until they are."""
    for writer in writers:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lines = head.split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
    return int(lines[0].split()[1]), fields, await reader.readexactly(int(fields.get("content-length", "0")))


def text(result: dict[str, Any]) -> str:
    return str(result["content"][0]["text"])


def failure(result: dict[str, Any]) -> dict[str, Any]:
    assert result["isError"] is True
    found: dict[str, Any] = result["_meta"]["vsm-mcp/failure"]
    return found


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("faults")
    turned = folder / "turned" / "bad"
    turned.parent.mkdir()
    environ = {"VSM_MCP_GATEWAY_CALL_TIMEOUT_SECONDS": str(CALL_SECONDS), "VSM_MCP_GATEWAY_MODE": "all"}
    home = Home(folder / "home", environ)
    for name, flags in FAULTS.items():
        words = ("--only-if", str(turned), *flags)
        added = home.add_faulty(name, *words, options=("--allow-path", str(turned.parent)))
        assert added.document["outcome"] == "served", added
    turned.touch()
    try:
        yield Gateway(home, home.serve())
    finally:
        home.close()
    assert home.processes() == []


async def latencies(gateway: Gateway, count: int = 200) -> list[float]:
    """Return how long calls to a good server take, one after another on one connection, in order of length."""
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    found = []
    try:
        for number in range(count):
            began = time.perf_counter()
            writer.write(gateway.request("good__echo", {"text": str(number)}))
            status, _, body = await answer(reader)
            found.append(time.perf_counter() - began)
            assert status == 200
            assert text(json.loads(body)["result"]) == f"echo:{number}"
    finally:
        await closed(writer)
    return sorted(found)


# --- servers ---------------------------------------------------------------------------------------------------------


async def test_a_server_that_hangs_in_its_list_is_listed_and_costs_the_others_nothing(gateway: Gateway) -> None:
    """Its tools are known from its trial; how much slower the others get (not at all) is measured elsewhere."""
    await latencies(gateway, 50)
    alone = await latencies(gateway)
    waiting = [asyncio.create_task(gateway.call("unlisted__echo", text=str(number))) for number in range(20)]
    beside = await latencies(gateway)
    assert beside[197] < max(20 * alone[197], 0.25)  # a machine's noise, not a server's 60 s
    assert [text(await task) for task in waiting] == [f"echo:{number}" for number in range(20)]
    assert "unlisted__echo" in {tool["name"] for tool in gateway.home.run("tools").document["tools"]}


async def test_a_server_that_never_answers_times_out_alone(gateway: Gateway) -> None:
    began = time.monotonic()
    hung = [asyncio.create_task(gateway.call("hung__echo", text="x")) for _ in range(50)]
    await latencies(gateway)
    told = [failure(await task) for task in hung]
    assert time.monotonic() - began < CALL_SECONDS + 5
    assert {(each["server"], each["class"], each["retryable"]) for each in told} == {("hung", "timeout", True)}


async def test_a_server_that_dies_in_the_middle_of_an_answer_is_named_and_comes_back(gateway: Gateway) -> None:
    for _ in range(2):
        told = failure(await gateway.call("halved__echo", text="x"))
        assert (told["server"], told["class"]) == ("halved", "transport")
        await gateway.works()


async def test_an_answer_too_many_is_dropped(gateway: Gateway) -> None:
    for number in range(20):
        assert text(await gateway.call("doubled__echo", text=str(number))) == f"echo:{number}"


async def test_an_answer_to_nobody_is_nobodys(gateway: Gateway) -> None:
    told = failure(await gateway.call("strange__echo", text="x"))
    assert (told["server"], told["class"]) == ("strange", "timeout")


async def test_bytes_that_are_no_utf8_do_not_reach_a_client(gateway: Gateway) -> None:
    said = text(await gateway.call("garbled__echo", text="x"))
    assert said.startswith("echo:")
    assert "�" in said


async def test_a_flood_of_log_messages_costs_no_answer_and_no_memory(gateway: Gateway) -> None:
    before = gateway.process.memory_info().rss
    assert text(await gateway.call("noisy__echo", text="x")) == "echo:x"
    for number in range(40):
        assert text(await gateway.call("noisy__echo", text=str(number))) == f"echo:{number}"
        await gateway.works()
    assert gateway.process.memory_info().rss - before < 64 * MEBIBYTE


async def test_a_line_of_fifty_megabytes_ends_its_server_and_nothing_else(gateway: Gateway) -> None:
    told = failure(await gateway.call("large__big", bytes=50_000_000))
    assert (told["server"], told["class"]) == ("large", "transport")
    assert "33554432" in told["message"]
    await gateway.works()
    assert text(await gateway.call("large__echo", text="again")) == "echo:again"


# --- clients ---------------------------------------------------------------------------------------------------------


async def test_a_client_that_leaves_gives_its_calls_up(gateway: Gateway) -> None:
    for _ in range(20):
        _, writer = await asyncio.open_connection(gateway.host, gateway.port)
        writer.write(gateway.request("good__slow", {"seconds": 60}))
        await writer.drain()
        await closed(writer)
    await latencies(gateway, 20)
    row = next(row for row in gateway.home.run("status").document["servers"] if row["name"] == "good")
    assert row["restarts"] == 0


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', "application/json", 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}', "text/plain", 415, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":', "application/json", 400, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', "application/json", 400, -32700),
    ],
)
async def test_what_is_no_request_is_refused(gateway: Gateway, body: bytes, kind: str, status: int, code: int) -> None:
    head = f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    found, _, said = await gateway.raw(head.encode() + body)
    assert (found, json.loads(said)["error"]["code"]) == (status, code)
    await gateway.works()


async def test_ten_thousand_requests_at_once_are_bounded(gateway: Gateway) -> None:
    """Of so many calls of a server that never answers, 4,096 are open at a time, and memory stays bounded.

    With breakers, which would refuse most of them after the first few, nobody would ever get so far.
    """
    (gateway.home.path / "vsm-mcp.toml").write_text("[routing]\nbreakers = false\n")
    gateway.home.run("reload")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(10_000, hard - 1_000)
    before = gateway.process.memory_info().rss
    message = gateway.request("hung__echo", {"text": "x"})
    try:
        asking = [asyncio.create_task(gateway.raw(message, 60)) for _ in range(count)]
        answers = await asyncio.gather(*asking)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    refused = [fields for status, fields, _ in answers if status == 503]
    late = [json.loads(body)["result"] for status, _, body in answers if status == 200]
    assert refused
    assert len(refused) + len(late) == count
    assert all(int(fields["retry-after"]) >= 1 for fields in refused)
    assert {failure(result)["class"] for result in late} == {"timeout"}
    assert gateway.process.memory_info().rss - before < 200 * MEBIBYTE
    (gateway.home.path / "vsm-mcp.toml").unlink()
    gateway.home.run("reload")
    await gateway.works()


async def test_a_thousand_clients_that_never_end_their_request_keep_nobody_waiting(gateway: Gateway) -> None:
    slow = []
    try:
        for _ in range(1000):
            _, writer = await asyncio.open_connection(gateway.host, gateway.port)
            writer.write(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            slow.append(writer)
        assert (await latencies(gateway))[197] < 0.5
    finally:
        await closed(*slow)


def test_nothing_of_it_ended_the_gateway(gateway: Gateway) -> None:
    assert gateway.home.run("status").document["daemon"] is True
    assert "Traceback" not in gateway.home.said
