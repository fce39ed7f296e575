"""The two eras of MCP: protocol versions, reserved ``_meta`` keys and error codes.

Sources: specification 2026-07-28, "Versioning and Negotiation", "Overview: _meta" and "Error codes"; the handshake
versions are those that ``initialize`` may agree on (specification 2025-11-25, "Lifecycle").
"""

from __future__ import annotations

from typing import Final

MODERN: Final = "2026-07-28"
"""The stateless era: every request carries its version and its client's capabilities."""

HANDSHAKE: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""The versions that ``initialize`` can agree on, oldest first."""

LATEST_HANDSHAKE: Final = HANDSHAKE[-1]

META_PROTOCOL: Final = "io.modelcontextprotocol/protocolVersion"
META_CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"
META_CLIENT_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
META_LOG_LEVEL: Final = "io.modelcontextprotocol/logLevel"
META_SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"
META_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
META_RELATED_TASK: Final = "io.modelcontextprotocol/related-task"

TASKS: Final = "io.modelcontextprotocol/tasks"
"""The extension that tasks are in the modern era (SEP-2663)."""

CLIENT_CAPABILITIES: Final[dict[str, object]] = {
    "elicitation": {"form": {}, "url": {}},
    "roots": {},
    "sampling": {"tools": {}, "context": {}},
}
"""What we tell servers that our clients can do. A server of the handshake versions hears it once, before there is a
client; what the client of a call cannot do is refused when the server asks for it."""

HANDSHAKE_CAPABILITIES: Final[dict[str, object]] = {**CLIENT_CAPABILITIES, "roots": {"listChanged": True}}
"""The same for ``initialize``; the modern era has no news of roots."""

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
RESOURCE_NOT_FOUND: Final = -32002
HEADER_MISMATCH: Final = -32020
MISSING_CLIENT_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022
URL_ELICITATION_REQUIRED: Final = -32042

NAMED_BY: Final = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""Method → the member of ``params`` that ``Mcp-Name`` repeats.

Specification 2026-07-28, "Transports: HTTP"; for tasks SEP-2663, "Streamable HTTP: Routing Headers".
"""

LOG_LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""Severities of log messages, least severe first (specification, "Logging"; RFC 5424, section 6.2.1)."""
