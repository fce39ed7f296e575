"""JSON-RPC envelopes: what is written can be read, and nothing but a ProtocolError comes of rubbish."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from vsm_mcp.errors import ProtocolError
from vsm_mcp.wire import envelope

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ALMOST = st.dictionaries(
    st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "x"]), st.just("2.0") | JSON, max_size=7
).map(lambda value: json.dumps(value).encode())


def test_the_four_kinds() -> None:
    kinds = {
        b'{"jsonrpc":"2.0","id":1,"method":"ping"}': "request",
        b'{"jsonrpc":"2.0","method":"notifications/x","params":{}}': "notification",
        b'{"result":{},"id":"a","jsonrpc":"2.0","more":[1]}': "response",
        b' {"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}} ': "error",
    }
    assert {line: envelope.read(line).kind for line in kinds} == kinds


def test_raw_parts_are_the_bytes_that_came() -> None:
    message = envelope.read(b'{"jsonrpc":"2.0", "id": "7" ,"result": {"b" : 1.50, "a":"\\u00e9"} }')
    assert bytes(message.id or b"") == b'"7"'
    assert bytes(message.result or b"") == b'{"b" : 1.50, "a":"\\u00e9"}'
    assert message.params is None
    assert message.error is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Listening on port 3000",
        b"[]",
        b"7",
        b"{}",
        b'{"level":"info","method":"GET","id":1}',  # a log line, not JSON-RPC
        b'{"jsonrpc":"1.0","id":1,"method":"a"}',
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}',
        b'{"jsonrpc":"2.0","id":1,"method":7}',
        b'{"jsonrpc":"2.0","id":1,"result":{}} trailing',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":',
        b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 200_000,
        b'\xff\xfe{"jsonrpc":"2.0","id":1,"result":{}}',
    ],
)
def test_rubbish(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        envelope.read(line)


@settings(deadline=None)
@given(
    st.binary()
    | ALMOST
    | st.tuples(ALMOST, st.binary(max_size=3), st.integers(0, 40)).map(lambda t: t[0][: t[2]] + t[1] + t[0][t[2] :])
)
@example(b'{"jsonrpc":"2.0","id":1,"method":"\xff"}')
@example(b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}')
def test_any_bytes(data: bytes) -> None:
    for work in (envelope.read, envelope.read_batch):
        try:
            work(data)
        except ProtocolError:
            continue


def test_a_bad_byte_does_not_lose_the_answer() -> None:
    message = envelope.read(b'{"jsonrpc":"2.0","id":1,"result":{"text":"caf\xe9 \xf0\x9f"}}')
    assert json.loads(bytes(message.result or b"")) == {"text": "caf\ufffd \ufffd"}


def test_null_stands_for_the_member_that_is_not_there() -> None:
    kinds = {
        b'{"jsonrpc":"2.0","id":1,"result":{},"error":null}': "response",
        b'{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":1,"message":""}}': "error",
        b'{"jsonrpc":"2.0","id":1,"result":null}': "response",
    }
    assert {line: envelope.read(line).kind for line in kinds} == kinds


@pytest.mark.parametrize(
    ("line", "ident"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":{"x":NaN}}', 7),
        (b' { "jsonrpc" : "2.0", "id" : "7", "error" : oh }', 7),
        (b'{"jsonrpc":"2.0","id":7}', 7),
        (b'{"result":{"text":"\x01"},"jsonrpc":"2.0","id":7} ', 7),
        (b'{"jsonrpc":"2.0","id":7,"method":"ping","params":NaN}', None),
        (b'{"method":"ping","params":NaN,"jsonrpc":"2.0","id":7}', None),
        (b'{"log":"{\\"jsonrpc\\":\\"2.0\\",\\"id\\":7,\\"result\\":1}', None),
        (b'{"jsonrpc":"2.0","id":%b,"result":NaN}' % (b"7" * 5000), None),
        (b'{"jsonrpc":"2.0","id":7,"result":{"x":', None),
        (b"Listening on port 7", None),
    ],
)
def test_what_an_unreadable_line_was_meant_to_answer(line: bytes, ident: int | None) -> None:
    assert envelope.answered(line) == ident


def test_half_of_a_surrogate_pair_does_not_lose_the_answer() -> None:
    text = rb"\ud83d \ude00\ud83d\uD83D\uDE00 \\ud83d \\\udbff"
    whole = b'{"jsonrpc":"2.0","id":1,"result":{"text":"%b"}}' % text
    mended = "\ufffd \ufffd\ufffd\U0001f600 \\ud83d \\\ufffd"
    assert json.loads(bytes(envelope.read(whole).result or b"")) == {"text": mended}
    assert [json.loads(part)["result"]["text"] for part in envelope.read_batch(b"[%b]" % whole)] == [mended]
    with pytest.raises(ProtocolError):
        envelope.read(whole.replace(b"1,", b"1 "))
    pair = whole.replace(text, rb"\ud83d\ude00")
    assert bytes(envelope.read(pair).result or b"") == rb'{"text":"\ud83d\ude00"}'


@settings(deadline=None)
@given(st.integers(0, 2**53) | st.text(), st.text(), st.dictionaries(st.text(), JSON) | st.none())
def test_requests_read_back(ident: int | str, method: str, params: dict[str, Any] | None) -> None:
    written = json.loads(envelope.request(ident, method, params))
    wanted: dict[str, Any] = {"jsonrpc": "2.0", "id": ident, "method": method}
    assert written == (wanted if params is None else {**wanted, "params": params})
    assert envelope.read(envelope.request(ident, method, params)).kind == "request"


def test_writing() -> None:
    raw = Raw(b'{"a" : 1}')
    assert envelope.request(1, "m", {"arguments": raw, "_meta": {"k": raw}}) == (
        b'{"id":1,"method":"m","params":{"arguments":{"a" : 1},"_meta":{"k":{"a" : 1}}},"jsonrpc":"2.0"}'
    )
    assert json.loads(envelope.request(Raw(b'"x"'), "m", b"[1]")) == {
        "jsonrpc": "2.0",
        "id": "x",
        "method": "m",
        "params": [1],
    }
    assert json.loads(envelope.notification("n", {"a": raw})) == {
        "jsonrpc": "2.0",
        "method": "n",
        "params": {"a": {"a": 1}},
    }
    assert json.loads(envelope.notification("n")) == {"jsonrpc": "2.0", "method": "n"}
    assert json.loads(envelope.response(Raw(b"null"), raw)) == {"jsonrpc": "2.0", "id": None, "result": {"a": 1}}
    assert json.loads(envelope.error(None, -32700, "x", b"[1]")) == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32700, "message": "x", "data": [1]},
    }


def test_errors_are_read_as_far_as_they_can_be() -> None:
    error = envelope.read_error(Raw(b'{"code":-32022,"message":"no","data":{"supported":["x"]}}'))
    assert (error.rpc_code, error.message, error.data) == (-32022, "no", b'{"supported":["x"]}')
    assert envelope.read_error(Raw(b'{"code":"x"}')).rpc_code == -32603
    assert envelope.read_error(Raw(b'"it broke"')).data == b'"it broke"'
    assert envelope.read_error(Raw(b"{}")).rpc_code == 0
