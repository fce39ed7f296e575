"""Which tool can stand in for which: never one that cannot take the call, or that may do more."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm_mcp.app.capabilities import compatibility, reader
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.routing.capabilities import Known
from vsm_mcp.routing.compatibility import LEAST_LIKENESS, Compatibility, Verdict, judge
from vsm_mcp.routing.effects import Seen
from vsm_mcp.routing.shapes import Shape

STRING, INTEGER = {"type": "string"}, {"type": "integer"}
QUIET = Seen()
CLOCK = ("time.clock", "time.timezones")
READS = {"readOnlyHint": True, "openWorldHint": False}


def tool(
    name: str = "get_current_time", *, said: str = "Get the current time in a timezone.", **more: Any
) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"timezone": STRING}, "required": ["timezone"]}
    return {"name": name, "description": said, "inputSchema": schema, **more}


def shapes(server: str, *tools: dict[str, Any], tags: tuple[str, ...] = CLOCK, seen: Seen = QUIET) -> tuple[Shape, ...]:
    items = (Definition(kind=ItemKind.TOOL, name=one["name"], raw=json.dumps(one).encode()) for one in tools)
    return reader().shapes(server, Offer(items=tuple(items)), Known(tags=tags, seen=seen))


def judged(own: dict[str, Any], other: dict[str, Any], **more: Any) -> Verdict:
    [mine], [theirs] = shapes("a", own, **more), shapes("b", other, **more)
    return judge(mine, theirs, compatibility().worlds)


def test_the_same_tool_of_another_server_stands_in() -> None:
    found = judged(tool(annotations=READS), tool("currentTime", annotations=READS))
    assert found.reasons == ()
    assert (found.stand_in.server, found.stand_in.tool) == ("b", "currentTime")
    assert found.stand_in.arguments == {"timezone": "timezone"}
    assert found.stand_in.likeness >= LEAST_LIKENESS


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ({"readOnlyHint": True}, None),
        ({"readOnlyHint": True}, {"readOnlyHint": False}),
        ({"destructiveHint": False}, None),
        ({"idempotentHint": True}, {"destructiveHint": False}),
        ({"openWorldHint": False}, {"readOnlyHint": True}),
    ],
)
def test_what_may_do_more_does_not(own: dict[str, Any], other: dict[str, Any] | None) -> None:
    assert judged(tool(annotations=own), tool() if other is None else tool(annotations=other)).reasons
    assert judged(tool(annotations=own), tool(annotations=own)).reasons == ()


def test_the_relation_goes_one_way_where_only_one_may_do_more() -> None:
    assert judged(tool(), tool(annotations=READS)).reasons == ()
    assert judged(tool(annotations=READS), tool()).reasons


def test_what_was_seen_reaching_out_is_not_closed() -> None:
    [own], [other] = shapes("a", tool(annotations=READS)), shapes("b", tool(annotations=READS), seen=Seen(reached=True))
    assert judge(own, other, compatibility().worlds).reasons == ("it may reach the outside (by its trial)",)


def test_answers_must_have_the_structure_that_was_promised() -> None:
    promised = {"type": "object", "properties": {"time": STRING}, "required": ["time"]}
    closed = {**promised, "additionalProperties": False}
    assert judged(tool(outputSchema=promised), tool()).reasons
    assert judged(tool(), tool(outputSchema=promised)).reasons == ()
    assert judged(tool(outputSchema=promised), tool(outputSchema=closed)).reasons == ()
    assert judged(tool(outputSchema=closed), tool(outputSchema=promised)).reasons
    other = {"type": "object", "properties": {"time": INTEGER}, "required": ["time"]}
    assert judged(tool(outputSchema=promised), tool(outputSchema=other)).reasons


def test_what_works_on_something_of_its_own_server_does_not() -> None:
    query = {"type": "object", "properties": {"query": STRING}, "required": ["query"]}
    same = {"name": "read_query", "description": "Execute a SELECT query on the SQLite database.", "inputSchema": query}
    found = judged(same, same, tags=("data.sqlite",))
    assert found.reasons == ("it works on something of its own server",)
    assert found.stand_in.likeness == 1.0


def test_what_is_asked_nothing_tells_of_its_own_server() -> None:
    nothing = {"type": "object", "properties": {}}
    same = {"name": "list_allowed_directories", "description": "Lists allowed directories.", "inputSchema": nothing}
    assert judged(same, same, tags=("files.local",)).reasons == ("it is asked nothing, so it tells of its own server",)
    now = tool("get_current_time", said="Get the current time.", inputSchema=nothing)
    assert judged(now, now).reasons == ()


@pytest.mark.parametrize(
    ("own", "other"),
    [
        (tool("fetch", said="Fetches a page as markdown."), tool("fetch_html", said="Fetches a page.")),
        (tool("read_file", said="Reads a file."), tool("delete_file", said="Deletes a file.")),
        (tool("create_entities", said="Creates entities."), tool("create_relations", said="Creates relations.")),
    ],
)
def test_what_does_something_else_does_not(own: dict[str, Any], other: dict[str, Any]) -> None:
    assert judged(own, other, tags=("files.local",)).reasons


def test_a_choice_of_how_to_write_is_not_left_out() -> None:
    def write(**more: Any) -> dict[str, Any]:
        properties = {"path": STRING, "content": STRING, **more}
        schema = {"type": "object", "properties": properties, "required": ["path", "content"]}
        return {"name": "write_file", "description": "Write content to a file.", "inputSchema": schema}

    cautious, other = write(overwrite={"type": "boolean", "default": False}), write()
    assert judged(other, cautious, tags=("files.local",)).reasons == ()
    found = judged(cautious, other, tags=("files.local",))
    assert found.reasons == ("it writes without the choice that overwrite gives",)


def test_a_schema_beyond_reading_is_compared_with_none() -> None:
    opaque = {"type": "object", "not": {}}
    assert "the schema of its arguments cannot be compared" in judged(tool(), tool(inputSchema=opaque)).reasons


class TestMatrix:
    def made(self, *servers: str) -> Compatibility:
        matrix = compatibility()
        for server in servers:
            matrix.put(server, shapes(server, tool()))
        return matrix

    def names(self, matrix: Compatibility, server: str) -> list[str]:
        return [one.server for one in matrix.stand_ins(server, "get_current_time")]

    def test_servers_come_and_go(self) -> None:
        matrix = self.made("a", "b")
        assert self.names(matrix, "a") == ["b"]
        matrix.put("c", shapes("c", tool()))
        assert self.names(matrix, "a") == ["b", "c"]
        matrix.drop("b")
        assert self.names(matrix, "a") == ["c"]
        assert self.names(matrix, "b") == []
        matrix.put("c", shapes("c", tool("convert_time", said="Convert a time between timezones.")))
        assert self.names(matrix, "a") == []

    def test_a_change_of_one_kind_leaves_the_others_as_they_are(self) -> None:
        matrix = self.made("a", "b")
        before = matrix.compared("a", "get_current_time")
        matrix.put("c", shapes("c", tool("hash", said="Compute a hash."), tags=("crypto.hash",)))
        assert matrix.compared("a", "get_current_time") is before
        matrix.put("d", shapes("d", tool()))
        assert matrix.compared("a", "get_current_time") is not before

    def test_what_is_not_known_has_none(self) -> None:
        assert self.made("a", "b").stand_ins("a", "nothing") == ()
        assert self.made("a", "b").stand_ins("nobody", "get_current_time") == ()

    def test_of_very_many_the_nearest_are_compared(self) -> None:
        matrix = self.made("a", "b")
        names = [f"get_{one}{two}" for one in "abcdefghijklmnopqrst" for two in ("river", "tower", "planet")]
        for number in range(8):
            others = (tool(f"{name}{number}", said="Get something else entirely.") for name in names)
            matrix.put(f"other{number}", shapes(f"other{number}", *others))
        assert self.names(matrix, "a") == ["b"]


NAMES = st.sampled_from(["timezone", "tz", "limit", "max_results", "query", "path", "kind"])
PARTS = st.sampled_from(
    [
        STRING,
        INTEGER,
        {"type": "number"},
        {"type": "string", "enum": ["a", "b"]},
        {"type": "string", "enum": ["a"]},
        {"type": "integer", "minimum": 0},
        {"type": "boolean", "default": True},
        {"type": ["string", "null"], "default": None},
        {"type": "integer", "default": 3},
        {"type": "array", "items": STRING},
    ]
)
HINTS = st.dictionaries(
    st.sampled_from(["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"]), st.booleans()
)
OUTPUTS = st.sampled_from(
    [None, {"type": "object"}, {"type": "object", "properties": {"a": STRING}, "required": ["a"]}]
)


@st.composite
def tools(draw: st.DrawFn) -> dict[str, Any]:
    properties = draw(st.dictionaries(NAMES, PARTS, max_size=3))
    required = [name for name in properties if draw(st.booleans())]
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    made, output = tool(inputSchema=schema, annotations=draw(HINTS)), draw(OUTPUTS)
    return made if output is None else {**made, "outputSchema": output}


VALUES = {"string": st.sampled_from(["a", "b", "/x"]), "integer": st.integers(-2, 9), "number": st.floats(0, 9)}
VALUES |= {"boolean": st.booleans(), "array": st.lists(st.just("a"), max_size=2), "null": st.none()}


def call(draw: st.DrawFn, schema: dict[str, Any]) -> dict[str, Any]:
    """Return arguments that a schema lets through."""
    given_: dict[str, Any] = {}
    for name, part in schema["properties"].items():
        if name in schema["required"] or draw(st.booleans()):
            kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
            values = st.sampled_from(part["enum"]) if "enum" in part else VALUES[draw(st.sampled_from(kinds))]
            given_[name] = draw(values)
    return given_ if jsonschema.Draft202012Validator(schema).is_valid(given_) else {}


@settings(max_examples=300)
@given(st.data())
def test_whoever_stands_in_takes_the_call_and_does_no_more(data: st.DataObject) -> None:
    own, other = data.draw(tools()), data.draw(tools())
    found = judged(own, other)
    if found.reasons:
        return
    mine, theirs = own["annotations"], other["annotations"]
    if mine.get("readOnlyHint"):
        assert theirs.get("readOnlyHint")
    if mine.get("openWorldHint") is False:
        assert theirs.get("openWorldHint") is False
    stand_in = found.stand_in
    needed = set(other["inputSchema"]["required"])
    always = {stand_in.arguments[name] for name in own["inputSchema"]["required"]}
    assert needed <= always | set(stand_in.fixed)
    arguments = data.draw(st.composite(call)(own["inputSchema"]))
    if set(own["inputSchema"]["required"]) <= arguments.keys():
        raw = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in arguments.items()}
        handed = stand_in.rewritten(raw)
        if handed is not None:
            jsonschema.Draft202012Validator(other["inputSchema"]).validate(json.loads(msgspec.json.encode(handed)))


def test_that_is_seen_often_enough() -> None:
    """The property above would hold of a rule that lets nobody stand in."""
    seen: list[bool] = []

    @settings(max_examples=300, database=None, derandomize=True)
    @given(tools(), tools())
    def count(own: dict[str, Any], other: dict[str, Any]) -> None:
        seen.append(not judged(own, other).reasons)

    count()
    assert sum(seen) >= 15


WORDS = st.sampled_from(
    [
        "type",
        "properties",
        "required",
        "items",
        "anyOf",
        "$ref",
        "enum",
        "default",
        "description",
        "additionalProperties",
    ]
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["object", "array", "string", "#/", "#/a", "\u202e", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(st.sampled_from(["name", "description", "annotations"]), ANYTHING, max_size=2).flatmap(
    lambda body: st.fixed_dictionaries({**dict.fromkeys(("inputSchema", "outputSchema"), ANYTHING)}).map(
        lambda schemas: {**body, **schemas}
    )
)


@given(st.text(max_size=20), BODIES, BODIES)
def test_whatever_a_server_defines_can_be_compared(name: str, one: Any, other: Any) -> None:
    matrix = compatibility()
    for server, body in (("a", one), ("b", other)):
        items = (Definition(kind=ItemKind.TOOL, name=name, raw=json.dumps(body).encode()),)
        offer = Offer(items=items)
        assert reader().classifier.capabilities(server, offer, Known(tags=CLOCK))
        matrix.put(server, reader().shapes(server, offer, Known(tags=CLOCK)))
    for verdict in matrix.compared("a", name):
        assert 0.0 <= verdict.stand_in.likeness <= 1.0
