"""Small changes to results where the eras differ; content is never touched.

A result passes byte for byte between a client and a server of the same era. Between eras, its outermost members are
read one level deep and the rest is spliced (specification 2026-07-28, changelog, items 2, 8 and "Minor changes").
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Raw

import vsm_mcp
from vsm_mcp.errors import ProtocolError
from vsm_mcp.gateway.messages import decode_object, encode
from vsm_mcp.model.ending import Ending
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import era

SERVER_INFO: Final = encode({"name": "vsm-mcp", "title": "VSM-MCP", "version": vsm_mcp.__version__})
META: Final = b'"_meta":{"%b":%b}' % (era.META_SERVER_INFO.encode(), SERVER_INFO)
UNCACHED: Final = b'"ttlMs":0,"cacheScope":"private"'
"""What the gateway promises about freshness: nothing, since a list changes when a capability is acquired."""

_COMPLETE: Final = b'"resultType":"complete"'
_CACHEABLE: Final = frozenset({"resources/read"})
_END_BYTES: Final = 4 * 1024
_ERROR_MARK: Final = re.compile(rb'"isError"\s*+:\s*+(?!false\b)')
_ALL_ADDED: Final = b"".join((b"{", _COMPLETE, b",", META, b","))
_SEARCHED: Final = 2048
_TELLING: Final = re.compile(rb"\{\s*+[^}]")
"""How an object begins that has members."""
_MODERN_ONLY: Final = ("resultType", "ttlMs", "cacheScope")


class _Marked(msgspec.Struct):
    is_error: bool = msgspec.field(name="isError", default=False)


_decode_marked: Final = msgspec.json.Decoder(_Marked).decode


def ending(raw: Raw) -> Ending:
    """Return how a call ended that has a result: one search for a word tells it of almost every result.

    Where it stands with anything but ``false``, the result is read. Servers write ``isError`` first or last: of a
    result of more than 8 KiB only both ends are searched, so that a large one is not read through once more. One that
    has the word in the middle alone counts as answered.
    """
    view = memoryview(raw)
    if view.nbytes <= 2 * _END_BYTES:
        marked = _ERROR_MARK.search(view)
    else:
        marked = _ERROR_MARK.search(view, 0, _END_BYTES) or _ERROR_MARK.search(view, view.nbytes - _END_BYTES)
    if marked is None:
        return Ending.ANSWERED
    try:
        return Ending.TOOL_ERROR if _decode_marked(raw).is_error else Ending.ANSWERED
    except UNREADABLE:
        return Ending.PROTOCOL


def modern(members: bytes, *, cacheable: bool) -> bytes:
    """Return a modern result of our own: ``members`` is the inside of a JSON object, not empty."""
    return b"".join(
        (b"{", members, b",", _COMPLETE, b",", UNCACHED if cacheable else b"", b"," if cacheable else b"", META, b"}")
    )


def empty(*, is_modern: bool) -> bytes:
    """Return a result that says nothing."""
    return b"{" + _COMPLETE + b"," + META + b"}" if is_modern else b"{}"


def bridged(raw: Raw, method: str, *, to_modern: bool, from_modern: bool) -> bytes | Raw:
    """Return a server's result for a client of the other era, or of the same one (then untouched).

    Only what a modern client must be told about caching is added to a modern server's result where it is missing.
    Raises :class:`ProtocolError` when the result is no object, or asks for input, which is not bridged yet.
    """
    if to_modern == from_modern and not (to_modern and method in _CACHEABLE):
        return raw
    if to_modern and method not in _CACHEABLE and memoryview(raw).nbytes <= _SEARCHED:  # reading more costs less
        whole = bytes(raw)
        if _TELLING.match(whole) and b'"resultType"' not in whole and b'"_meta"' not in whole:
            return b"".join((_ALL_ADDED, memoryview(whole)[1:]))  # almost every result: no need to read it once more
    try:
        members = decode_object(raw)
    except UNREADABLE as error:
        raise ProtocolError("the server answered with a result that is no object") from error
    return _upwards(raw, members, method) if to_modern else _downwards(raw, members)


def _upwards(raw: Raw, members: dict[str, Raw], method: str) -> bytes:
    """Add what a modern client expects, in front of what the server said."""
    added = [] if "resultType" in members else [_COMPLETE]
    if "_meta" not in members:
        added.append(META)
    if method in _CACHEABLE and "ttlMs" not in members and "cacheScope" not in members:
        added.append(UNCACHED)
    if members:
        added.append(b"")  # the comma before the server's own members
    return b"".join((b"{", b",".join(added), memoryview(raw)[1:]))


def _downwards(raw: Raw, members: dict[str, Raw]) -> bytes | Raw:
    """Take away what only a modern client knows."""
    kind = members.get("resultType")
    if kind is not None and bytes(kind) != b'"complete"':
        raise ProtocolError("the server asks for input in the middle of a call, which this gateway cannot bridge yet")
    changed = False
    for member in _MODERN_ONLY:
        changed |= members.pop(member, None) is not None
    structured = members.get("structuredContent")
    if structured is not None and bytes(memoryview(structured)[:1]) != b"{":
        # Before 2026-07-28 structured content is an object; the text content says the same.
        del members["structuredContent"]
        changed = True
    return encode(members) if changed else raw
