"""``vsm-mcp reload``: have the daemon read its settings again."""

from __future__ import annotations

from typing import Any, Final

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common, daemon
from vsm_mcp.errors import TransportError

_HOW: Final = {
    "applied": "applied",
    "restarts": "applied, servers were started anew",
    "daemon": "needs a restart of the daemon",
}


@click.command("reload")
@common
def command(session: Session) -> None:
    """Have the running daemon read its settings again, and say what became of each change.

    It does so by itself when the file changes, and on SIGHUP. Settings that cannot be used change nothing.
    """
    connection = daemon(session.config.home)
    if connection is None:
        raise TransportError("no daemon serves this home", "the settings are read when it starts: vsm-mcp serve")
    connection.close()
    session.show(session.run("reload"), _human)


def _human(document: dict[str, Any]) -> None:
    for change in document["changes"]:
        output.line(f"{change['item']}: {change['before']} -> {change['after']} ({_HOW[change['how']]})")
    if not document["changes"]:
        output.line("no setting changed")
    for server in document["servers"]:
        if server["result"] != "unchanged":
            output.line(f"{server['name']}: {server['result']}")
    for entry in document["mcp_servers"]:
        reason = f" ({entry['reason']})" if entry["reason"] else ""
        output.line(f"mcp_servers.json: {entry['title']}: {entry['outcome']}{reason}")
