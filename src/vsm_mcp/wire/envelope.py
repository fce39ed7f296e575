"""JSON-RPC 2.0 envelopes: read and written without building a model of what they carry.

``params``, ``result`` and ``error`` stay raw bytes (:class:`msgspec.Raw`) in both directions. A read message holds
views into the line it was read from, so whoever keeps a small part of it for long should copy that part.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Raw

from vsm_mcp.errors import ProtocolError, RpcError
from vsm_mcp.model.unreadable import UNREADABLE

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
_decode_object: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_decode_error: Final = msgspec.json.Decoder(_Error).decode
_decode_batch: Final = msgspec.json.Decoder(list[Raw]).decode
_encode: Final = msgspec.json.Encoder().encode
_ESCAPES: Final = re.compile(
    rb"\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(\\u[dD][89a-fA-F][\da-fA-F]{2})|\\.", re.DOTALL
)
"""Every escape in a string of JSON: a pair of surrogates, half of one (group 1), any other."""

_ID: Final = rb'"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*"?(\d{1,18})"?\s*'
_ANSWER_BEGINS: Final = re.compile(rb"\s*\{\s*" + _ID + rb'(?:,\s*"(?:result|error)"|\})')
_ANSWER_ENDS: Final = re.compile(_ID + rb"\}\s*\Z")
_ENDING: Final = 200

_T = TypeVar("_T")


def read(line: bytes) -> Message:
    """Read one message.

    Bytes that are no UTF-8, and escapes of half a surrogate pair (JavaScript writes them for a text that was cut within
    an emoji), are replaced by U+FFFD, so that one bad character inside a string does not lose the answer. Raises
    :class:`ProtocolError` for anything that is not one JSON-RPC 2.0 message.
    """
    return parse(line if line.isascii() else _as_utf8(line))


def parse(line: bytes) -> Message:
    """Read one message that is known to be UTF-8; otherwise as :func:`read`."""
    try:
        message = _decode(line)
    except UNREADABLE as error:
        message = _once_more(_decode, line, f"not a JSON-RPC message: {error}")
    if message.method is None and message.result is not None and message.error is not None:
        _drop_null(message)
    if message.method is None and (message.id is None or (message.result is None) == (message.error is None)):
        raise ProtocolError("not a JSON-RPC message: it has no method, and no id with either a result or an error")
    return message


def read_batch(line: bytes) -> list[bytes]:
    """Split a JSON-RPC batch into its messages (only protocol 2025-03-26 has them; receiving them is a MUST there).

    Raises :class:`ProtocolError` when the line is no JSON array.
    """
    try:
        return [bytes(part) for part in _decode_batch(line)]
    except UNREADABLE as error:
        return [bytes(part) for part in _once_more(_decode_batch, line, f"not a JSON-RPC batch: {error}")]


def answered(line: bytes) -> int | None:
    """Return which request of ours a line was meant to answer that cannot be read; ``None`` when nothing tells.

    Both orders in which libraries write an answer do: ``jsonrpc`` and ``id`` at its beginning or at its end.
    """
    if not line.rstrip().endswith(b"}"):
        return None  # cut off: whoever reads the rest, or misses it, says so
    found = _ANSWER_BEGINS.match(line)
    if found is None and line.lstrip().startswith((b'{"result"', b'{"error"')):
        found = _ANSWER_ENDS.search(line[-_ENDING:])
    return None if found is None else int(found[1])


def read_error(error: Raw) -> RpcError:
    """Turn the ``error`` member of a message into an exception; what it lacks or spells wrongly gets a default."""
    try:
        body = _decode_error(error)
    except UNREADABLE:
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


def _drop_null(message: Message) -> None:
    """Some servers write both ``result`` and ``error``, and ``null`` for the one that is not there."""
    if bytes(message.error or b"") == b"null":
        message.error = None
    elif bytes(message.result or b"") == b"null":
        message.result = None


def text_of(value: Raw) -> str | None:
    """Return a raw text, or ``None`` where it is something else."""
    try:
        return _decode_text(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def opened(meta: object) -> dict[str, object]:
    """Return a caller's ``_meta`` as a dictionary of our own; what is no object counts as absent."""
    if isinstance(meta, (Raw, bytes)):
        try:
            return dict(_decode_object(meta))
        except UNREADABLE:
            return {}
    return dict(meta) if isinstance(meta, Mapping) else {}


def _once_more(decode: Callable[[bytes], _T], line: bytes, why: str) -> _T:
    """Decode a line that failed, without its halves of pairs; raises :class:`ProtocolError` if that is no help."""
    mended = _ESCAPES.sub(lambda found: rb"\ufffd" if found[1] else found[0], line)
    if mended != line:
        with contextlib.suppress(*UNREADABLE):
            return decode(mended)
    raise ProtocolError(why)
