"""``vsm-mcp stop NAME…``: stop servers of the running daemon."""

from __future__ import annotations

import sys

import click

from vsm_mcp.cli.servers import many, run_many, several, show_state
from vsm_mcp.cli.session import Session, common


@click.command("stop")
@several
@common
def command(session: Session, names: tuple[str, ...], everything: bool, at_once: int) -> None:
    """Stop servers of the running daemon: one, several, or all of them."""
    if many(names, everything=everything):
        sys.exit(run_many(session, "stop", names, everything=everything, at_once=at_once))
    session.show(session.run("stop", name=names[0]), show_state)
