"""``vsm-mcp restart NAME``: restart a server of the running daemon."""

from __future__ import annotations

import click

from vsm_mcp.cli.servers import show_state
from vsm_mcp.cli.session import Session, common


@click.command("restart")
@click.argument("name")
@common
def command(session: Session, name: str) -> None:
    """Restart a server of the running daemon."""
    session.show(session.run("restart", name=name), show_state)
