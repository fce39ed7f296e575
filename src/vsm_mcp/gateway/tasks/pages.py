"""``tasks/list`` over all servers: one client's tasks, a page of a server at a time.

Specification 2025-11-25, "Tasks: Listing Tasks". To a server the gateway is one client, so that its list holds the
tasks of all of ours: whatever is not the asking client's is left out.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from vsm_mcp.errors import ProtocolError, VsmError
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.messages import Request, encode
from vsm_mcp.gateway.tasks import related
from vsm_mcp.gateway.tasks.idents import Named, TaskIds, owner_of
from vsm_mcp.gateway.tasks.ledger import Held, Ledger
from vsm_mcp.gateway.tasks.task import read
from vsm_mcp.gateway.upstream import Channel, Upstream, result_of
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import era

_MAX_PAGES: Final = 32
"""Pages of servers that are read for one of ours, at most."""


class _Place(NamedTuple):
    """Where a page begins: a server, and its own cursor (empty: from its beginning)."""

    server: str
    cursor: str = ""


class _Page(msgspec.Struct):
    tasks: list[Raw] = []
    nextCursor: str | None = None  # noqa: N815 - the protocol's spelling


_decode_page: Final = msgspec.json.Decoder(_Page).decode
_decode_place: Final = msgspec.json.Decoder(_Place).decode


class Pages:
    """Answers ``tasks/list``; a server that fails costs only its own tasks. ``timeout`` (seconds) is for each."""

    def __init__(self, upstream: Upstream, ledger: Ledger, timeout: float) -> None:
        self._upstream = upstream
        self._ledger = ledger
        self._timeout = timeout

    async def answer(self, request: Request, caller: Caller, ids: TaskIds) -> bytes:
        """Return the page that a request wants. Raises :class:`Fault` (-32602) for a cursor that is not ours."""
        servers = self._servers(caller)
        cursor = request.params.get("cursor")
        place = _Place("") if cursor is None or cursor == Raw(b"null") else _opened(request.text("cursor"))
        at: _Place | None = _from(servers, place)
        found: list[Raw] = []
        for _ in range(_MAX_PAGES):
            if at is None or found:
                break
            found, cursor_of_server = await self._mine(at, caller, ids)
            at = _Place(at.server, cursor_of_server) if cursor_of_server else _after(servers, at.server)
        result: dict[str, object] = {"tasks": found}
        if at is not None:
            result["nextCursor"] = _closed(at)
        return encode(result)

    def _servers(self, caller: Caller) -> list[str]:
        tasking = caller.view.catalogue.tasking
        held = self._ledger.servers(owner_of(caller))
        return [server for server in held if server in tasking and tasking[server].support.lists]

    async def _mine(self, place: _Place, caller: Caller, ids: TaskIds) -> tuple[list[Raw], str]:
        """Return the client's tasks on one page of a server, and the cursor of the next one, empty at the end."""
        try:
            channel = await self._upstream.connection(place.server, self._timeout, caller.who)
            params = {"cursor": place.cursor} if place.cursor else {}
            page = _decode_page(await result_of(channel.begin("tasks/list", params, timeout=self._timeout)))
        except (VsmError, *UNREADABLE):
            return [], ""
        owner = owner_of(caller)
        mine = self._of(owner, page, channel)
        found = [related.named(raw, ids.close(Named(place.server, ident), owner)) for ident, raw in mine]
        return found, page.nextCursor or ""

    def _of(self, owner: str, page: _Page, channel: Channel) -> Iterator[tuple[str, Raw]]:
        for raw in page.tasks:
            with contextlib.suppress(ProtocolError):
                ident = read(raw).ident
                if self._ledger.owner(Held(channel, ident)) == owner:
                    yield ident, raw


def _from(servers: list[str], place: _Place) -> _Place | None:
    """Return where to go on: at the place itself, or where its server would be if that has gone."""
    if place.server in servers:
        return place
    return next((_Place(server) for server in servers if server > place.server), None)


def _after(servers: list[str], server: str) -> _Place | None:
    return next((_Place(other) for other in servers if other > server), None)


def _closed(place: _Place) -> str:
    return base64.urlsafe_b64encode(encode(place)).decode()


def _opened(cursor: str) -> _Place:
    try:
        return _decode_place(base64.b64decode(cursor.encode(), b"-_", validate=True))
    except (binascii.Error, ValueError, *UNREADABLE) as error:
        hint = encode({"hint": "start without a cursor"})
        raise Fault(era.INVALID_PARAMS, "the cursor is not one of this list", hint) from error
