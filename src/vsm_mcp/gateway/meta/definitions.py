"""What the gateway's own tools look like in a list of tools."""

from __future__ import annotations

from typing import Any, Final

from vsm_mcp.gateway.messages import encode
from vsm_mcp.gateway.shelf import Entry

FIND: Final = "find_tools"
DESCRIBE: Final = "describe_tool"
CALL: Final = "call_tool"
ACQUIRE: Final = "acquire_capability"

MOST_FOUND: Final = 50
USUALLY_FOUND: Final = 8

_READS: Final = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
_ANYTHING: Final = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True}
_ADDS: Final = {"readOnlyHint": False, "destructiveHint": False, "idempotentHint": True, "openWorldHint": True}
_TEXT: Final = {"type": "string"}


def _object(required: tuple[str, ...], /, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _entry(name: str, title: str, description: str, **members: Any) -> Entry:
    raw = encode({"name": name, "title": title, "description": description, **members})
    return Entry(name, raw, raw)


_PARAMETER: Final = _object(
    ("name", "type", "required"), name=_TEXT, type=_TEXT, required={"type": "boolean"}, description=_TEXT
)
_FOUND: Final = _object(
    ("name", "server", "description", "parameters"),
    name=_TEXT,
    server=_TEXT,
    description=_TEXT,
    parameters={"type": "array", "items": _PARAMETER},
)

_FIND: Final = _entry(
    FIND,
    "Find tools",
    "Find tools by what they do. Say in plain words what you want done; the tools that fit are returned, the best "
    "first, with their parameters. Many more tools can be called here than are listed: look before you conclude that "
    "something cannot be done. Then call one with call_tool.",
    inputSchema=_object(
        ("query",),
        query=_text("What is to be done, in a few plain words: 'read a spreadsheet', 'create a GitHub issue'."),
        limit={
            "type": "integer",
            "minimum": 1,
            "maximum": MOST_FOUND,
            "default": USUALLY_FOUND,
            "description": "How many tools to return at most.",
        },
        server=_text("Only tools of this server; leave it out to look everywhere."),
    ),
    outputSchema=_object(
        ("query", "met", "searched", "tools"),
        query=_TEXT,
        met={"type": "boolean", "description": "Whether one of the tools plainly does what was asked for."},
        searched={"type": "integer", "description": "Among how many tools was looked."},
        tools={"type": "array", "items": _FOUND},
    ),
    annotations=_READS,
)
_DESCRIBE: Final = _entry(
    DESCRIBE,
    "Describe a tool",
    "Return the full definition of one tool: its description, the JSON Schema of its arguments and what its server "
    "says about using it. Ask for it before you call a tool whose arguments are not plain from find_tools.",
    inputSchema=_object(("name",), name=_text("The tool's name, exactly as find_tools gives it.")),
    outputSchema=_object(
        ("server", "tool"),
        server=_TEXT,
        tool={"type": "object", "description": "The definition, as in a list of tools."},
        instructions={"type": "string", "description": "What the server says about using its tools."},
    ),
    annotations=_READS,
)
_CALL: Final = _entry(
    CALL,
    "Call a tool",
    "Call a tool that find_tools or describe_tool has named. What comes back is that tool's own result.",
    inputSchema=_object(
        ("name",),
        name=_text("The tool's name, exactly as find_tools gives it."),
        arguments={
            "type": "object",
            "additionalProperties": True,
            "description": "The tool's arguments, as its own schema wants them: an object, not a string.",
        },
    ),
    annotations=_ANYTHING,
)
_ACQUIRE: Final = _entry(
    ACQUIRE,
    "Acquire a capability",
    "Get a capability that no tool here gives. An MCP server for the need is looked for, vetted, tried in a sandbox "
    "and taken into service, as far as the policy of this place lets that happen by itself; otherwise the answer says "
    "what a person has to do, and you should tell your user. It may take some minutes. Use it only after you have "
    "seen that no tool at hand will do.",
    inputSchema=_object(
        ("need",),
        need=_text("The capability in plain words, without names or data of the task: 'read and edit spreadsheets'."),
    ),
    outputSchema=_object(
        ("outcome", "need"),
        outcome={
            "type": "string",
            "enum": ["served", "working", "busy", "quarantined", "rejected", "failed"],
            "description": "served: its tools can be called. working: ask again with the same need.",
        },
        need=_TEXT,
        server=_TEXT,
        ref=_TEXT,
        tools={"type": "array", "items": _TEXT, "description": "Its tools, those that fit the need first."},
        message=_TEXT,
        person={"type": "string", "description": "What a person has to do, where a person is needed."},
        evidence=_text("The record of the acquisition: vsm-mcp evidence ID."),
    ),
    annotations=_ADDS,
)

FINDING: Final = (_FIND, _DESCRIBE, _CALL)
"""What stands in the place of a list that is too long."""

FINDERS: Final = frozenset(entry.key for entry in FINDING)
"""The names of those: they show and call nothing that the caller's view does not hold."""

ACQUIRING: Final = (_ACQUIRE,)

NAMES: Final = frozenset({FIND, DESCRIBE, CALL, ACQUIRE})
"""Names that no server's tool is served under, whatever the mode."""
