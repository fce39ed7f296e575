"""How the state of one server is printed."""

from __future__ import annotations

from typing import Any

from vsm_mcp.cli import output


def show_state(document: dict[str, Any]) -> None:
    """Print ``name: state`` with the reason where there is one."""
    reason = f" ({document['reason']})" if document.get("reason") else ""
    output.line(f"{document['name']}: {document['state']}{reason}")
