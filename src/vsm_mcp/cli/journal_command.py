"""``vsm-mcp journal``: who or what did what, and what policy said."""

from __future__ import annotations

from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common


@click.command("journal")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many entries.")
@common
def command(session: Session, limit: int) -> None:
    """Show the last entries of the append-only journal."""
    session.show(session.run("journal", limit=limit), _human)


def _human(document: dict[str, Any]) -> None:
    output.table(
        ("AT", "ACTOR", "ACTION", "SUBJECT", "VERDICT", "RULE"),
        [
            (
                output.when(row["at"]),
                row["actor"],
                row["action"],
                row["subject"],
                row["verdict"],
                row["rule"],
            )
            for row in document["entries"]
        ],
    )
