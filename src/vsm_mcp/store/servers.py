"""Desired state: the servers of the catalogue, what they last offered, and the pins of their definitions."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping

import msgspec

from vsm_mcp.errors import UnknownServer
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.server import Server
from vsm_mcp.store.database import Database
from vsm_mcp.store.previous import keep


class Servers:
    """The catalogue. Bodies are written without secrets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(
        self,
        server: Server,
        offer: Offer | None = None,
        pins: Mapping[str, str] | None = None,
        *,
        succeeds: bool = False,
    ) -> None:
        """Write a server, and with it its offer and its pins where given, in one transaction.

        An offer that comes with its pins is what was approved. ``succeeds`` keeps the server as it is up to now, if
        it is there, as the previous one.
        """
        bare = msgspec.structs.replace(server, settings=msgspec.structs.replace(server.settings, secrets={}))
        body = msgspec.json.encode(bare)

        def work(connection: sqlite3.Connection) -> None:
            if succeeds:
                keep(connection, server.name)
            connection.execute(
                "INSERT INTO server(name, body, added) VALUES (?,?,?) "
                "ON CONFLICT(name) DO UPDATE SET body = excluded.body",
                (server.name, body, server.added),
            )
            if offer is not None:
                _put_offer(connection, server.name, offer)
            if pins is not None:
                put_pins(connection, server.name, pins)
            if pins is not None and offer is not None:
                put_approved(connection, server.name, msgspec.json.encode(offer))

        await self._database.run(work)

    async def approve(self, name: str, approved: Offer, pins: Mapping[str, str]) -> None:
        """Write what is approved of a server from now on, and its pins; one that is gone is left alone.

        What is approved is denied no more.
        """
        body = msgspec.json.encode(approved)

        def work(connection: sqlite3.Connection) -> None:
            server = _read(connection, name)
            if server is None:
                return
            put_pins(connection, name, pins)
            put_approved(connection, name, body)
            denied = {key: value for key, value in server.denied.items() if pins.get(key) != value}
            _rewrite(connection, msgspec.structs.replace(server, denied=denied))

        await self._database.run(work)

    async def deny(self, name: str, denied: Mapping[str, str]) -> None:
        """Remember what of a server a person said no to (see :class:`Server`), beside what there is of that."""

        def work(connection: sqlite3.Connection) -> None:
            server = _read(connection, name)
            if server is not None:
                _rewrite(connection, msgspec.structs.replace(server, denied=server.denied | dict(denied)))

        await self._database.run(work)

    async def approved(self, name: str) -> Offer | None:
        """Return what was approved of a server, as it was defined then; ``None`` where nobody wrote that down."""
        sql = "SELECT body FROM approved WHERE server = ?"
        row = await self._database.run(lambda connection: connection.execute(sql, (name,)).fetchone())
        return None if row is None else msgspec.json.decode(row[0], type=Offer)

    async def mark_stateful(self, name: str) -> None:
        """Remember that a server was seen to be stateful; one that is gone meanwhile is left alone."""

        def work(connection: sqlite3.Connection) -> None:
            server = _read(connection, name)
            if server is not None:
                _rewrite(connection, msgspec.structs.replace(server, observed_stateful=True))

        await self._database.run(work)

    async def put_offer(self, name: str, offer: Offer) -> None:
        """Remember what a server offers; a server that is gone meanwhile is left alone."""
        await self._database.run(lambda connection: _put_offer(connection, name, offer))

    async def get(self, name: str) -> Server:
        """Return one server. Raises :class:`UnknownServer`."""
        sql = "SELECT body FROM server WHERE name = ?"
        row = await self._database.run(lambda connection: connection.execute(sql, (name,)).fetchone())
        if row is None:
            raise UnknownServer(f"no server is called {name!r}", "vsm-mcp list shows the names")
        return msgspec.json.decode(row[0], type=Server)

    async def all(self) -> list[Server]:
        """Return every server, by name."""
        sql = "SELECT body FROM server ORDER BY name"
        rows = await self._database.run(lambda connection: connection.execute(sql).fetchall())
        return [msgspec.json.decode(body, type=Server) for (body,) in rows]

    async def offers(self) -> dict[str, Offer]:
        """Return what each server last offered."""
        sql = "SELECT server, body FROM offer"
        rows = await self._database.run(lambda connection: connection.execute(sql).fetchall())
        return {name: msgspec.json.decode(body, type=Offer) for name, body in rows}

    async def pins(self, name: str) -> dict[str, str]:
        """Return the approved hash of each item of one server."""
        sql = "SELECT item, digest FROM pin WHERE server = ?"
        rows = await self._database.run(lambda connection: connection.execute(sql, (name,)).fetchall())
        return dict(rows)

    async def remove(self, name: str) -> None:
        """Forget a server with its offer and pins; idempotent."""
        await self._database.run(lambda connection: connection.execute("DELETE FROM server WHERE name = ?", (name,)))


def _read(connection: sqlite3.Connection, name: str) -> Server | None:
    row = connection.execute("SELECT body FROM server WHERE name = ?", (name,)).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=Server)


def _rewrite(connection: sqlite3.Connection, server: Server) -> None:
    body = msgspec.json.encode(server)
    connection.execute("UPDATE server SET body = ? WHERE name = ?", (body, server.name))


def put_pins(connection: sqlite3.Connection, name: str, pins: Mapping[str, str]) -> None:
    """Write the pins of a server in the place of those it has."""
    connection.execute("DELETE FROM pin WHERE server = ?", (name,))
    rows = [(name, item, digest, time.time()) for item, digest in pins.items()]
    connection.executemany("INSERT INTO pin(server, item, digest, at) VALUES (?,?,?,?)", rows)


def put_approved(connection: sqlite3.Connection, name: str, body: bytes) -> None:
    """Write what is approved of a server: an offer as JSON."""
    connection.execute(
        "INSERT INTO approved(server, body, at) VALUES (?,?,?) "
        "ON CONFLICT(server) DO UPDATE SET body = excluded.body, at = excluded.at",
        (name, body, time.time()),
    )


def _put_offer(connection: sqlite3.Connection, name: str, offer: Offer) -> None:
    connection.execute(
        "INSERT INTO offer(server, body, at) SELECT name, ?, ? FROM server WHERE name = ? "
        "ON CONFLICT(server) DO UPDATE SET body = excluded.body, at = excluded.at",
        (msgspec.json.encode(offer), time.time(), name),
    )
