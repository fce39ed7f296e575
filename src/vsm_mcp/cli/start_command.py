"""``vsm-mcp start NAME``: start a server of the running daemon."""

from __future__ import annotations

import click

from vsm_mcp.cli.servers import show_state
from vsm_mcp.cli.session import Session, common


@click.command("start")
@click.argument("name")
@common
def command(session: Session, name: str) -> None:
    """Start a server of the running daemon."""
    session.show(session.run("start", name=name), show_state)
