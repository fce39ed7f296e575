"""Reading a question to the name server and writing the answer (RFC 1035): pure, and no more than a sandbox needs."""

from __future__ import annotations

import ipaddress
import struct
from enum import IntEnum
from typing import Final

import msgspec

A: Final = 1
_IN, _ANY_CLASS = 1, 255
_HEADER: Final = struct.Struct("!HHHHHH")
_RESPONSE, _AUTHORITATIVE, _RECURSION_DESIRED, _RECURSION_AVAILABLE = 0x8000, 0x0400, 0x0100, 0x0080
_OPCODE: Final = 0x7800
_LONGEST: Final = 255
_SECONDS_TO_LIVE: Final = 300


class Answer(IntEnum):
    """What an answer says of the name."""

    FOUND = 0
    MALFORMED = 1
    FULL = 2
    UNKNOWN = 3
    UNSUPPORTED = 4


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One question; ``name`` is lower case, without a dot at its end. ``question`` is how it was written.

    ``wrong`` says that it cannot be answered, and how.
    """

    number: int
    flags: int
    name: str = ""
    kind: int = 0
    question: bytes = b""
    wrong: Answer | None = None


def read(message: bytes) -> Query | None:
    """Read a question; ``None`` for what is none at all and gets no answer."""
    if len(message) < _HEADER.size:
        return None
    number, flags, questions, _, _, _ = _HEADER.unpack_from(message)
    if flags & _RESPONSE:
        return None
    if flags & _OPCODE:
        return Query(number=number, flags=flags, wrong=Answer.UNSUPPORTED)
    found = _name(message, _HEADER.size)
    if questions != 1 or found is None or len(message) < found[1] + 4:
        return Query(number=number, flags=flags, wrong=Answer.MALFORMED)
    name, end = found
    kind, family = struct.unpack_from("!HH", message, end)
    wrong = None if family in (_IN, _ANY_CLASS) else Answer.UNSUPPORTED
    question = message[_HEADER.size : end + 4]
    return Query(number=number, flags=flags, name=name, kind=kind, question=question, wrong=wrong)


def write(query: Query, answer: Answer, address: ipaddress.IPv4Address | None = None) -> bytes:
    """Write the answer; an ``address`` is given to who asks for one of IPv4, to others the name has nothing."""
    records = b""
    if answer is Answer.FOUND and address is not None and query.kind == A:
        records = struct.pack("!HHHIH4s", 0xC00C, A, _IN, _SECONDS_TO_LIVE, 4, address.packed)
    flags = _RESPONSE | _AUTHORITATIVE | _RECURSION_AVAILABLE | (query.flags & (_RECURSION_DESIRED | _OPCODE)) | answer
    counts = (1 if query.question else 0, 1 if records else 0, 0, 0)
    return _HEADER.pack(query.number, flags, *counts) + query.question + records


def _name(message: bytes, start: int) -> tuple[str, int] | None:
    """Return a name and where it ends; a question has no business with the pointers of compression."""
    labels: list[str] = []
    position = start
    while position < len(message) and position - start <= _LONGEST:
        length = message[position]
        position += 1
        if length == 0:
            return ".".join(labels), position
        label = message[position : position + length]
        if length > 63 or len(label) < length:
            return None
        labels.append("".join(map(_shown, label)).lower())
        position += length
    return None


def _shown(byte: int) -> str:
    """A byte of a label as master files write it: what is not printable, or a dot, is no part of a name we know."""
    return chr(byte) if 33 <= byte < 127 and byte not in b".\\" else f"\\{byte:03}"
