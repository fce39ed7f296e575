"""``vsm-mcp stop NAME``: stop a server of the running daemon."""

from __future__ import annotations

import click

from vsm_mcp.cli.servers import show_state
from vsm_mcp.cli.session import Session, common


@click.command("stop")
@click.argument("name")
@common
def command(session: Session, name: str) -> None:
    """Stop a server of the running daemon."""
    session.show(session.run("stop", name=name), show_state)
