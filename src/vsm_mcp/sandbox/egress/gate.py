"""The way out of one sandbox: its name server, its listeners, and what is seen of all that goes nowhere."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Coroutine
from typing import Any, Final

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.model.contact import Contact
from vsm_mcp.sandbox.egress import dns, packets
from vsm_mcp.sandbox.egress.addresses import plain
from vsm_mcp.sandbox.egress.contacts import Note
from vsm_mcp.sandbox.egress.entrance import Entrance, Sockets
from vsm_mcp.sandbox.egress.names import RANGE, Names
from vsm_mcp.sandbox.egress.namespace import DNS_PORT
from vsm_mcp.sandbox.egress.pace import Meter, Pace
from vsm_mcp.sandbox.egress.relay import NOT_LISTED, WRONG_PORT, Destination, Way, relay, reset
from vsm_mcp.sandbox.egress.rules import Address, written

MOST_CONNECTIONS: Final = 128
_HINT: Final = "`vsm-mcp doctor` tries it; without --allow-host the server has no network"
_DATAGRAM: Final = 4096
_DNS_SECONDS: Final = 10.0


class Slots:
    """How many connections all sandboxes of a daemon may have between them: each costs it two descriptors."""

    def __init__(self, free: int) -> None:
        self.free = free


class Gate:
    """What serves one sandbox, from :meth:`prepare` to :meth:`close`. At most 128 connections at a time."""

    def __init__(self, way: Way, note: Note, slots: Slots) -> None:
        self._way = way
        self._note = note
        self._slots = slots
        self._names = Names()
        self._ports = tuple(sorted({DNS_PORT, *way.allowed.ports}))
        self._entrance: Entrance | None = None
        self._pace = Pace()
        self._meter = Meter()
        self._relays: set[asyncio.Task[None]] = set()

    def prepare(self, token: str) -> None:
        """Start what will enter the namespace, on the event loop's thread. Raises :class:`OSError`."""
        self._entrance = Entrance(self._ports, token)

    async def open(self, namespace: int) -> None:
        """Serve a network namespace, given as a descriptor, in which nothing has begun its work yet.

        Raises :class:`SandboxUnavailable`: nothing leads out then. Without a rule nothing has to; then nothing is seen.
        """
        assert self._entrance is not None  # noqa: S101 - prepare has made it
        try:
            sockets = await self._entrance.sockets(namespace)
        except OSError as error:
            if not self._way.allowed:
                return
            why = error.strerror or str(error) or "no answer in time"
            raise SandboxUnavailable(f"the network allow-list cannot be had here: {why}", _HINT) from error
        self._serve(sockets)

    async def close(self) -> None:
        """End all connections and give everything back. Idempotent."""
        sources = self._pace.stop()
        for task in self._relays:
            task.cancel()
        if self._relays:
            await asyncio.wait(self._relays)
        if sources:
            await asyncio.to_thread(_close, sources)
        if self._entrance is not None:
            await self._entrance.close()
            self._entrance = None

    def _serve(self, sockets: Sockets) -> None:
        self._pace.serve(sockets.names, self._asked)
        if sockets.watch is not None:
            self._pace.serve(sockets.watch, self._seen)
        for listener in sockets.listeners:
            self._pace.serve(listener, self._accept)

    # --- names ---------------------------------------------------------------------------------------------------

    def _asked(self, source: socket.socket) -> None:
        message, sender = source.recvfrom(_DATAGRAM)
        answer = self._answer(message)
        if answer:
            with contextlib.suppress(OSError):  # whoever does not take it asks again
                source.sendto(answer, sender)

    def _answer(self, message: bytes) -> bytes:
        query = dns.read(message)
        if query is None:
            return b""
        if query.wrong is not None:
            return dns.write(query, query.wrong)
        if not self._way.allowed.knows(query.name):
            self._note(Contact(host=query.name, port=0, allowed=False, reason=NOT_LISTED, grant=query.name))
            return dns.write(query, dns.Answer.UNKNOWN)
        address = self._names.address(query.name)
        return dns.write(query, dns.Answer.FOUND if address else dns.Answer.FULL, address)

    async def _names_by_tcp(self, client: socket.socket) -> None:
        """Answer questions on a connection (RFC 7766)."""
        with client, contextlib.suppress(OSError):
            async with asyncio.timeout(_DNS_SECONDS):
                while head := await _exactly(client, 2):
                    answer = self._answer(await _exactly(client, int.from_bytes(head)))
                    await asyncio.get_running_loop().sock_sendall(client, len(answer).to_bytes(2) + answer)

    # --- connections ---------------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        client.setblocking(False)
        host, port = client.getsockname()[:2]
        to = self._destination(plain(ipaddress.ip_address(host)), port)
        if port == DNS_PORT and to.address is not None and to.address.is_loopback:
            self._run(self._names_by_tcp(client))
        elif len(self._relays) >= MOST_CONNECTIONS or self._slots.free <= 0:
            self._note(to.contact(allowed=False, reason="too many connections at a time"))
            reset(client)
            client.close()
        else:
            self._run(relay(client, to, self._way, self._meter, self._note))

    def _destination(self, address: Address, port: int) -> Destination:
        name = self._names.name(address) if address in RANGE else ""
        return Destination(host=name, port=port) if name else Destination(host=str(address), port=port, address=address)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._relays.add(task)
        self._slots.free -= 1
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._relays.discard(task)
        self._slots.free += 1

    # --- what goes nowhere ---------------------------------------------------------------------------------------

    def _seen(self, source: socket.socket) -> None:
        packet = packets.read(source.recv(_DATAGRAM))
        if packet is None or packet.address.is_loopback or (packet.port in self._ports and not packet.udp):
            return  # its own business, or what a listener hears of
        to = self._destination(packet.address, packet.port)
        if packet.udp:
            self._note(to.contact(allowed=False, reason="UDP is not passed on"))
        else:
            reason = NOT_LISTED if to.address else WRONG_PORT
            self._note(to.contact(allowed=False, reason=reason, grant=written(to.host, to.port)))


def _close(sources: list[socket.socket]) -> None:
    """Close sockets: that which sees packets takes its time, for the kernel waits until nobody uses it."""
    for each in sources:
        each.close()


async def _exactly(client: socket.socket, count: int) -> bytes:
    """Return so many bytes, or nothing at the end."""
    held = b""
    while len(held) < count:
        more = await asyncio.get_running_loop().sock_recv(client, count - len(held))
        if not more:
            return b""
        held += more
    return held
