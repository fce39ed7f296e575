"""The shapes in which clients write down their servers → the ``mcpServers`` form. Pure.

| client | where in the file | what is its own |
|---|---|---|
| Claude, Cursor, Windsurf, Gemini CLI, Cline, Kiro | ``mcpServers`` | ``serverUrl``, ``httpUrl``, ``disabled`` |
| VS Code | ``servers``; in its settings ``mcp.servers`` | ``inputs`` |
| Codex | ``mcp_servers`` | ``bearer_token_env_var``, ``http_headers``, ``env_http_headers``, ``env_vars`` |
| Zed | ``context_servers`` | an older ``command`` with ``path``, ``args`` and ``env`` |
| opencode | ``mcp``, or ``mcp.servers`` | ``command`` as a list, ``environment``, ``{env:NAME}`` |
| Goose | ``extensions`` | ``cmd``, ``envs``, ``env_keys``, ``uri``; an older ``config`` around it all |
| MAGG kits | ``servers`` | ``uri``, ``transport.headers`` |

Source: the documentation of each, as of autumn 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

Root = tuple[str, ...]
"""The keys that lead to the servers of a file."""

ROOTS: Final[tuple[Root, ...]] = (
    ("mcpServers",),
    ("mcp_servers",),
    ("context_servers",),
    ("servers",),
    ("mcp", "servers"),
    ("mcp",),
    ("extensions",),
)
_NAMES_TOO: Final = ("mcp", "extensions")
_RENAMED: Final = {
    "cmd": "command",
    "environment": "env",
    "envs": "env",
    "uri": "url",
    "serverUrl": "url",
    "httpUrl": "url",
    "http_headers": "headers",
}
# What a client brings with it; there is no server behind it that anybody else could have.
_INSIDE: Final = frozenset({"builtin", "platform", "frontend", "inline_python", "extension"})
_BRACED: Final = re.compile(r"\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


def entries_of(document: Any, roots: Sequence[Root] = ROOTS) -> Any:
    """Return the servers of a document by title, each in the ``mcpServers`` form; all of it if it has no root.

    What is no mapping where one should be is returned as it is: whoever reads it says so.
    """
    found = rooted(document, roots)
    if found is None:
        found = document
    if not isinstance(found, Mapping):
        return found
    plain = {str(title): _plain(entry) for title, entry in found.items()}
    return {title: entry for title, entry in plain.items() if entry is not None}


def off(entry: Any) -> bool:
    """Say whether an entry is switched off."""
    return isinstance(entry, Mapping) and (entry.get("disabled") is True or entry.get("enabled") is False)


def rooted(document: Any, roots: Sequence[Root] = ROOTS) -> Any:
    """Return what a document has at the first of the ``roots`` that is there; ``None`` where none is."""
    for root in roots if isinstance(document, Mapping) else ():
        place: Any = document
        for key in root:
            place = place.get(key) if isinstance(place, Mapping) else None
        if place is not None and not (root[0] in _NAMES_TOO and _is_entry(place)):
            return place
    return None


def _is_entry(value: Any) -> bool:
    """Say whether this is one server, in a map that has no root, rather than all of them."""
    return isinstance(value, Mapping) and any(isinstance(value.get(key), str) for key in ("command", "url", *_RENAMED))


def _plain(entry: Any) -> Any:
    """Return one entry in the ``mcpServers`` form; ``None`` for one that has no server of its own."""
    if not isinstance(entry, Mapping):
        return entry
    if isinstance(entry.get("config"), Mapping) and "command" not in entry:
        entry = {**entry, **entry["config"]}
    if entry.get("type") in _INSIDE or (entry.get("source") in _INSIDE and not entry.get("command")):
        return None
    plain = {key: value for key, value in entry.items() if value is not None and key not in _RENAMED}
    for key, value in entry.items():
        if key in _RENAMED and value not in (None, ""):
            plain.setdefault(_RENAMED[key], value)
    if isinstance(plain.get("command"), Mapping):
        plain = {**plain, **_of_zed(plain["command"])}
    return _with_variables(plain, entry)


def _of_zed(command: Mapping[str, Any]) -> dict[str, Any]:
    inner = {key: command[key] for key in ("args", "env") if command.get(key) is not None}
    return {"command": command.get("path"), **inner}


def _with_variables(plain: dict[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """Put in, as ``${NAME}``, the variables that an entry takes from its client's surroundings."""
    forwarded = [name for key in ("env_keys", "env_vars") for name in _texts(entry.get(key))]
    if forwarded:
        plain["env"] = {**{name: f"${{{name}}}" for name in forwarded}, **_mapping(plain.get("env"))}
    transport = entry.get("transport")
    headers = dict(_mapping(transport.get("headers"))) if isinstance(transport, Mapping) else {}
    headers |= {
        str(name): f"${{{variable}}}"
        for name, variable in _mapping(entry.get("env_http_headers")).items()
        if isinstance(variable, str)
    }
    if isinstance(entry.get("bearer_token_env_var"), str):
        headers["Authorization"] = f"Bearer ${{{entry['bearer_token_env_var']}}}"
    if headers:
        plain["headers"] = {**headers, **_mapping(plain.get("headers"))}
    return {key: _braced(value) for key, value in plain.items()}


def _braced(value: Any) -> Any:
    """Return a value with opencode's ``{env:NAME}`` as ``${NAME}``."""
    if isinstance(value, str):
        return _BRACED.sub(r"${\1}", value.replace("${env:", "${")) if "{env:" in value else value
    if isinstance(value, list):
        return [_braced(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _braced(item) for name, item in value.items()}
    return value


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
