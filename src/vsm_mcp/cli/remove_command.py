"""``vsm-mcp remove NAME``: take a server out of service and delete its files."""

from __future__ import annotations

from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common


@click.command("remove")
@click.argument("name")
@click.option("--keep-home", is_flag=True, help="Leave what it kept in its home: added again, it finds it there.")
@common
def command(session: Session, name: str, keep_home: bool) -> None:
    """Stop a server, forget it and delete its files, its secrets and what it kept in its home."""
    session.show(session.run("remove", name=name, keep_home=keep_home), _show)


def _show(document: dict[str, Any]) -> None:
    kept = f"; what it kept is in {document['home']}" if document["home"] else ""
    output.line(f"{document['name']}: removed{kept}")
