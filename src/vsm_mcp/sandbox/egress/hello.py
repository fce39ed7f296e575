"""The first bytes a program sends → whether they begin TLS, and which server they ask for (RFC 8446, 6066). Pure."""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME = 22, 1, 0, 0
_RECORD_HEADER, _MESSAGE_HEADER = 5, 4
_LONGEST_RECORD: Final = 2**14 + 256
LONGEST: Final = 32 * 1024
"""No hello is as long as that, with all that is new in TLS."""


class Kind(Enum):
    """What the first bytes are."""

    MORE = "too few to tell"
    PLAIN = "not TLS"
    TLS = "the hello of a TLS client"
    BROKEN = "a hello that cannot be read"


class Hello(msgspec.Struct, frozen=True):
    """What the first bytes are; ``name`` is the server they ask for (lower case), "" where they name none."""

    kind: Kind
    name: str = ""


class _Short(Exception):
    """There is less than a length says."""


def read(data: bytes) -> Hello:
    """Read the first bytes of a connection, as many as there are so far."""
    if not data:
        return Hello(Kind.MORE)
    if data[0] != _HANDSHAKE or (len(data) > 1 and data[1] != 3):
        return Hello(Kind.PLAIN)
    message = _message(data)
    if message is None:
        return Hello(Kind.MORE) if len(data) < LONGEST else Hello(Kind.BROKEN)
    try:
        return Hello(Kind.TLS, _server_name(message))
    except (_Short, UnicodeDecodeError):
        return Hello(Kind.BROKEN)


def _message(data: bytes) -> bytes | None:
    """Return the first handshake message, put together from its records; ``None`` if it is not all there yet.

    What cannot be one comes back as a message that cannot be read.
    """
    held, position = bytearray(), 0
    while len(data) - position >= _RECORD_HEADER:
        length = int.from_bytes(data[position + 3 : position + 5])
        if data[position] != _HANDSHAKE or not 0 < length <= _LONGEST_RECORD:
            return b""
        held += data[position + _RECORD_HEADER : position + _RECORD_HEADER + length]
        if held and held[0] != _CLIENT_HELLO:
            return b""
        if len(held) >= _MESSAGE_HEADER:
            end = _MESSAGE_HEADER + int.from_bytes(held[1:_MESSAGE_HEADER])
            if end > LONGEST:
                return b""
            if len(held) >= end:
                return bytes(held[_MESSAGE_HEADER:end])
        position += _RECORD_HEADER + length
    return None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, count: int) -> bytes:
        taken, self._data = self._data[:count], self._data[count:]
        if len(taken) < count:
            raise _Short
        return taken

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width))

    def block(self, width: int) -> _Reader:
        """Return what follows a length of ``width`` bytes."""
        return _Reader(self.take(self.number(width)))

    def rest(self) -> bytes:
        return self._data

    def __bool__(self) -> bool:
        return bool(self._data)


def _server_name(message: bytes) -> str:
    reader = _Reader(message)
    reader.take(2 + 32)  # version, random
    for width in (1, 2, 1):  # session, cipher suites, compression
        reader.block(width)
    if not reader:
        return ""
    extensions, found = reader.block(2), ""
    while extensions:
        kind, content = extensions.number(2), extensions.block(2)
        if kind == _SERVER_NAME:
            if found:
                raise _Short  # two lists of names: which one would the server take?
            found = _one_name(content.block(2))
    return found


def _one_name(names: _Reader) -> str:
    found = ""
    while names:
        kind, name = names.number(1), names.block(2)
        if kind == _HOST_NAME:
            if found:
                raise _Short
            found = name.rest().decode("ascii").lower().removesuffix(".")
    return found
