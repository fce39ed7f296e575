"""A call of one tool as a call of another, and the label of its answer."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

from vsm_mcp.model.stand_in import StandIn
from vsm_mcp.routing.rewrite import SERVED_BY, labelled, rewritten, served_by

WRITE = StandIn(server="notes", tool="put", arguments={"path": "file"}, fixed={"mode": Raw(b'"w"')})


def test_arguments_get_their_places_keep_their_values_and_other_params_stay() -> None:
    params = {"name": Raw(b'"write"'), "arguments": Raw(b'{"path": 1.0}'), "task": Raw(b"{}")}
    found = rewritten(params, WRITE)
    assert found == {"name": Raw(b'"put"'), "arguments": Raw(b'{"mode":"w","file":1.0}'), "task": Raw(b"{}")}
    assert rewritten({}, WRITE) == {"name": Raw(b'"put"'), "arguments": Raw(b'{"mode":"w"}')}


@pytest.mark.parametrize("given", [b'{"path":"/a","line":1}', b"[1]", b'{"path":'])
def test_what_has_no_place_there_stays_where_it_was(given: bytes) -> None:
    assert rewritten({"arguments": Raw(given)}, WRITE) is None


def test_a_label_leaves_all_else_as_it_was() -> None:
    result = labelled(Raw(b'{"content":[ ],"n":1.0,"_meta":{"a": 1}}'), "k", {"server": "b"})
    assert b'"content":[ ]' in result
    assert b'"n":1.0' in result
    assert json.loads(result)["_meta"] == {"a": 1, "k": {"server": "b"}}
    assert json.loads(labelled(b"{}", "k", 1)) == {"_meta": {"k": 1}}


def test_who_served_is_named_with_its_tool() -> None:
    said = json.loads(served_by(b'{"content":[]}', "notes", "put"))
    assert said["_meta"] == {SERVED_BY: {"server": "notes", "tool": "put"}}


def test_what_cannot_be_labelled_stays_as_it_is() -> None:
    assert labelled(b"[]", "k", 1) == b"[]"
    assert labelled(b'{"_meta":3}', "k", 1) == b'{"_meta":3}'
