"""``vsm-mcp list``: the servers of the catalogue."""

from __future__ import annotations

from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.servers import reason_of
from vsm_mcp.cli.session import Session, common


@click.command("list")
@common
def command(session: Session) -> None:
    """Show the servers of the catalogue."""
    session.show(session.run("list"), _human)


def _human(document: dict[str, Any]) -> None:
    rows = document["servers"]
    output.table(
        ("NAME", "REF", "VERSION", "STATE", "SANDBOX", "TOOLS", "PID", "REASON"),
        [_row(row) for row in rows],
    )
    if not rows:
        output.note("the catalogue is empty: vsm-mcp acquire NEED, or vsm-mcp add REF")


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    where = row["name"], row["ref"], row["version"]
    return *where, row["state"], row["tier"], len(row["tools"]), _pids(row), reason_of(row)


def _pids(row: dict[str, Any]) -> str:
    sessions = len(row["instances"])
    return str(row["pid"] or "-") + (f" +{sessions}" if sessions else "")
