"""Trace context as W3C defines it (Trace Context, level 1: ``traceparent`` and ``tracestate``); pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

PARENT: Final = "traceparent"
STATE: Final = "tracestate"
_PARENT: Final = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?")
_STATE: Final = re.compile(r"[\x20-\x7e\t]{1,512}")
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16
_SAMPLED: Final = 1


class TraceContext(NamedTuple):
    """Which trace something belongs to, and under which span: ids in hexadecimal (32 and 16 digits)."""

    trace: str
    span: str
    sampled: bool


def read(text: str) -> TraceContext | None:
    """Return what a ``traceparent`` says; ``None`` for one that is none (section 3.2.2: it is then as if not there).

    Version 00 has exactly four parts; of later ones the first four are read.
    """
    found = _PARENT.fullmatch(text)
    if found is None or found[2] == _NO_TRACE or found[3] == _NO_SPAN or (found[1] == "00" and found[5]):
        return None
    return TraceContext(found[2], found[3], bool(int(found[4], 16) & _SAMPLED))


def write(context: TraceContext) -> str:
    """Return the ``traceparent`` of a context."""
    return f"00-{context.trace}-{context.span}-{context.sampled:02x}"


def is_state(text: str) -> bool:
    """Whether a ``tracestate`` can be passed on: at most 512 printable characters (section 3.3.1)."""
    return _STATE.fullmatch(text) is not None


def of_meta(meta: Mapping[str, object] | None) -> TraceContext | None:
    """Return the context that ``_meta`` of a request holds, if any; its values are raw JSON or strings."""
    value = None if meta is None else meta.get(PARENT)
    return None if value is None else read(_text(value))


def header_lines(meta: Mapping[str, object]) -> bytes:
    """Return the HTTP header lines that say what ``_meta`` says; nothing for what is no trace context."""
    parent = _text(meta.get(PARENT, ""))
    if read(parent) is None:
        return b""
    lines = f"traceparent: {parent}\r\n"
    state = _text(meta.get(STATE, ""))
    if state and is_state(state):
        lines += f"tracestate: {state}\r\n"
    return lines.encode("ascii")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, Raw):
        return ""
    try:
        return msgspec.json.decode(value, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
