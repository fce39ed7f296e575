"""``vsm-mcp evidence ID``: what an acquisition saw and decided."""

from __future__ import annotations

import json
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
        output.line(f"{moment}  {record['kind']}", style="bold")
        output.line(json.dumps(record["body"], ensure_ascii=False, indent=2))
