"""``vsm-mcp tools [QUERY]``: the tools that are served."""

from __future__ import annotations

import shlex
from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common

_WIDTH = 100


@click.command("tools")
@click.argument("query", nargs=-1)
@click.option("--limit", type=click.IntRange(1, 5000), default=200, show_default=True, help="How many tools.")
@click.option("--profile", default="", metavar="NAME", help="The tools of one profile, under its names.")
@common
def command(session: Session, query: tuple[str, ...], limit: int, profile: str) -> None:
    """Show the served tools; with QUERY, those that fit it, the best first."""
    need = " ".join(query)
    session.show(
        session.run("tools", query=need, limit=limit, profile=profile), lambda document: _human(document, need)
    )


def _human(document: dict[str, Any], need: str) -> None:
    output.table(
        ("TOOL", "SERVER", "DESCRIPTION"),
        [(row["name"], row["server"], _first_line(row["description"])) for row in document["tools"]],
        wide=2,
    )
    if need and not document["met"]:
        output.note(f"none of these plainly does this; vsm-mcp acquire {shlex.quote(need)} looks for what does")


def _first_line(text: str) -> str:
    line = text.strip().split("\n", 1)[0]
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
