"""``vsm-mcp evidence ID``: what an acquisition saw and decided."""

from __future__ import annotations

from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common


@click.command("evidence")
@click.argument("acquisition")
@common
def command(session: Session, acquisition: str) -> None:
    """Show the record of one acquisition, in order."""
    session.show(session.run("evidence", acquisition=acquisition), _human)


def _human(document: dict[str, Any]) -> None:
    for record in document["records"]:
        moment = output.when(record["at"])
        output.one_line(f"{moment}  {record['kind']}", style="bold")
        output.line(output.json_text(record["body"], indent=2))
