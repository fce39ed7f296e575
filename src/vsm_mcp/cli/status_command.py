"""``vsm-mcp status``: the daemon and its servers."""

from __future__ import annotations

from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.servers import reason_of
from vsm_mcp.cli.session import Session, common


@click.command("status")
@common
def command(session: Session) -> None:
    """Show the daemon, its address, the state of its servers and what each profile shows of them."""
    session.show(session.run("status"), _human)


def _human(document: dict[str, Any]) -> None:
    if document["daemon"]:
        output.line(f"daemon: pid {document['pid']}, {document['address'] or 'no HTTP endpoint'}")
    else:
        output.line("daemon: not running (vsm-mcp serve starts it)")
    output.table(
        ("NAME", "STATE", "ERA", "RESTARTS", "PID", "REASON"),
        [_row(row) for server in document["servers"] for row in (server, *server["instances"])],
    )
    output.line("")
    output.table(("PROFILE", "URL", "MODE", "SERVERS", "TOOLS"), [_profile(row) for row in document["profiles"]])


def _profile(row: dict[str, Any]) -> tuple[object, ...]:
    mode = f"auto: {row['listed']}" if row["mode"] == "auto" else row["mode"]
    return row["name"] or "(all)", row["url"] or "-", mode, row["servers"], row["tools"]


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    name = row.get("name") or f"  session {row['session']}"
    return name, row["state"], row.get("era") or "-", row["restarts"], row["pid"] or "-", reason_of(row)
