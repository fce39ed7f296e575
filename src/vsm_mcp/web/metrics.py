"""Every metric there is.

`GET /metrics` answers them in Prometheus' text format, or as OpenMetrics to those who ask for it; with
`[telemetry] otlp_endpoint` the same go out over OTLP under the same names (without `_total`). A label that is empty is
left out. Series of tools are bounded by `[telemetry] metric_tools`; every other label has few values.
"""

from __future__ import annotations

from typing import Final

from vsm_mcp.web.families import Kind, Metric

_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
_TOOL: Final = ("server", "version", "tool")
_SERVER: Final = ("server",)

CALLS: Final = Metric(
    "vsm_mcp_calls",
    _C,
    "Calls of servers by how they ended; version names a newcomer on rollout; tool is the method of other requests.",
    (*_TOOL, "ending"),
)
DURATIONS: Final = Metric(
    "vsm_mcp_call_duration_seconds",
    _H,
    "How long answered calls took, from the request of the agent to the answer of the server.",
    _TOOL,
    "seconds",
)
STATE: Final = Metric(
    "vsm_mcp_server_state", _G, "1 for the state that a server is in, 0 for every other state.", ("server", "state")
)
IN_FLIGHT: Final = Metric("vsm_mcp_server_calls_in_flight", _G, "Calls that a server works on now.", _SERVER)
WAITING: Final = Metric("vsm_mcp_server_calls_waiting", _G, "Calls that wait for a server or for a turn.", _SERVER)
LIFE: Final = Metric(
    "vsm_mcp_server_events",
    _C,
    "What happened to a server: started, restarted, stopped, failed, gave_up, health_checks, tools_changed,"
    " pins_changed.",
    ("server", "what"),
)
MEMORY: Final = Metric(
    "vsm_mcp_server_memory_bytes", _G, "Resident memory of all processes of a server.", _SERVER, "bytes"
)
CPU: Final = Metric(
    "vsm_mcp_server_cpu_cores", _G, "CPU that the processes of a server use, in cores, since the look before.", _SERVER
)
PROCESSES: Final = Metric("vsm_mcp_server_processes", _G, "Processes of a server.", _SERVER)
OPEN_FILES: Final = Metric("vsm_mcp_server_open_files", _G, "Open files of the processes of a server.", _SERVER)
CONTACTS: Final = Metric(
    "vsm_mcp_contacts_refused",
    _C,
    "Contacts that the sandbox refused a server; of each host and port it counts one a minute.",
    _SERVER,
)
CONDITION: Final = Metric(
    "vsm_mcp_server_condition",
    _G,
    "1 for how a server is: healthy, degraded or failing; of servers that were looked at.",
    ("server", "condition"),
)
BREAKER: Final = Metric(
    "vsm_mcp_breaker_state",
    _G,
    "1 for open or half_open, of servers (or a tool of one, where given) that are left alone because calls failed.",
    ("server", "tool", "state"),
)
ROLLOUT: Final = Metric(
    "vsm_mcp_rollout_share",
    _G,
    "The share (0 to 1) of a server's calls that a newcomer takes: another version of it, or another server.",
    ("server", "newcomer"),
)
NEEDS: Final = Metric("vsm_mcp_needs", _G, "Distinct needs of the window, when they were last looked at.")
NEEDS_MET: Final = Metric("vsm_mcp_needs_met", _G, "Those of them that a tool of a healthy server met.")
SESSIONS: Final = Metric("vsm_mcp_sessions", _G, "Sessions of clients of the handshake versions that are open.")
WAITS: Final = Metric("vsm_mcp_requests_waiting", _G, "Requests over HTTP whose answer a server still owes.")
REFUSED: Final = Metric(
    "vsm_mcp_requests_refused", _C, "Requests that the endpoint turned away, by HTTP status.", ("status",)
)
TOOLS: Final = Metric("vsm_mcp_tools", _G, "Tools that are served.")
SERVERS: Final = Metric("vsm_mcp_servers", _G, "Servers in the catalogue.")
EVENTS: Final = Metric("vsm_mcp_events", _C, "Events that were published, by their name.", ("event",))
DECISIONS: Final = Metric(
    "vsm_mcp_decisions", _C, "Decisions of the policy: allow, ask or deny, by action.", ("action", "verdict")
)
SOURCES: Final = Metric(
    "vsm_mcp_source_state",
    _G,
    "1 for the state of each source that was asked: ok, stale, unavailable or off.",
    ("source", "state"),
)
FOLLOWERS: Final = Metric("vsm_mcp_event_followers", _G, "Readers of the stream of events.")
DROPPED: Final = Metric("vsm_mcp_event_followers_dropped", _C, "Readers of events that were cut off for being slow.")
SPANS: Final = Metric(
    "vsm_mcp_spans",
    _C,
    "Spans by what became of them: exported, or dropped because nobody took them in time.",
    ("outcome",),
)
EXPORTS: Final = Metric(
    "vsm_mcp_exports", _C, "Exports over OTLP: traces or metrics, taken or failed.", ("signal", "outcome")
)
BUILD: Final = Metric("vsm_mcp_build_info", _G, "1, with the version that runs.", ("version",))
STARTED: Final = Metric(
    "process_start_time_seconds", _G, "When the daemon was started, in seconds since the epoch.", (), "seconds"
)
OWN_MEMORY: Final = Metric("process_resident_memory_bytes", _G, "Resident memory of the daemon.", (), "bytes")
OWN_CPU: Final = Metric("process_cpu_seconds", _C, "CPU time that the daemon used.", (), "seconds")
OWN_FILES: Final = Metric("process_open_fds", _G, "Open files of the daemon.")

METRICS: Final[tuple[Metric, ...]] = (
    CALLS, DURATIONS, STATE, IN_FLIGHT, WAITING, LIFE, MEMORY, CPU, PROCESSES, OPEN_FILES, CONTACTS, CONDITION,
    BREAKER, ROLLOUT, NEEDS, NEEDS_MET, SESSIONS, WAITS, REFUSED, TOOLS, SERVERS, EVENTS, DECISIONS, SOURCES,
    FOLLOWERS, DROPPED, SPANS, EXPORTS, BUILD, STARTED, OWN_MEMORY, OWN_CPU, OWN_FILES,
)  # fmt: skip
