"""The head of a request, read once: whoever sends the very same bytes again need not have them read again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import httptools

from vsm_mcp.gateway.asgi import Headers

_END: Final = b"\r\n\r\n"
_MAX_DIGITS: Final = 12


class Head:
    """What a head says (RFC 9112). ``pairs``: its fields, names in lower case; ``fields``: the last one of each name.

    ``keep``: the connection may be used again. ``modern``: HTTP/1.1, so that chunks and 100-continue are understood.
    ``takes_events`` and ``takes_json`` are what its ``Accept`` says; whoever accepts neither gets JSON all the same,
    because every client of the protocol can read it. ``plain_to`` is who has found that nothing but the body can keep
    such a request from the short way.
    """

    __slots__ = (
        "fields", "keep", "method", "modern", "pairs", "path", "plain_to", "query", "takes_events", "takes_json",
    )  # fmt: skip

    def __init__(self, method: str, url: bytes, pairs: Headers, *, keep: bool, modern: bool) -> None:
        self.method = method
        self.path, self.query = _split(url)
        self.pairs = pairs
        self.fields: Mapping[bytes, bytes] = dict(pairs)
        self.plain_to: object = None
        self.keep = keep and modern
        self.modern = modern
        accept = self.fields.get(b"accept", b"*/*").lower()
        self.takes_events = b"text/event-stream" in accept or b"*/*" in accept or b"text/*" in accept
        self.takes_json = b"json" in accept or b"*/*" in accept or not self.takes_events

    @property
    def length(self) -> int | None:
        """How many bytes of a body follow; ``None`` where the head does not say so in the plain way."""
        size = self.fields.get(b"content-length", b"")
        plain = size.isdigit() and len(size) <= _MAX_DIGITS and b"transfer-encoding" not in self.fields
        return int(size) if plain else None


class Known(NamedTuple):
    """A head, the bytes that it was read from, and the size of a request that begins with it."""

    raw: bytes
    size: int
    head: Head


def known(data: bytes, head: Head) -> Known | None:
    """Return how to know a request again that was ``data``, all of it; ``None`` for one that is not plain enough."""
    length = head.length
    if length is None or not head.keep or b"expect" in head.fields:
        return None
    raw = data[: len(data) - length]
    return Known(raw, len(data), head) if raw.find(_END) == len(raw) - len(_END) >= 0 else None


def _split(url: bytes) -> tuple[str, bytes]:
    """Return path and query of a request target (RFC 9112, section 3.2: origin-form or absolute-form)."""
    if not url.startswith(b"/"):
        try:
            parsed: Any = httptools.parse_url(url)
        except httptools.HttpParserInvalidURLError:
            return "", b""
        return unquote((parsed.path or b"/").decode("latin-1")), parsed.query or b""
    raw, _, query = url.partition(b"?")
    path = raw.decode("latin-1")
    return (unquote(path) if "%" in path else path), query
