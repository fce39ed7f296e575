"""``vsm-mcp approve NAME``: let a quarantined server, or its changed definitions, into service."""

from __future__ import annotations

import click

from vsm_mcp.cli.servers import show_state
from vsm_mcp.cli.session import Session, common


@click.command("approve")
@click.argument("name")
@common
def command(session: Session, name: str) -> None:
    """Approve a quarantined server, or what changed in a served one."""
    session.show(session.run("approve", name=name), show_state)
