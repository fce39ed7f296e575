"""JSON-RPC 2.0 envelopes: read and written without building a model of what they carry.

``params``, ``result`` and ``error`` stay raw bytes (:class:`msgspec.Raw`) in both directions. A read message holds
views into the line it was read from, so whoever keeps a small part of it for long should copy that part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from msgspec import Raw

from vsm_mcp.errors import ProtocolError, RpcError

if TYPE_CHECKING:
    _Part = Raw | None
else:
    _Part = Raw  # msgspec has no union with Raw; the default None stands for "absent"

Kind = Literal["request", "notification", "response", "error"]
Id = int | str | Raw
Params = Mapping[str, object] | bytes | Raw | None


class Message(msgspec.Struct, gc=False):
    """One JSON-RPC message. Absent members are ``None``; ``id`` is raw JSON, so ``7`` and ``"7"`` differ."""

    jsonrpc: Literal["2.0"]
    id: _Part = None
    method: str | None = None
    params: _Part = None
    result: _Part = None
    error: _Part = None

    @property
    def kind(self) -> Kind:
        """What the message is (JSON-RPC 2.0, sections 4 and 5)."""
        if self.method is not None:
            return "notification" if self.id is None else "request"
        return "error" if self.result is None else "response"


class _Request(msgspec.Struct, gc=False):
    id: int | str | Raw
    method: str
    params: Any
    jsonrpc: str = "2.0"


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""
    data: _Part = None


_decode: Final = msgspec.json.Decoder(Message).decode
_decode_error: Final = msgspec.json.Decoder(_Error).decode
_decode_batch: Final = msgspec.json.Decoder(list[Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


def read(line: bytes) -> Message:
    """Read one message.

    Bytes that are no UTF-8 are replaced by U+FFFD first, so that one bad byte inside a string does not lose the
    answer. Raises :class:`ProtocolError` for anything that is not one JSON-RPC 2.0 message.
    """
    if not line.isascii():
        line = _as_utf8(line)
    try:
        message = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"not a JSON-RPC message: {error}") from error
    if message.method is None and (message.id is None or (message.result is None) == (message.error is None)):
        raise ProtocolError("not a JSON-RPC message: it has no method, and no id with either a result or an error")
    return message


def read_batch(line: bytes) -> list[bytes]:
    """Split a JSON-RPC batch into its messages (only protocol 2025-03-26 has them; receiving them is a MUST there).

    Raises :class:`ProtocolError` when the line is no JSON array.
    """
    try:
        return [bytes(part) for part in _decode_batch(line)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"not a JSON-RPC batch: {error}") from error


def read_error(error: Raw) -> RpcError:
    """Turn the ``error`` member of a message into an exception; what it lacks or spells wrongly gets a default."""
    try:
        body = _decode_error(error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return RpcError(-32603, "the server answered with a malformed error", bytes(error))
    return RpcError(body.code, body.message, None if body.data is None else bytes(body.data))


def request(id: Id, method: str, params: Params = None) -> bytes:  # noqa: A002 - the word of JSON-RPC
    """Write a request; values inside ``params`` may be :class:`msgspec.Raw`, and ``bytes`` are spliced whole."""
    if params is None:
        return b'{"jsonrpc":"2.0","id":%b,"method":%b}' % (_encode(id), _encode(method))
    return _encode(_Request(id, method, Raw(params) if isinstance(params, bytes) else params))


def notification(method: str, params: Params = None) -> bytes:
    """Write a notification."""
    if params is None:
        return b'{"jsonrpc":"2.0","method":%b}' % _encode(method)
    return b'{"jsonrpc":"2.0","method":%b,"params":%b}' % (_encode(method), _spliced(params))


def response(id: Id, result: Mapping[str, object] | bytes | Raw) -> bytes:  # noqa: A002
    """Write a successful answer to the request ``id``."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (_encode(id), _spliced(result))


def error(id: Id | None, code: int, message: str, data: object = None) -> bytes:  # noqa: A002
    """Write an error as the answer to the request ``id`` (``None``: the id could not be read)."""
    body: dict[str, object] = {"code": code, "message": message}
    if data is not None:
        body["data"] = Raw(data) if isinstance(data, bytes) else data
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (_encode(id), _encode(body))


def error_of(id: Id, error: Raw) -> bytes:  # noqa: A002
    """Write a server's own error, as it is, as the answer to the request ``id``."""
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (_encode(id), error)


def _spliced(part: Mapping[str, object] | bytes | Raw) -> bytes | Raw:
    return part if isinstance(part, (bytes, Raw)) else _encode(part)


def _as_utf8(line: bytes) -> bytes:
    try:
        line.decode()
    except UnicodeDecodeError:
        return line.decode(errors="replace").encode()
    return line
