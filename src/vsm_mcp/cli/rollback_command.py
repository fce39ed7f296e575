"""``vsm-mcp rollback NAME``: the previous version of a server, at once."""

from __future__ import annotations

import sys

import click

from vsm_mcp.cli.session import Session, common
from vsm_mcp.cli.upgrade_command import code_of, show_upgrades


@click.command("rollback")
@click.argument("name")
@common
def command(session: Session, name: str) -> None:
    """Go back to the version of server NAME before the present one, with its settings and its approved definitions.

    The present one is kept: a second rollback goes forward again.
    """
    row = session.run("rollback", name=name)
    session.show(row, lambda document: show_upgrades({"upgrades": [document]}))
    sys.exit(code_of([row]))
