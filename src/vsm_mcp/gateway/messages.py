"""JSON-RPC messages of clients: read with everything inside left raw, answered by splicing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from msgspec import Raw

from vsm_mcp.errors import ProtocolError
from vsm_mcp.gateway import said
from vsm_mcp.gateway.capabilities import NONE, Capabilities
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.said import Said
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import envelope, era
from vsm_mcp.wire.envelope import Message

NO_ID: Final = b"null"
_NULL: Final = Raw(b"null")
_MAX_ID: Final = 1024
_MAX_LOOKED_AT: Final = 64 * 1024
_ID_STARTS: Final = frozenset(b'"-0123456789')


class _Plain(msgspec.Struct, gc=False):
    jsonrpc: Literal["2.0"]
    id: Raw
    method: str
    params: dict[str, Raw]


decode_object: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_plain: Final = msgspec.json.Decoder(_Plain).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
encode: Final = msgspec.json.Encoder().encode


class Request:
    """One request: ``id`` is raw JSON, echoed verbatim; ``params`` maps member names to raw values.

    ``said`` is its ``_meta``, ``None`` where it has none.
    """

    __slots__ = ("_name", "id", "method", "params", "said")

    def __init__(
        self, ident: bytes, method: str, params: dict[str, Raw], meta: Said | Mapping[str, Raw] | None
    ) -> None:
        self.id = ident
        self.method = method
        self.params = params
        self.said = meta if meta is None or isinstance(meta, Said) else Said(meta)
        self._name: str | None = None

    @property
    def meta(self) -> Mapping[str, Raw] | None:
        """The members of its ``_meta``."""
        return None if self.said is None else self.said.members

    @property
    def capabilities(self) -> Capabilities:
        """What its client says that it can do in the middle of it; nothing where it says nothing."""
        return NONE if self.said is None else self.said.capabilities

    @property
    def token(self) -> Raw | None:
        """The token under which its client wants to hear of progress."""
        return None if self.said is None else self.said.token

    @property
    def name(self) -> str | None:
        """The ``name`` in its params, ``None`` where that is no string; read once, however often it is asked for."""
        name = self._name
        if name is None:
            name = self._name = text_or_none(self.params.get("name"))
        return name

    @name.setter
    def name(self, name: str) -> None:
        self._name = name
        self.params["name"] = Raw(encode(name))

    def text_or_none(self, member: str) -> str | None:
        """Return a member of ``params`` that is a string, ``None`` where it is none."""
        return self.name if member == "name" else text_or_none(self.params.get(member))

    def text(self, member: str) -> str:
        """Return a member of ``params`` that has to be a string; raises :class:`Fault` (-32602) when it is not."""
        value = self.text_or_none(member)
        if value is None:
            raise Fault(era.INVALID_PARAMS, f"{self.method} needs {member}, a string, in its params")
        return value


def read(body: bytes) -> Message:
    """Read one JSON-RPC message.

    Raises :class:`Fault`: -32700 for what is no JSON in UTF-8, -32600 for what is JSON but not one message.
    """
    try:
        if not body.isascii():
            body.decode()
        message = envelope.parse(body)
    except (ProtocolError, UnicodeDecodeError) as error:
        raise _why(body) from error
    if message.id is not None and not _is_ident(bytes(message.id)):
        raise Fault(era.INVALID_REQUEST, f"the id of a request is a string or a number of at most {_MAX_ID} bytes")
    return message


def plain(body: bytes) -> Request | None:
    """Return the request that a body is, read in one pass; ``None`` where :func:`read` has to look what else it is."""
    try:
        if not body.isascii():
            body.decode()
        found = _decode_plain(body)
        members = found.params
        raw_meta = members.pop("_meta", None)
        meta = None if raw_meta is None else said.read(raw_meta)
    except UNREADABLE:
        return None
    ident = bytes(found.id)
    return Request(ident, found.method, members, meta) if _is_ident(ident) else None


def ident_of(body: bytes) -> bytes:
    """Return the raw id of the message that a body holds, ``null`` where it holds none or is too long to look at."""
    try:
        return bytes(read(body).id or NO_ID) if len(body) <= _MAX_LOOKED_AT else NO_ID
    except Fault:
        return NO_ID


def request_of(message: Message) -> Request:
    """Open a request's params by one level; raises :class:`Fault` (-32602) when they or ``_meta`` are no object."""
    params = message.params
    try:
        members = {} if params is None or params == _NULL else decode_object(params)
        raw_meta = members.pop("_meta", None)
        meta = None if raw_meta is None else said.read(raw_meta)
    except UNREADABLE as error:
        raise Fault(era.INVALID_PARAMS, "params and params._meta are objects") from error
    return Request(bytes(message.id or NO_ID), message.method or "", members, meta)


def text_or_none(raw: Raw | None) -> str | None:
    """Return the string that ``raw`` is, or ``None``."""
    if raw is None:
        return None
    try:
        return _decode_text(raw)
    except UNREADABLE:
        return None


def result(ident: bytes, body: bytes | Raw) -> bytes:
    """Return the answer to request ``ident`` with a raw result."""
    return b"".join((b'{"jsonrpc":"2.0","id":', ident, b',"result":', body, b"}"))


def fault(ident: bytes, error: Fault) -> bytes:
    """Return the error answer to request ``ident``."""
    data = b"" if error.data is None else b',"data":' + error.data
    head = b'{"jsonrpc":"2.0","id":%b,"error":{"code":%d,"message":%b' % (ident, error.rpc_code, encode(error.message))
    return b"".join((head, data, b"}}"))


def notification(method: str, params: bytes) -> bytes:
    """Return a notification with raw params."""
    return b'{"jsonrpc":"2.0","method":%b,"params":%b}' % (encode(method), params)


def _is_ident(ident: bytes) -> bool:
    return ident[0] in _ID_STARTS and len(ident) <= _MAX_ID


def _why(body: bytes) -> Fault:
    try:
        value = msgspec.json.decode(body)
    except UNREADABLE as error:
        return Fault(era.PARSE_ERROR, f"not JSON: {error}")
    if isinstance(value, list):
        return Fault(era.INVALID_REQUEST, "batches are not accepted: send each message by itself")
    return Fault(era.INVALID_REQUEST, "not one JSON-RPC 2.0 request, notification or response")
