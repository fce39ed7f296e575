"""``vsm-mcp search NEED``: candidates, ranked, with reasons."""

from __future__ import annotations

import shlex
from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common


@click.command("search")
@click.argument("need", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 100), default=10, show_default=True, help="How many candidates.")
@click.option("--explain", is_flag=True, help="Show every criterion with its facts.")
@common
def command(session: Session, need: tuple[str, ...], limit: int, explain: bool) -> None:
    """Show the servers that could meet NEED, the best first, and why."""
    document = session.run("search", need=" ".join(need), limit=limit)
    session.show(document, lambda found: _human(found, explain=explain))


def _human(document: dict[str, Any], *, explain: bool) -> None:
    rows = document["candidates"]
    output.table(
        ("SCORE", "CONF", "REF", "DESCRIPTION", "REASONS"),
        [
            (
                f"{row['score']:.2f}",
                f"{row['confidence']:.2f}",
                row["ref"],
                row["description"],
                "; ".join([*([] if row["addable"] else ["cannot be added yet"]), *row["reasons"]]),
            )
            for row in rows
        ],
        wide=4,
    )
    if explain:
        for row in rows:
            output.line(f"\n{row['ref']}", style="bold")
            for name, part in row["criteria"].items():
                facts = "; ".join(part.get("facts", ()))
                output.line(f"  {name:<14} {part['score']:.2f} (confidence {part['confidence']:.2f})  {facts}")
    said = [f"{row['source']} {row['state']}" for row in document["sources"] if row["on"]]
    output.note(f"asked: {', '.join(said)}")
    if first := next((row["ref"] for row in rows if row["addable"]), ""):
        output.note(
            f"vsm-mcp add {shlex.quote(first)} admits the first one; vsm-mcp acquire takes the best that passes"
        )
