"""What a call costs between the bytes of its request and those of its answer: CPU of the gateway alone.

``python benchmarks/call_path.py`` measures the plain call beside those that are special: of a server with replicas,
with a rollout, with a tool that is left alone beside it, with its result kept. The server answers in memory, at the
end of the turn; reading the request, routing, the wire to the server, the accounts and the answer are the real ones,
sockets and pipes are not there. ``http`` is the plain call from the bytes of an HTTP request to those of its answer,
and on a real line to the server. ``--against DIR`` measures another checkout (``DIR/src``) in the same rounds, turn by
turn in processes of their own: read the ratio, the machine is never quiet.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

CALLS, AT_ONCE = 20_000, 64
BODY = (
    b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"a__echo","arguments":{"text":"'
    + b"x" * 100
    + b'"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
    b'"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"b"}}}}'
)
ANSWER = b',"result":{"content":[{"type":"text","text":"echo:' + b"x" * 100 + b'"}]}}'
TOOL = b'{"name":"echo","description":"Echo.","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}'


def answer_to(request: bytes) -> bytes:
    """Return what a server answers."""
    at = request.index(b'"id":') + 5
    return b'{"jsonrpc":"2.0","id":' + request[at : request.index(b",", at)] + ANSWER


class Answering:
    """A transport that answers each request by the end of the turn."""

    kind, only_era, closing_cancels = "memory", None, False

    async def open(self, deliver: Any, lost: Any) -> None:
        """Begin."""
        self._deliver, self._lost, self._loop = deliver, lost, asyncio.get_running_loop()

    def try_send(self, data: bytes) -> bool:
        """Answer."""
        self._loop.call_soon(self._deliver, answer_to(data), None)
        return True

    def begin(self, _data: bytes, _head: Any, _done: Any) -> None:
        """Do nothing: it was answered."""

    async def send(self, data: bytes, _head: Any) -> None:
        """Answer."""
        self.try_send(data)

    async def close(self) -> None:
        """End."""
        self._lost("closed")


HEAD = (
    b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: application/json, text/event-stream\r\n"
    b"Content-Type: application/json\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
    b"Mcp-Name: a__echo\r\nContent-Length: %d\r\n\r\n"
)


class Socket:
    """The transport of a client's connection: ``told`` gets what is written."""

    def __init__(self, told: Callable[[bytes], None]) -> None:
        self.write = told

    def get_extra_info(self, _name: str) -> None:
        """Know nothing."""

    def is_closing(self) -> bool:
        """Stay open."""
        return False

    def close(self) -> None:
        """Do nothing."""


class Pipe:
    """The way to a server: what is written is answered by the end of the turn, line by line."""

    def __init__(self, reader: Any) -> None:
        self._reader, self._loop = reader, asyncio.get_running_loop()

    def write(self, data: bytes) -> None:
        """Answer every line."""
        self._loop.call_soon(
            self._reader.data_received, b"".join(answer_to(line) + b"\n" for line in data.splitlines())
        )

    def set_write_buffer_limits(self, high: int) -> None:
        """Have none."""

    def is_closing(self) -> bool:
        """Stay open."""
        return False


class Servers:
    """Whoever is asked, it is the same connection."""

    def __init__(self, connection: Any) -> None:
        self.connection_ = connection

    def ready(self, _server: str, _session: str = "") -> Any:
        """Return it."""
        return self.connection_

    async def connection(self, _server: str, _timeout: float, _session: str = "") -> Any:
        """Return it."""
        return self.connection_

    def stateful(self, _server: str) -> bool:
        """Keep no state."""
        return False

    def load(self, _server: str) -> int:
        """Say how busy it is."""
        return self.connection_.in_flight


class Calls:
    """So many calls, some at a time, each as a front makes it."""

    def __init__(self, gateway: Any) -> None:
        from vsm_mcp.gateway.caller import Caller  # noqa: PLC0415 - of whichever checkout is measured
        from vsm_mcp.gateway.errand import Errand  # noqa: PLC0415

        calls = self

        class One(Errand):
            def _say(self, answer: Any) -> None:
                well(answer)

            def _ended(self) -> None:
                calls.running -= 1
                calls.more()

        self.errand = One
        self.gateway = gateway
        self.caller = Caller(gateway.view, modern=True)
        self.left, self.running = CALLS, 0
        self.loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = self.loop.create_future()
        self.tasks: set[asyncio.Task[None]] = set()

    def more(self) -> None:
        """Make as many as there may be at a time."""
        from vsm_mcp.gateway import messages  # noqa: PLC0415

        while self.left and self.running < AT_ONCE:
            self.left, self.running = self.left - 1, self.running + 1
            body = BODY % self.left
            asked = self.gateway.begin(messages.plain(body), self.caller)
            if asked is None:
                self.tasks.add(self.loop.create_task(self.slow(messages.plain(body))))
            else:
                self.errand(self.gateway, asked).begin(None)
        if not self.running and not self.over.done():
            self.over.set_result(None)

    async def slow(self, request: Any) -> None:
        """Make one in a task; the request is read anew, as the fronts do, because routing has changed it."""
        well(await self.gateway.answer(request, self.caller))
        self.running -= 1
        self.more()


async def served(transport: Any) -> tuple[Any, Any]:
    """Return the connection over a transport, and a gateway in front of it."""
    from vsm_mcp.gateway.gateway import Gateway  # noqa: PLC0415
    from vsm_mcp.model.definition import Definition, ItemKind, Offer  # noqa: PLC0415
    from vsm_mcp.wire.connection import Connection  # noqa: PLC0415

    connection = Connection(transport)
    await connection.open()
    connection.era, connection.protocol = "legacy", "2025-11-25"
    gateway = Gateway(Servers(connection))  # type: ignore[arg-type]
    tool = Definition(kind=ItemKind.TOOL, name="echo", raw=TOOL)
    gateway.set_offers({"a": Offer(items=(tool,))})
    return connection, gateway


async def measured(prepare: Callable[[Any], None]) -> float:
    """Return the microseconds of CPU of one call."""
    connection, gateway = await served(Answering())
    prepare(gateway)
    calls = Calls(gateway)
    began = time.process_time()
    calls.more()
    async with asyncio.timeout(120):
        await calls.over
    spent = time.process_time() - began
    await connection.close()
    return spent / CALLS * 1e6


async def over_http() -> float:
    """Return the microseconds of CPU of one call over HTTP, sockets left out."""
    from vsm_mcp.gateway.access import Access  # noqa: PLC0415
    from vsm_mcp.gateway.http import Endpoint  # noqa: PLC0415
    from vsm_mcp.gateway.http11 import Connection as Client  # noqa: PLC0415
    from vsm_mcp.gateway.opened import Open  # noqa: PLC0415
    from vsm_mcp.wire.lines import LineTransport  # noqa: PLC0415

    class Line(LineTransport):
        async def _attach(self, reader: Any, _writer: Any) -> Any:
            return Pipe(reader)

        def _hang_up(self) -> None:
            pass

        def _let_go(self) -> None:
            pass

    _, gateway = await served(Line(max_line=1 << 24))
    endpoint, opened = Endpoint(gateway, Access()), Open()
    left, loop = CALLS, asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()

    def ask(client: Client) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            body = BODY % (left + 10_000_000)
            loop.call_soon(client.data_received, HEAD % len(body) + body)
        elif left == -AT_ONCE:
            over.set_result(None)

    def answered(client: Client, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 200") or b'"text":"echo:' not in data:
            raise SystemExit(data)
        ask(client)

    for _ in range(AT_ONCE):
        client = Client(endpoint, opened)
        client.connection_made(Socket(lambda data, client=client: answered(client, data)))  # type: ignore
        ask(client)
    began = time.process_time()
    async with asyncio.timeout(120):
        await over
    return (time.process_time() - began) / CALLS * 1e6


def well(answer: Any) -> None:
    """Stop where a call was not answered."""
    if answer.code:
        raise SystemExit(answer.body)


def plain(_gateway: Any) -> None:
    """Leave everything as it is."""


def replicas(gateway: Any) -> None:
    """Have two servers answer together."""
    from vsm_mcp.routing.balance import Member  # noqa: PLC0415

    tools = frozenset({"echo"})
    gateway.router.group({"a": (Member(server="a", tools=tools), Member(server="b", tools=tools))})
    gateway.router.load = lambda _server: 3


def rollout(gateway: Any) -> None:
    """Have a newcomer take half of the callers."""
    from vsm_mcp.routing.shares import Share  # noqa: PLC0415

    gateway.router.share("a", Share(newcomer="a@2", percent=50.0, salt="s", tools=frozenset({"echo"})))


def left_alone(gateway: Any) -> None:
    """Have another tool of the server be left alone."""
    from vsm_mcp.model.ending import Ending  # noqa: PLC0415
    from vsm_mcp.routing.breakers import Failed  # noqa: PLC0415

    for now in range(9):
        failed = Failed(server="a", tool="other", ending=Ending.TIMEOUT, began=float(now), now=float(now))
        gateway.router.breakers.failed(failed)
    if "a" not in gateway.router.special:
        raise SystemExit("no breaker opened")


def kept(gateway: Any) -> None:
    """Have results kept: all calls but the first are answered by one."""
    from vsm_mcp.model.routing_settings import RoutingSettings  # noqa: PLC0415

    gateway.traffic.configure(RoutingSettings(cache_seconds=60.0, cache_tools=("*",)))


PREPARED = {"plain": plain, "replicas": replicas, "rollout": rollout, "left-alone": left_alone, "kept": kept}
CASES = {"http": over_http, **{name: partial(measured, prepare) for name, prepare in PREPARED.items()}}


def one(case: str, src: Path) -> float:
    """Measure one case in a process of its own, with the packages of this one and the product of ``src``."""
    argv = [sys.executable, __file__, "--only", case]
    environment = {**os.environ, "PYTHONPATH": str(src)}
    return float(json.loads(subprocess.run(argv, env=environment, check=True, capture_output=True).stdout))


def main() -> None:
    """Measure, and print the medians with their ratios to the same case of the other checkout, or to the plain call."""
    parser = argparse.ArgumentParser(description="CPU of a call between request and answer")
    parser.add_argument("--against", type=Path, help="another checkout, measured beside ours: plain, and over HTTP")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=CASES, help="measure one case once, and print it as JSON")
    given = parser.parse_args()
    if given.only:
        import uvloop  # noqa: PLC0415

        print(json.dumps(uvloop.run(CASES[given.only]())))
        return
    ours = Path(__file__).parent.parent / "src"
    sides = [*(("ours", ours, case) for case in CASES)]
    if given.against:
        sides[:0] = [("other", given.against / "src", case) for case in ("plain", "http")]
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(given.rounds):
        for name, src, case in sides:
            found.setdefault((name, case), []).append(one(case, src))
    middle = {key: statistics.median(spent) for key, spent in found.items()}
    plainly = middle["other" if given.against else "ours", "plain"]
    for (name, case), spent in found.items():
        ratio = middle[name, case] / middle.get(("other", case), plainly)
        print(f"{name:<8}{case:<12}{middle[name, case]:8.2f} µs  {min(spent):8.2f} least  {ratio:6.2f} ×")


if __name__ == "__main__":
    main()
