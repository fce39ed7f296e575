from __future__ import annotations

from typing import Any

import pytest

from vsm_mcp.app.typed import typed_arguments
from vsm_mcp.errors import BadArgument

SCHEMA = {
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "ratio": {"type": "number"},
        "on": {"type": "boolean"},
        "items": {"type": "array"},
        "object": {"type": "object"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "loose": {"type": ["string", "integer"]},
        "bare": {},
    }
}


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("text", "5", "5"),
        ("count", "5", 5),
        ("ratio", "0.5", 0.5),
        ("on", "true", True),
        ("items", "[1, 2]", [1, 2]),
        ("items", "a, b", ["a", "b"]),
        ("object", '{"a": 1}', {"a": 1}),
        ("either", "null", None),
        ("loose", "7", "7"),
        ("bare", "7", "7"),
        ("unknown", "7", "7"),
    ],
)
def test_values_are_read_as_the_schema_says(key: str, text: str, value: Any) -> None:
    assert typed_arguments({key: text}, SCHEMA) == {key: value}


def test_a_value_that_does_not_fit_is_named() -> None:
    with pytest.raises(BadArgument, match="count='many'") as caught:
        typed_arguments({"count": "many"}, SCHEMA)
    assert "count:=JSON" in caught.value.hint


@pytest.mark.parametrize(
    "schema", [{}, {"properties": None}, {"properties": {"x": True}}, {"properties": {"x": {"type": 5}}}]
)
def test_odd_schemas_send_text(schema: dict[str, Any]) -> None:
    assert typed_arguments({"x": "1"}, schema) == {"x": "1"}
