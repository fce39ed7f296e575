"""Server-sent events, read as bytes arrive (HTML standard, "Server-sent events: Interpreting an event stream")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vsm_mcp.errors import ProtocolError

_BOM: Final = b"\xef\xbb\xbf"
_MAX_RETRY_DIGITS: Final = 9


class SseReader:
    """Turns chunks of an event stream into the data of its ``message`` events.

    ``on_other`` gets name and data of events with another name; without it they are dropped.
    ``last_id`` is the id a resumed stream starts after (``""``: none), ``retry`` the seconds the server asks for
    before that (``None``: it did not say).
    """

    def __init__(self, max_event: int, on_other: Callable[[bytes, bytes], None] | None = None) -> None:
        self.last_id = ""
        self.retry: float | None = None
        self._max_event = max_event
        self._on_other = on_other
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._event = b""
        self._after_cr = False
        self._begun = False

    def restart(self) -> None:
        """Begin with another stream, which resumes this one: what had arrived of an unfinished event is void."""
        self._rest, self._data, self._size, self._event = bytearray(), [], 0, b""
        self._after_cr = self._begun = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take a chunk and return the data of the events it completes.

        Raises :class:`ProtocolError` when one event grows beyond ``max_event`` bytes.
        """
        if not chunk:
            return []
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r")
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        found: list[bytes] = []
        *lines, last = chunk.split(b"\n")
        for line in lines:
            whole = line
            if self._rest:
                self._rest += line
                whole, self._rest = bytes(self._rest), bytearray()
            self._line(whole, found)
        self._rest += last
        if self._size + len(self._rest) > self._max_event:
            raise ProtocolError(f"the server sent an event of more than {self._max_event} bytes")
        return found

    def _line(self, line: bytes, found: list[bytes]) -> None:
        if not self._begun:
            self._begun = True
            line = line.removeprefix(_BOM)
        if not line:
            self._dispatch(found)
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._size += len(value) + 1  # and the line break: an event may be nothing else
            if self._size > self._max_event:
                raise ProtocolError(f"the server sent an event of more than {self._max_event} bytes")
        elif field == b"event":
            self._event = value
        elif field == b"id" and b"\0" not in value:
            self.last_id = value.decode(errors="replace")
        elif field == b"retry" and value.isdigit():
            self.retry = int(value[:_MAX_RETRY_DIGITS]) / 1000

    def _dispatch(self, found: list[bytes]) -> None:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        if data and self._event in {b"", b"message"}:
            found.append(data)
        elif data and self._on_other is not None:
            self._on_other(self._event, data)
        self._data, self._size, self._event = [], 0, b""
