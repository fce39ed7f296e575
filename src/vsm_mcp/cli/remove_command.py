"""``vsm-mcp remove NAME``: take a server out of service and delete its files."""

from __future__ import annotations

from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common


@click.command("remove")
@click.argument("name")
@click.option("--delete-home", is_flag=True, help="Delete what it kept in its home, too.")
@common
def command(session: Session, name: str, delete_home: bool) -> None:
    """Stop a server, forget it and delete its files and secrets; what it kept in its home stays."""
    session.show(session.run("remove", name=name, delete_home=delete_home), _show)


def _show(document: dict[str, Any]) -> None:
    kept = f"; what it kept is in {document['home']}" if document["home"] else ""
    output.line(f"{document['name']}: removed{kept}")
