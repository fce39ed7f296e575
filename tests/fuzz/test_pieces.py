"""The parts that read what others wrote: whatever it is, they read it, or say in their own words that they cannot."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import Raw
from tests.fuzz.bench import EXAMPLES
from tests.fuzz.requests import PARAMS
from tests.fuzz.test_servers import ERROR, RESULT
from tests.fuzz.texts import ANY, BROKEN, IDS, STRINGS, mangled, members, mostly, object_of, quoted, verbatim

from vsm_mcp.errors import ProtocolError
from vsm_mcp.gateway import capabilities, faults, messages, param_headers, results, rounds
from vsm_mcp.gateway.catalogue import Catalogue
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.seal import Seal, State, digest
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.wire import envelope
from vsm_mcp.wire.envelope import Message
from vsm_mcp.wire.mirror import Mirror
from vsm_mcp.wire.pending import number
from vsm_mcp.wire.sse import SseReader

many = settings(max_examples=EXAMPLES or 100, deadline=None)


def part(text: str | bytes) -> Raw:
    """Return a member of a message, as it is after the message was read; what cannot be read is no example."""
    written = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    try:
        found: Raw | None = envelope.read(b'{"jsonrpc":"2.0","id":1,"result":%b}' % written).result
    except ProtocolError:
        found = None
    assume(found is not None)
    return found or Raw(b"")


def assert_json(body: bytes | Raw) -> None:
    """Check that something is JSON, as far as Python can tell."""
    with suppress(RecursionError):
        verbatim(bytes(body))


FIELDS = st.sampled_from(
    [b"data: a", b"data:b", b"data", b"event: message", b"event: x", b"id: 7", b"id: \0", b": ping"]
)
EVENTS = st.lists(
    st.tuples(FIELDS | st.binary(max_size=12), st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r"])), max_size=12
)


@many
@given(EVENTS, st.lists(st.floats(0, 1), max_size=6), st.booleans())
def test_events_do_not_depend_on_the_pieces(lines: list[tuple[bytes, bytes]], places: list[float], bom: bool) -> None:
    stream = (b"\xef\xbb\xbf" if bom else b"") + b"".join(line + end for line, end in lines)
    cuts = [0, *sorted(int(place * len(stream)) for place in places), len(stream)]
    whole, pieces = SseReader(1000), SseReader(1000)
    found = [data for a, b in pairwise(cuts) for data in pieces.feed(stream[a:b])]
    assert found == whole.feed(stream)
    assert (pieces.last_id, pieces.retry) == (whole.last_id, whole.retry)


@many
@given(mangled(IDS))
def test_any_id_is_a_number_or_none(ident: bytes) -> None:
    found = number(part(ident))
    assert found == -1 or json.loads(ident) in {found, str(found)}


SEAL = Seal(b"k" * 32)
STATE = State(kind="inner", server="s", client="c", digest="d", until=2.0, inner="x")


@many
@given(st.text(max_size=80) | mangled(st.just(SEAL.close(STATE))).map(lambda text: text.decode("latin-1")), PARAMS)
def test_no_state_but_ours_is_opened(text: str, params: str) -> None:
    try:
        request = messages.request_of(Message(jsonrpc="2.0", id=Raw(b"1"), method="m", params=part(params)))
    except Fault:
        return
    request.params["requestState"] = Raw(json.dumps(text).encode())
    bound = State(kind="inner", server="s", client="c", digest=digest(request), until=2.0, inner="x")
    opened = None
    with suppress(Fault):
        opened = SEAL.open(request, "c", "s", 1.0)
    assert opened is None or opened == bound
    request.params["requestState"] = Raw(json.dumps(SEAL.close(bound)).encode())
    assert SEAL.open(request, "c", "s", 1.0) == bound


@many
@given(mostly(RESULT, ANY).map(part), st.booleans(), st.booleans())
def test_results_are_bridged_or_refused(result: Raw, to_modern: bool, from_modern: bool) -> None:
    for method in ("tools/call", "resources/read"):
        with suppress(ProtocolError):
            rounds.asked(result)
            assert_json(results.bridged(result, method, to_modern=to_modern, from_modern=from_modern))


@many
@given(mostly(ERROR, ANY).map(part), st.booleans())
def test_errors_are_passed_on_or_replaced(error: Raw, modern: bool) -> None:
    read = envelope.read_error(error)
    faults.url_elicitations(read)
    passed = faults.passed_on(read, "s", "resources/read", modern=modern)
    assert_json(messages.fault(b"1", passed))


@many
@given(
    ANY.map(part), st.sampled_from(["elicitation/create", "sampling/createMessage", "roots/list", "x"]), ANY.map(part)
)
def test_capabilities_are_read_or_none(declared: Raw, method: str, params: Raw) -> None:
    capabilities.missing(method, params, capabilities.read(declared))


NODE = st.fixed_dictionaries(
    {},
    optional={
        "type": mostly(quoted("string", "integer", "boolean", "object"), ANY),
        "x-mcp-header": mostly(quoted("Region", "n", "A B"), ANY),
        "items": ANY,
        "$ref": STRINGS,
        "description": ANY,
    },
).map(object_of)
SCHEMA = st.fixed_dictionaries(
    {"type": mostly(quoted("object"), ANY)},
    optional={"properties": mostly(members(quoted("a", "b"), mostly(NODE, ANY)), ANY), "required": ANY, "$defs": ANY},
).map(object_of)
TOOL = st.fixed_dictionaries(
    {"name": mostly(quoted("t", "u", "ü", ""), ANY)},
    optional={
        "title": ANY,
        "description": mostly(STRINGS, ANY),
        "inputSchema": mostly(SCHEMA, ANY),
        "outputSchema": ANY,
        "annotations": ANY,
        "uri": mostly(STRINGS, ANY),
    },
).map(object_of)


@many
@given(
    SCHEMA.map(part), mostly(members(quoted("a", "b"), ANY), ANY).map(part), st.lists(st.text(max_size=8), max_size=2)
)
def test_header_rules_of_any_schema(schema: Raw, arguments: Raw, values: list[str]) -> None:
    rules = param_headers.rules_of(schema)
    headers = {rule.header: values for rule in rules}
    assert isinstance(param_headers.disagreement(rules, arguments, headers), str)
    mirror = Mirror()
    mirror.learn([Raw(b'{"name":"t","inputSchema":%b}' % schema)])
    assert all(isinstance(value, str) for value in mirror.headers("t", arguments).values())


@many
@given(st.lists(st.tuples(st.sampled_from(list(ItemKind)), STRINGS, TOOL | ANY), max_size=4))
def test_whatever_servers_offer_the_lists_can_be_read(items: list[tuple[ItemKind, str, str]]) -> None:
    definitions = []
    for kind, name, text in items:
        known = json.loads(name).encode("utf-8", "replace").decode()
        definitions.append(Definition(kind=kind, name=known, raw=bytes(part(text))))
    catalogue = Catalogue({"s": Offer(items=tuple(definitions)), "t": Offer(items=tuple(definitions))})
    for listing in catalogue.listings.values():
        for modern in (True, False):
            assert_json(listing.page("", modern=modern))


@many
@given(BROKEN | ANY, BROKEN | ANY)
def test_a_request_is_opened_or_refused(params: str, meta: str) -> None:
    body = f'{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"x":{params},"_meta":{meta}}}}}'.encode(
        "utf-8", "replace"
    )
    with suppress(Fault):
        request = messages.request_of(messages.read(body))
        assert isinstance(request, Request)
        digest(request)
