"""What every transport must do, on each of them: found at the plug-in point, against real servers with real faults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from tests.unit.wire.certificates import contexts
from tests.unit.wire.conftest import Start
from tests.unit.wire.hearing import Hearing

from vsm_mcp.errors import ProtocolError, RequestTimeout, RpcError, TransportError, VsmError
from vsm_mcp.runtime.transports import schemes, transports_to
from vsm_mcp.testing import faulty_fronts, faulty_http
from vsm_mcp.wire.connection import Connection
from vsm_mcp.wire.negotiate import connect
from vsm_mcp.wire.transport import Target, Transport

LIMIT = 1_000_000

Reach = Callable[..., AbstractAsyncContextManager[Connection]]
KINDS = ("http json", "http sse", "https json", "http+sse", "https+sse", "ws", "wss", "tcp", "stdio")
ERAS = [(kind, era) for kind in KINDS for era in ("legacy", "modern") if "+sse" not in kind or era == "legacy"]


def way_to(kind: str, target: Target) -> Transport:
    wanted = "http+sse" if kind.endswith("+sse") else ""
    ways = [way for way in transports_to(target) if not wanted or way.kind == wanted]
    return ways[0]


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return contexts(tmp_path_factory.mktemp("tls"))


def server_of(kind: str, faults: tuple[str, ...], tls: Any) -> AbstractAsyncContextManager[tuple[str, Any]]:
    secured = tls[0] if kind.startswith(("https", "wss")) else None
    if kind.startswith("http") and not kind.endswith("+sse"):
        return faulty_http.serving(*(["--sse"] if kind.endswith("sse") else []), *faults, tls=secured)
    front = "sse" if kind.endswith("+sse") else "ws" if kind.startswith("ws") else "tcp"
    return faulty_fronts.serving(front, *faults, tls=secured)


@pytest.fixture
def reach(start: Start, tls: Any) -> Callable[[str, str], Reach]:
    """Return what connects to a server of one kind and era, with the faults named."""

    def choose(kind: str, era: str) -> Reach:
        @asynccontextmanager
        async def connected(*faults: str) -> AsyncIterator[Connection]:
            faults = (f"--mode={era}", *faults)
            if kind == "stdio":
                yield await start(*faults).connect(max_line=LIMIT, known_era=era)
                return
            async with server_of(kind, faults, tls) as (url, _):
                way = way_to(kind, Target(url=url, max_message=LIMIT, context=tls[1]))
                connection = await connect(way, timeout=10, known_era=era)
                try:
                    yield connection
                finally:
                    await connection.close()

        return connected

    return choose


@pytest.fixture(params=ERAS, ids=[f"{kind}-{era}" for kind, era in ERAS])
def talk(request: pytest.FixtureRequest, reach: Callable[[str, str], Reach]) -> Reach:
    return reach(*request.param)


@pytest.fixture(params=[kind for kind in KINDS if not kind.endswith("json")])
def streaming(request: pytest.FixtureRequest, reach: Callable[[str, str], Reach]) -> Reach:
    """Where more than answers can arrive: the body of an answer in JSON is the answer, or an error."""
    return reach(request.param, "legacy")


@pytest.fixture(params=KINDS)
def legacy(request: pytest.FixtureRequest, reach: Callable[[str, str], Reach]) -> Reach:
    return reach(request.param, "legacy")


async def call(connection: Connection, name: str, *, timeout: float = 10, **arguments: object) -> str:
    raw = await connection.request("tools/call", {"name": name, "arguments": arguments}, timeout=timeout)
    return str(msgspec.json.decode(raw)["content"][0]["text"])


async def fails(doing: Awaitable[Any], within: float = 5) -> VsmError:
    began = time.monotonic()
    with pytest.raises((TransportError, ProtocolError)) as failed:
        await doing
    assert time.monotonic() - began < within
    assert not isinstance(failed.value, (RequestTimeout, RpcError))
    return failed.value


def test_each_scheme_has_its_way() -> None:
    assert schemes() == ("http", "https", "tcp", "ws", "wss")
    kinds = {scheme: [way.kind for way in transports_to(Target(url=f"{scheme}://h:1"))] for scheme in schemes()}
    assert kinds["http"] == kinds["https"] == ["streamable-http", "http+sse"]
    assert kinds["ws"] == kinds["wss"] == ["websocket"]
    assert kinds["tcp"] == ["tcp"]


async def test_echo(talk: Reach) -> None:
    async with talk() as connection:
        assert await call(connection, "echo", text="grüß\n\u2028 \U0001f600") == "echo:grüß\n\u2028 \U0001f600"
        assert len((await connection.offer(5)).items) == 11


async def test_errors(talk: Reach) -> None:
    async with talk() as connection:
        with pytest.raises(RpcError) as refused:
            await connection.request("no/such", timeout=5)
        assert refused.value.rpc_code == -32601
        assert await call(connection, "fail") == "it failed, as asked"
        assert await call(connection, "echo", text="after") == "echo:after"


async def test_progress(talk: Reach) -> None:
    async with talk("--progress=3") as connection:
        heard: list[tuple[str, Raw]] = []
        params = {"name": "echo", "arguments": {"text": "x"}}
        await connection.request("tools/call", params, timeout=5, dialogue=Hearing(lambda *said: heard.append(said)))
        assert [msgspec.json.decode(said)["progress"] for _, said in heard] == [1, 2, 3]


async def test_many_calls_at_once_get_their_own_answers(talk: Reach) -> None:
    async with talk() as connection:
        slow = [call(connection, "slow", seconds=(20 - n) / 100) for n in range(20)]
        quick = [call(connection, "echo", text="x" * (n * 50)) for n in range(200)]
        answers = await asyncio.gather(*slow, *quick)
        assert answers[:20] == [f"slept {(20 - n) / 100}" for n in range(20)]
        assert answers[20:] == ["echo:" + "x" * (n * 50) for n in range(200)]
        assert connection.in_flight == 0


async def test_a_server_that_goes_away_in_the_middle_of_a_call(talk: Reach) -> None:
    async with talk() as connection:
        await fails(call(connection, "crash"))
        assert connection.in_flight == 0


async def test_half_a_message(talk: Reach) -> None:
    async with talk("--half-line") as connection:
        await fails(call(connection, "echo", text="x" * 1000))


async def test_a_message_that_is_too_long(talk: Reach) -> None:
    async with talk() as connection:
        assert len(await call(connection, "big", bytes=LIMIT * 9 // 10)) == LIMIT * 9 // 10
        error = await fails(call(connection, "big", bytes=LIMIT * 3))
        assert f"more than {LIMIT} bytes" in error.message


async def test_a_long_question(talk: Reach) -> None:
    async with talk() as connection:
        question = "x" * (LIMIT // 2)
        assert await call(connection, "echo", text=question) == "echo:" + question


async def test_junk_is_survived(streaming: Reach) -> None:
    async with streaming("--junk") as connection:
        assert [await call(connection, "echo", text=f"{n}") for n in range(3)] == ["echo:0", "echo:1", "echo:2"]


async def test_bytes_that_are_no_utf8(legacy: Reach) -> None:
    async with legacy("--invalid-utf8") as connection:
        assert (await call(connection, "echo", text="x")).startswith("echo:")


async def test_giving_up(talk: Reach, until: Callable[..., Any]) -> None:
    async with talk() as connection:
        began = time.monotonic()
        with pytest.raises(RequestTimeout):
            await call(connection, "slow", seconds=3, timeout=0.2)
        assert time.monotonic() - began < 2
        assert await call(connection, "echo", text="x") == "echo:x"  # others are not disturbed
        assert connection.in_flight == 0


async def test_no_answer_at_all(legacy: Reach) -> None:
    async with legacy("--hang-on=resources/list") as connection:
        with pytest.raises(RequestTimeout):
            await connection.request("resources/list", timeout=0.3)
        assert await call(connection, "echo", text="x") == "echo:x"


async def test_closing_fails_who_waits(talk: Reach) -> None:
    async with talk() as connection:
        waiting = asyncio.ensure_future(call(connection, "slow", seconds=20))
        await asyncio.sleep(0)
        await connection.close()
        await fails(waiting)
        await fails(call(connection, "echo", text="late"))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "stdio"])
async def test_nobody_there(kind: str, tls: Any) -> None:
    async with server_of(kind, (), tls) as (url, _):
        pass
    for address in (url + "?key=hidden" if kind != "tcp" else url, url.replace("127.0.0.1", "no-such-host.invalid")):
        way = way_to(kind, Target(url=address, context=tls[1]))
        error = await fails(connect(way, timeout=8), within=9)
        assert "cannot be reached" in error.message
        assert "hidden" not in str(error)
        assert error.retryable


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith(("https", "wss"))])
async def test_a_certificate_that_nobody_trusts(kind: str, tls: Any) -> None:
    async with server_of(kind, (), tls) as (url, _):
        error = await fails(connect(way_to(kind, Target(url=url)), timeout=8))
        assert "its certificate is not trusted" in error.message


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"stdio", "tcp"}])
async def test_keys(kind: str, tls: Any) -> None:
    async with server_of(kind, ("--token=s3cret",), tls) as (url, _):
        given = {"headers": {"Authorization": "Bearer wr0ng"}, "context": tls[1]}
        error = await fails(connect(way_to(kind, Target(url=url, **given)), timeout=8))
        assert "authorization" in error.message
        assert "wr0ng" not in str(error)
        given["headers"] = {"Authorization": "Bearer s3cret"}
        connection = await connect(way_to(kind, Target(url=url, **given)), timeout=8, known_era="legacy")
        assert await call(connection, "echo", text="in") == "echo:in"
        await connection.close()
        given["headers"] = {"Authorization": "Bearer s3cret\r\nX: y"}
        error = await fails(connect(way_to(kind, Target(url=url, **given)), timeout=8))
        assert "s3cret" not in str(error)


@pytest.mark.parametrize("scheme", ["http", "ws", "tcp", "http+sse"])
@pytest.mark.parametrize(
    "rest", ["://[", "://", "://host:x/", "://h ost:1/", "://user:s3cret@host:1/", "://host:1/\ud800"]
)
async def test_addresses_that_cannot_be_used(scheme: str, rest: str) -> None:
    way = way_to(scheme, Target(url=scheme.partition("+")[0] + rest))
    error = await fails(connect(way, timeout=8))
    assert "URL" in error.message
    assert "s3cret" not in str(error)


def test_the_certificate_is_made_for_each_run(tmp_path: Path) -> None:
    contexts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"certificate.pem", "key.pem"}
