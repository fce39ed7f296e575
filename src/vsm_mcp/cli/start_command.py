"""``vsm-mcp start NAME…``: start servers of the running daemon."""

from __future__ import annotations

import sys

import click

from vsm_mcp.cli.servers import many, run_many, several, show_state
from vsm_mcp.cli.session import Session, common


@click.command("start")
@several
@common
def command(session: Session, names: tuple[str, ...], everything: bool, at_once: int) -> None:
    """Start servers of the running daemon: one, several, or all of them."""
    if many(names, everything=everything):
        sys.exit(run_many(session, "start", names, everything=everything, at_once=at_once))
    session.show(session.run("start", name=names[0]), show_state)
