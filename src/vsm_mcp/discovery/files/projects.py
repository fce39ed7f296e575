"""Folders that hold the source of an MCP server: what ``package.json`` or ``pyproject.toml`` says. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from vsm_mcp.discovery.selection import calls_itself_server
from vsm_mcp.errors import BadReference
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.client_file import Unfit
from vsm_mcp.model.ref import parse_ref

_KEYWORDS: Final = frozenset({"mcp-server", "mcp server", "model-context-protocol-server"})
_NODE_SDKS: Final = frozenset({"@modelcontextprotocol/sdk", "@modelcontextprotocol/server", "fastmcp"})
_PYTHON_SDKS: Final = frozenset({"mcp", "fastmcp"})
_REQUIRED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def node_project(document: Any, folder: Path) -> Candidate | None:
    """Return the server whose ``package.json`` this is; ``None`` for a package that does not declare itself one.

    It does with ``mcpName`` (the field by which the MCP registry knows a package again), a keyword, or a program and
    the SDK among its dependencies together with what it calls itself.
    """
    if not isinstance(document, Mapping):
        return None
    name, said = _text(document, "name"), _text(document, "description")
    needs = document.get("dependencies")
    sdk = isinstance(needs, Mapping) and not _NODE_SDKS.isdisjoint(needs)
    if not (_text(document, "mcpName") or _declares(document, name, said, sdk=sdk and bool(document.get("bin")))):
        return None
    licence = _text(document, "license") or None
    facts = PackageFacts(
        version=_text(document, "version"), licence=licence, homepage=_text(document, "homepage") or None
    )
    return _candidate(folder, name, said, _texts(document.get("keywords")), facts)


def python_project(document: Any, folder: Path) -> Candidate | None:
    """Return the server whose ``pyproject.toml`` this is; ``None`` for a project that does not declare itself one."""
    project = document.get("project") if isinstance(document, Mapping) else None
    if not isinstance(project, Mapping):
        return None
    name, said = _text(project, "name"), _text(project, "description")
    needs = {match[0].lower() for need in _texts(project.get("dependencies")) if (match := _REQUIRED.match(need))}
    sdk = not _PYTHON_SDKS.isdisjoint(needs) and bool(project.get("scripts"))
    if not _declares(project, name, said, sdk=sdk):
        return None
    licence = project.get("license")
    facts = PackageFacts(
        version=_text(project, "version"),
        licence=licence if isinstance(licence, str) else None,
        requires_python=_text(project, "requires-python") or None,
    )
    return _candidate(folder, name, said, _texts(project.get("keywords")), facts)


def _declares(document: Mapping[str, Any], name: str, said: str, *, sdk: bool) -> bool:
    if not _KEYWORDS.isdisjoint(word.lower() for word in _texts(document.get("keywords"))):
        return True
    return sdk and calls_itself_server(name[:214], said[:2000])


def _candidate(folder: Path, name: str, said: str, keywords: Iterable[str], facts: PackageFacts) -> Candidate:
    try:
        ref = parse_ref(f"dir:{folder}")
    except BadReference as error:
        raise Unfit("its folder has a name that no reference can have") from error
    return Candidate(ref=ref, name=name or folder.name, description=said, terms=" ".join(keywords), facts=facts)


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
