"""``vsm-mcp health [NAME…]``: ask servers of the running daemon for a sign of life."""

from __future__ import annotations

import sys

import click

from vsm_mcp.cli.servers import run_many, several
from vsm_mcp.cli.session import Session, common


@click.command("health")
@several
@common
def command(session: Session, names: tuple[str, ...], everything: bool, at_once: int) -> None:
    """Ask servers of the running daemon (without a name: all) for a sign of life; none is started for it."""
    everything = everything or not names
    sys.exit(run_many(session, "health", names, everything=everything, at_once=at_once))
