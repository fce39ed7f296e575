"""Which tools a trial calls: those that say they change nothing, with arguments that their schema itself gives."""

from __future__ import annotations

from typing import Any

import pytest

from vsm_mcp.vetting.trials.calls import MAX_TOOLS, safe_calls

READS = {"readOnlyHint": True}


def tool(annotations: Any, schema: Any, name: Any = "look") -> dict[str, Any]:
    return {"name": name, "annotations": annotations, "inputSchema": schema}


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        (of(), {}),
        ({"type": "object"}, {}),
        (of(a={"default": 3}), {"a": 3}),
        (of(a={"const": None}, b={"enum": ["x", "y"]}), {"a": None, "b": "x"}),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {}),
    ],
)
def test_it_is_called_with_what_its_schema_gives(schema: Any, arguments: Any) -> None:
    one = tool(READS, schema)
    assert safe_calls([one]) == [(one, arguments)]


@pytest.mark.parametrize(
    "odd",
    [
        tool({}, of()),
        tool(None, of()),
        tool({"readOnlyHint": "true"}, of()),
        tool({"readOnlyHint": False}, of()),
        tool({"readOnlyHint": True, "destructiveHint": True}, of()),
        tool(READS, of(path={"type": "string"})),
        tool(READS, of(path={"enum": []})),
        tool(READS, of(path=True)),
        tool(READS, None),
        tool(READS, {"anyOf": [of()]}),
        tool(READS, {"type": "object", "required": "a"}),
        tool(READS, of(), name=7),
    ],
)
def test_anything_else_is_not_called(odd: dict[str, Any]) -> None:
    assert safe_calls([odd]) == []


def test_only_so_many_are_called() -> None:
    assert len(safe_calls([tool(READS, of(), name=f"look_{n}") for n in range(50)])) == MAX_TOOLS
