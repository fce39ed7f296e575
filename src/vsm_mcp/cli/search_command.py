"""``vsm-mcp search NEED``: candidates, ranked, with reasons."""

from __future__ import annotations

import shlex
from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common
from vsm_mcp.cli.wants_options import wants_from, wants_options


@click.command("search")
@click.argument("need", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 100), default=10, show_default=True, help="How many candidates.")
@click.option("--explain", is_flag=True, help="Show every criterion with its facts and whose word they are.")
@wants_options
@common
def command(session: Session, need: tuple[str, ...], limit: int, explain: bool, **options: Any) -> None:
    """Show the servers that could meet NEED, the best first, and why."""
    document = session.run("search", need=" ".join(need), limit=limit, wants=wants_from(options))
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
            _explain(row, document["weights"])
        for each in document["left_out"]["candidates"]:
            output.one_line(f"left out: {each['ref']}: {'; '.join(one['why'] for one in each['unmet'])}", style="dim")
        for row in document["sources"]:
            if row["on"] and row["state"] == "off":
                output.one_line(f"not asked: {row['source']}: {row['detail']}", style="dim")
    said = [f"{row['source']} {row['state']}" for row in document["sources"] if row["state"] != "off"]
    output.note(f"asked: {', '.join(said)}")
    if first := next((row["ref"] for row in rows if row["addable"]), ""):
        output.note(
            f"vsm-mcp add {shlex.quote(first)} admits the first one; vsm-mcp acquire takes the best that passes"
        )


def _explain(row: dict[str, Any], weights: dict[str, float]) -> None:
    """Print one candidate's criteria, the weightiest first, and under each its facts with their sources."""
    output.line("")
    output.one_line(f"{row['ref']}  {row['score']:.2f}, from {', '.join(row['sources'])}", style="bold")
    for name, part in sorted(row["criteria"].items(), key=lambda item: (-weights.get(item[0], 0.0), item[0])):
        known = f"{part['score']:.2f}  confidence {part['confidence']:.2f}" if part["confidence"] else "not known"
        output.one_line(f"  {name:<14}{known}, weight {weights.get(name, 0.0):.2f}")
        for fact in part["facts"]:
            output.one_line(f"      {fact['text']}" + (f"  [{fact['source']}]" if fact["source"] else ""))
