"""One connection on its way out, without a sandbox around it: sockets on loopback, and a resolver that lies."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator

import msgspec
import pytest

from vsm_mcp.model.contact import Contact
from vsm_mcp.sandbox.egress import relay as relaying
from vsm_mcp.sandbox.egress.pace import Meter
from vsm_mcp.sandbox.egress.relay import Destination, Way, relay
from vsm_mcp.sandbox.egress.resolve import Resolve
from vsm_mcp.sandbox.egress.rules import Address, AllowList, allow_list, parse

LOOPBACK = ipaddress.ip_address("127.0.0.1")


class Call:
    """A program's end of a connection that is being relayed; ``noted`` is what the record gets."""

    def __init__(self, port: int, *found: Address | OSError, own: bool = False) -> None:
        self.noted: list[Contact] = []
        self.program, client = socket.socketpair()
        self.program.setblocking(False)
        client.setblocking(False)
        allowed = allow_list([f"a.test:{port}", *([] if own else [f"127.0.0.1:{port}"])])
        self._found = found
        way = Way(allowed, self._resolve, lambda address: own)
        self.over = asyncio.ensure_future(
            relay(client, Destination(host="a.test", port=port), way, Meter(), self.noted.append)
        )

    async def _resolve(self, _name: str) -> list[Address]:
        for each in self._found:
            if isinstance(each, OSError):
                raise each
        return [each for each in self._found if not isinstance(each, OSError)]

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.program, data)

    async def receive(self) -> bytes:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.program, 1000), 60)

    async def end(self) -> list[str]:
        await asyncio.wait_for(self.over, 60)
        self.program.close()
        return [each.reason for each in self.noted]


@pytest.fixture
async def upstream() -> AsyncIterator[tuple[socket.socket, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server, server.getsockname()[1]


async def accepted(server: socket.socket) -> socket.socket:
    peer, _ = await asyncio.wait_for(asyncio.get_running_loop().sock_accept(server), 60)
    return peer


async def test_a_hello_that_does_not_end_is_given_up(
    upstream: tuple[socket.socket, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "_HELLO_SECONDS", 0.05)
    server, port = upstream
    call = Call(port, LOOPBACK)
    await call.send(b"\x16\x03\x01\x02\x00\x01")
    with await accepted(server) as peer:
        assert await call.end() == ["", "the hello of TLS does not end"]
        assert await asyncio.get_running_loop().run_in_executor(None, _ended, peer)  # and nothing of it got there


def _ended(peer: socket.socket) -> bool:
    peer.setblocking(True)
    peer.settimeout(60)
    try:
        return peer.recv(10) == b""
    except ConnectionResetError:
        return True


async def test_who_says_nothing_at_all_may_listen(upstream: tuple[socket.socket, int]) -> None:
    server, port = upstream
    call = Call(port, LOOPBACK)
    with await accepted(server) as peer:
        peer.sendall(b"greeting")
        assert await call.receive() == b"greeting"
        await call.send(b"\x16")  # might become a hello
        call.program.shutdown(socket.SHUT_WR)  # does not
        peer.setblocking(False)
        assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 10), 60) == b"\x16"
        assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 10), 60) == b""
        peer.sendall(b"bye")
    assert await call.receive() == b"bye"
    assert await call.receive() == b""
    assert await call.end() == [""]


async def test_the_next_address_is_tried(upstream: tuple[socket.socket, int]) -> None:
    server, port = upstream
    other: Address = ipaddress.ip_address("127.0.0.3")  # nobody listens there
    way = Way(allow_list([f"a.test:{port}", f"127.0.0.0/8:{port}"]), _resolving(other, LOOPBACK), lambda _: False)
    ours, client = socket.socketpair()
    client.setblocking(False)
    noted: list[Contact] = []
    with ours:
        passing = asyncio.ensure_future(
            relay(client, Destination(host="a.test", port=port), way, Meter(), noted.append)
        )
        (await accepted(server)).close()
        ours.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(passing, 60)
    assert [(each.allowed, each.reason) for each in noted] == [(True, "")]


async def test_a_side_that_is_gone_is_not_waited_for_without_end(
    upstream: tuple[socket.socket, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "_LINGER_SECONDS", 0.6)
    server, port = upstream
    call = Call(port, LOOPBACK)
    with await accepted(server) as peer:
        call.program.shutdown(socket.SHUT_WR)  # looks like close
        for _ in range(3):  # as long as the other side has something to say, it lasts
            await asyncio.sleep(0.25)
            peer.sendall(b"more")
            assert await call.receive() == b"more"
        assert await call.end() == [""]
        assert await asyncio.to_thread(_ended, peer)


def _resolving(*found: Address) -> Resolve:
    async def resolve(_name: str, /) -> list[Address]:
        return list(found)

    return resolve


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([socket.gaierror(-2, "Name or service not known")], "could not be reached: its name is not known"),
        ([TimeoutError()], "could not be reached: no answer in time"),
        ([], "could not be reached: it has no address"),
        ([LOOPBACK], "could not be reached: Connection refused"),
    ],
)
async def test_what_cannot_be_reached_is_said(found: list[Address | OSError], reason: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        call = Call(taken.getsockname()[1], *found)
        assert await call.end() == [reason]
        assert [each.allowed for each in call.noted] == [True]


async def test_an_address_of_this_machine_is_not_reached_through_a_name() -> None:
    call = Call(80, ipaddress.ip_address("93.184.216.34"), own=True)
    assert await call.end() == ["it leads to 93.184.216.34, an address of this machine"]
    assert call.noted[0].grant == "93.184.216.34:80"


async def test_of_several_addresses_only_the_public_ones_are_tried() -> None:
    way = Way(allow_list(["a.test"]), _resolving(LOOPBACK, ipaddress.ip_address("192.0.2.1")), lambda _: False)
    assert await way.targets(Destination(host="a.test", port=443)) == [ipaddress.ip_address("192.0.2.1")]


async def test_a_name_of_the_machines_own_settings_leads_anywhere() -> None:
    rule = msgspec.structs.replace(parse("registry.test:443"), anywhere=True)
    way = Way(AllowList((rule, parse("registry.test:80"))), _resolving(LOOPBACK), lambda _: True)
    assert await way.targets(Destination(host="registry.test", port=443)) == [LOOPBACK]
    with pytest.raises(relaying.Refused, match=r"it leads to 127\.0\.0\.1"):
        await way.targets(Destination(host="registry.test", port=80))


async def test_cancelling_closes_both_ends(upstream: tuple[socket.socket, int]) -> None:
    server, port = upstream
    call = Call(port, LOOPBACK)
    with await accepted(server) as peer:
        call.over.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call.over
        assert await call.receive() == b""
        assert await asyncio.to_thread(_ended, peer)
    call.program.close()
