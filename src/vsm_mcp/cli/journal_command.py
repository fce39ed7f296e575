"""``vsm-mcp journal``: who or what did what, and what policy said."""

from __future__ import annotations

import time
from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.moments import since as moment
from vsm_mcp.cli.session import Session, common


@click.command("journal")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many entries.")
@click.option("--actor", default="", help="Only what this one wanted: cli, agent, or another that is shown.")
@click.option("--action", default="", help="Only this action: add, approve, remove, upgrade and so on.")
@click.option("--subject", default="", help="Only about a server or a reference that begins like this.")
@click.option("--verdict", type=click.Choice(["allow", "ask", "deny"]), default=None, help="Only what was answered so.")
@click.option("--since", default="", metavar="WHEN", help="Only from then on: 2h, 7d, or 2026-11-29T12:00.")
@click.option("--before", type=click.IntRange(0), default=0, metavar="N", help="Only what came before entry N.")
@common
def command(session: Session, since: str, verdict: str | None, **wanted: Any) -> None:
    """Show the last entries of the append-only journal: who or what did what, and what the policy said."""
    begin = moment(since, time.time()) if since else 0.0
    session.show(session.run("journal", since=begin, verdict=verdict or "", **wanted), _human)


def _human(document: dict[str, Any]) -> None:
    output.table(
        ("N", "AT", "ACTOR", "ACTION", "SUBJECT", "VERDICT", "RULE"),
        [
            (
                row["id"],
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
    if document["earlier"]:
        output.note(f"there are earlier ones: --before {document['earlier']}")
