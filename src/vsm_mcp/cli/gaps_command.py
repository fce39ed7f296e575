"""``vsm-mcp gaps``: what is needed and what of it nothing here does."""

from __future__ import annotations

from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common
from vsm_mcp.errors import BadArgument


@click.command("gaps")
@click.option("--look", is_flag=True, help="Look for candidates now; what is found is remembered.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many needs.")
@click.option("--allow", default="", metavar="NEED", help="Take back the no to a need.")
@click.option("--deny", default="", metavar="NEED", help="Say no to a need: nothing is acquired for it unasked.")
@common
def command(session: Session, look: bool, limit: int, allow: str, deny: str) -> None:
    """Show how much of what is needed is met, the unmet needs, and what would close each.

    A need is met when a tool of a healthy server matches it well enough, or when a server was taken in for it.
    """
    if allow and deny:
        raise BadArgument("a need is either allowed or denied", "leave one of them out")
    if allow:
        session.show(session.run("allow_need", need=allow), lambda document: _said(document, "is open again"))
    elif deny:
        session.show(session.run("deny_need", need=deny), lambda document: _said(document, "stays open: you said no"))
    else:
        session.show(session.run("gaps", look=look, limit=limit), _human)


def _said(document: dict[str, Any], word: str) -> None:
    output.one_line(f"{document['need']}: {word}")


def _human(document: dict[str, Any]) -> None:
    days = f"{document['window_days']:g} days"
    if not document["demanded"]:
        output.line(f"nobody needed anything in the last {days}")
    else:
        met, demanded = document["met"], document["demanded"]
        output.line(f"variety {document['ratio']:.0%}: {met} of {demanded} needs of the last {days} are met")
    if document["gaps"]:
        output.line("")
        output.table(
            ("UNMET NEED", "SEEN", "SINCE", "FROM", "WHAT WOULD CLOSE IT"), map(_gap, document["gaps"]), wide=4
        )
    if document["met_needs"]:
        output.line("")
        output.table(("MET NEED", "SEEN", "BY", "MATCH"), map(_met, document["met_needs"]))
    show_proposals(document["proposals"])
    budget = document["budget"]
    output.line("")
    installs = f"{budget['installs']['spent']:g} of {budget['installs']['limit']:g} installs"
    disk, memory = (
        f"{output.size(budget[what]['spent'])} of {output.size(budget[what]['limit'])}" for what in ("disk", "memory")
    )
    tokens = f"{budget['tokens']['spent']:g} of {budget['tokens']['limit']:g} tokens"
    output.line(f"the autopilot used in 24 hours: {installs}, {disk} on disk, {memory} memory, {tokens}")


def show_proposals(rows: list[dict[str, Any]]) -> None:
    """Print what waits for a person."""
    for row in rows:
        what = f"{row['kind']} {row['ref'] or row['server']}" + (f" for {row['need']}" if row["need"] else "")
        risks = f" ({'; '.join(row['risks'])})" if row["risks"] else ""
        output.one_line(f"waits for you: {what}: {row['reason']}{risks}", style="yellow")
        output.one_line(f"  vsm-mcp approve {row['id']} · vsm-mcp deny {row['id']}")


def _gap(row: dict[str, Any]) -> tuple[object, ...]:
    said = f" ({row['denied_by']} said no)" if row["denied_by"] else f" ({row['reason']})" if row["failures"] else ""
    return (
        row["need"],
        row["count"],
        output.when(row["since"]),
        ", ".join(sorted(row["sources"])),
        row["closing"] + said,
    )


def _met(row: dict[str, Any]) -> tuple[object, ...]:
    return row["need"], row["count"], row["by"], f"{row['score']:.2f}"
