"""A call of one tool as a call of another, and the label of its answer."""

from __future__ import annotations

import json

from msgspec import Raw

from vsm_mcp.model.stand_in import StandIn
from vsm_mcp.routing.rewrite import SERVED_BY, labelled, rewritten

WRITE = StandIn(server="notes", tool="put", arguments={"path": "file"}, fixed={"mode": Raw(b'"w"')})


def test_arguments_get_their_places_and_other_params_stay() -> None:
    params = {"name": Raw(b'"write"'), "arguments": Raw(b'{"path":"/a"}'), "task": Raw(b"{}")}
    found = rewritten(params, WRITE)
    assert found is not None
    assert {name: json.loads(bytes(raw)) for name, raw in found.items()} == {
        "name": "put",
        "arguments": {"mode": "w", "file": "/a"},
        "task": {},
    }


def test_an_argument_without_a_place_and_arguments_that_are_none_stay_where_they_were() -> None:
    assert rewritten({"arguments": Raw(b'{"path":"/a","line":1}')}, WRITE) is None
    assert rewritten({"arguments": Raw(b"[1]")}, WRITE) is None
    assert rewritten({"arguments": Raw(b'{"path":')}, WRITE) is None
    assert rewritten({}, WRITE) is not None


def test_a_label_comes_beside_what_is_in_meta_already() -> None:
    assert json.loads(labelled(b'{"content":[],"_meta":{"a":1}}', "notes")) == {
        "content": [],
        "_meta": {"a": 1, SERVED_BY: "notes"},
    }
    assert json.loads(labelled(b'{"content":[]}', "notes"))["_meta"] == {SERVED_BY: "notes"}
    assert labelled(b"junk", "notes") == b"junk"
