"""What a server offers: lists over several pages, and all of them together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, Final, Protocol

import msgspec
from msgspec import Raw

from vsm_mcp.errors import ProtocolError, RequestTimeout, RpcError
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import era

MAX_PAGES: Final = 1000
MAX_ITEMS: Final = 20_000
_UNDECLARED_SECONDS: Final = 5.0

_LISTS: Final = (
    (ItemKind.TOOL, "tools", "tools/list", "tools"),
    (ItemKind.RESOURCE, "resources", "resources/list", "resources"),
    (ItemKind.TEMPLATE, "resources", "resources/templates/list", "resourceTemplates"),
    (ItemKind.PROMPT, "prompts", "prompts/list", "prompts"),
)

_decode_members: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_items: Final = msgspec.json.Decoder(list[Raw]).decode
_decode_cursor: Final = msgspec.json.Decoder(str | None).decode


class _Item(msgspec.Struct):
    name: Any = None
    uri: Any = None
    uriTemplate: Any = None  # noqa: N815 - the protocol's spelling
    description: Any = None


_decode_item: Final = msgspec.json.Decoder(_Item).decode


class Asks(Protocol):
    """The part of a connection that lists need."""

    era: Any
    protocol: str
    capabilities: dict[str, Any]
    server_info: dict[str, Any]
    instructions: str

    async def request(
        self,
        method: str,
        params: Mapping[str, object] | None = None,
        *,
        timeout: float,
    ) -> Raw:
        """Ask and await the raw result."""

    async def list(self, method: str, key: str, *, timeout: float) -> list[Raw]:
        """Return every item of a list."""


async def all_pages(connection: Asks, method: str, key: str, timeout: float) -> list[Raw]:
    """Return every item of the list ``key`` in the answers to ``method``; see :meth:`Connection.list`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    items: list[Raw] = []
    seen: set[str] = set()
    params: dict[str, object] | None = None
    for _ in range(MAX_PAGES):
        remaining = deadline - loop.time()
        if remaining <= 0:
            raise RequestTimeout(f"the server did not finish {method} within {timeout:g} s")
        page, cursor = _page(await connection.request(method, params, timeout=remaining), method, key)
        items += page
        if len(items) > MAX_ITEMS:
            raise ProtocolError(f"the server's {method} holds more than {MAX_ITEMS} items")
        # An empty cursor is a cursor in the modern era; older servers write it for "no more" (specification
        # 2026-07-28, "Pagination", against what is found in the wild).
        if cursor is None or (cursor == "" and connection.era == "legacy"):
            return items
        if cursor in seen:
            raise ProtocolError(f"the server's {method} repeats a cursor, so it would never end")
        seen.add(cursor)
        params = {"cursor": cursor}
    raise ProtocolError(f"the server's {method} has more than {MAX_PAGES} pages")


async def offer(connection: Asks, timeout: float) -> Offer:
    """Return everything a server offers; see :meth:`Connection.offer`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    items: list[Definition] = []
    declared = connection.capabilities
    for kind, capability, method, key in _LISTS:
        if capability in declared:
            beside_tools = kind is not ItemKind.TOOL and "tools" in declared
            asked = _declared(connection, method, key, deadline - loop.time())
            items += _definitions(kind, await (_forgiving(asked) if beside_tools else asked))
        elif capability == "tools" and not declared:
            wait = min(_UNDECLARED_SECONDS, deadline - loop.time())
            items += _definitions(kind, await _undeclared(connection, method, key, wait))
    info = connection.server_info
    return Offer(
        items=tuple(items),
        capabilities=msgspec.json.encode(declared),
        instructions=connection.instructions,
        server_name=_text(info.get("name")),
        server_version=_text(info.get("version")),
        protocol=connection.protocol,
    )


async def _declared(connection: Asks, method: str, key: str, timeout: float) -> list[Raw]:
    try:
        return await connection.list(method, key, timeout=timeout)
    except RpcError as error:
        if error.rpc_code == era.METHOD_NOT_FOUND:
            return []
        raise


async def _forgiving(asked: Awaitable[list[Raw]]) -> list[Raw]:
    """Take a refused list beside tools for an empty one: a database that is down must not take the tools along."""
    try:
        return await asked
    except RpcError:
        return []


async def _undeclared(connection: Asks, method: str, key: str, timeout: float) -> list[Raw]:
    """Ask a server that declares nothing at all for its tools anyway; whatever goes wrong means it has none."""
    try:
        return await connection.list(method, key, timeout=timeout)
    except (ProtocolError, RequestTimeout):
        return []


def _page(result: Raw, method: str, key: str) -> tuple[list[Raw], str | None]:
    try:
        members = _decode_members(result)
        cursor = _decode_cursor(members.get("nextCursor", b"null"))
        if key not in members:
            raise ProtocolError(f"the server's answer to {method} has no {key}")
        return _decode_items(members[key]), cursor
    except UNREADABLE as error:
        raise ProtocolError(f"the server's answer to {method} is malformed: {error}") from error


def _definitions(kind: ItemKind, items: list[Raw]) -> list[Definition]:
    """Copy the items out of their answer; an item without a usable name cannot be called and is left out."""
    found = []
    for raw in items:
        try:
            item = _decode_item(raw)
        except UNREADABLE:
            continue
        name = {ItemKind.RESOURCE: item.uri, ItemKind.TEMPLATE: item.uriTemplate}.get(kind, item.name)
        if isinstance(name, str) and name:
            found.append(Definition(kind=kind, name=name, raw=bytes(raw), description=_text(item.description)))
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
