"""``vsm-mcp remove NAME``: take a server out of service and delete its files."""

from __future__ import annotations

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common


@click.command("remove")
@click.argument("name")
@common
def command(session: Session, name: str) -> None:
    """Stop a server, forget it and delete its files and secrets."""
    session.show(session.run("remove", name=name), lambda document: output.line(f"{document['name']}: removed"))
