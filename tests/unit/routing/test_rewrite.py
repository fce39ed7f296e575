from __future__ import annotations

import json

import pytest
from msgspec import Raw

from vsm_mcp.model.stand_in import StandIn
from vsm_mcp.routing.rewrite import arguments, labelled

OTHER = StandIn(server="b", tool="get", arguments={"path": "file"}, fixed={"depth": Raw(b"1")})


def test_arguments_get_their_other_names_and_keep_their_values() -> None:
    assert arguments(Raw(b'{"path": 1.0}'), OTHER) == Raw(b'{"depth":1,"file":1.0}')
    assert arguments(None, OTHER) == Raw(b'{"depth":1}')


@pytest.mark.parametrize("given", [b'{"other":1}', b"[]", b"{"])
def test_what_does_not_fit(given: bytes) -> None:
    assert arguments(Raw(given), OTHER) is None


def test_a_label_leaves_all_else_as_it_was() -> None:
    result = labelled(Raw(b'{"content":[ ],"n":1.0,"_meta":{"a": 1}}'), "k", {"server": "b"})
    assert b'"content":[ ]' in result
    assert b'"n":1.0' in result
    assert json.loads(result)["_meta"] == {"a": 1, "k": {"server": "b"}}
    assert json.loads(labelled(b"{}", "k", 1)) == {"_meta": {"k": 1}}


def test_what_cannot_be_labelled_stays_as_it_is() -> None:
    assert labelled(b"[]", "k", 1) == b"[]"
    assert labelled(b'{"_meta":3}', "k", 1) == b'{"_meta":3}'
