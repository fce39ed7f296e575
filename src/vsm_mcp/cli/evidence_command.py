"""``vsm-mcp evidence ID``: why things were decided as they were, replayed."""

from __future__ import annotations

from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.replay import step_of
from vsm_mcp.cli.session import Session, common


@click.command("evidence")
@click.argument("acquisition", metavar="ID")
@click.option("--full", is_flag=True, help="Every record as it was written.")
@common
def command(session: Session, acquisition: str, full: bool) -> None:
    """Replay why something was decided: an acquisition, an upgrade, a rollback, a rollout, a proposal.

    Each step shows what was known, the rule, and what was decided. ID is what add, acquire, upgrade and inspect show as
    evidence, or the id of what waits for a person.
    """
    session.show(session.run("evidence", acquisition=acquisition), _full if full else _replayed)


def _replayed(document: dict[str, Any]) -> None:
    for number, record in enumerate(document["records"], 1):
        step = step_of(record["kind"], record["body"])
        output.one_line(f"{number}. {output.when(record['at'])}  {step.title}", style="bold")
        for fact in step.facts:
            output.one_line(f"     {fact}")
        if step.rule:
            output.one_line(f"   by the rule: {step.rule}")
        if step.decision:
            output.one_line(f"   => {step.decision}", style="bold")


def _full(document: dict[str, Any]) -> None:
    for record in document["records"]:
        moment = output.when(record["at"])
        output.one_line(f"{moment}  {record['kind']}", style="bold")
        output.line(output.json_text(record["body"], indent=2))
